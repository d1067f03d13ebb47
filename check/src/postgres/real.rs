//! A service on its database: two replicas of it, and what they have written.

use std::{cell::RefCell, fmt::Debug, hash::Hash, rc::Rc, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::LocalBoxFuture;
use indexmap::IndexSet;
use saga::{
    NewAttempt, SagaId, Service, Table,
    outbox::envelope::Envelope,
    record::Record,
    store::StoreError,
    testing::{Claimed, Replica},
    unit_of_work::Staged,
};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::{player::Typed, rows::Shared};

/// Something that a service may be given to decide upon, apart from its origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Given {
    Message { event_type: &'static str, topic: &'static str, data: String },
    Occasion(usize),
    Answer { call: NewAttempt, answer: usize },
}

/// A row of the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) seq: i64,
    pub(crate) saga: SagaId,
    pub(crate) event_type: String,
    pub(crate) data: serde_json::Value,
    /// As the relay would publish it.
    pub(crate) record: Record,
}

/// A row of the table of attempts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) request: serde_json::Value,
    pub(crate) gives_up: bool,
    pub(crate) is_open: bool,
}

/// A service on its database.
pub(crate) trait Real {
    fn pool(&self) -> &PgPool;

    /// Notes what the service has been given, so that its rows can be loaded.
    fn note(&self, given: Given);

    fn process<'a>(&'a self, replica: usize, records: &'a [Record]) -> LocalBoxFuture<'a, ()>;

    fn stage<'a>(&'a self, replica: usize, records: &'a [Record]) -> LocalBoxFuture<'a, Result<Staged, StoreError>>;

    fn park<'a>(&'a self, record: &'a Record) -> LocalBoxFuture<'a, ()>;

    fn retry_parked(&self) -> LocalBoxFuture<'_, anyhow::Result<usize>>;

    /// What a person or a deadline asks for, at its time.
    fn ask(&mut self, replica: usize, occasion: usize, at: DateTime<Utc>)
    -> LocalBoxFuture<'_, Result<(), StoreError>>;

    /// Claims all attempts that are due.
    fn claim(&self, replica: usize, lease: Duration) -> LocalBoxFuture<'_, sqlx::Result<Vec<Claimed>>>;

    /// Ends an attempt; false if it had ended before.
    fn settle<'a>(
        &'a self,
        replica: usize,
        claimed: &'a Claimed,
        gives_up: bool,
        call: &'a NewAttempt,
        answer: usize,
    ) -> LocalBoxFuture<'a, Result<bool, StoreError>>;

    /// Compares the rows with the model's, for everything that was given so far.
    fn compare<'a>(&'a self, model: &'a Shared) -> LocalBoxFuture<'a, Result<(), String>>;
}

/// What a service has said since a row of its outbox, in order.
pub(crate) async fn said_since(pool: &PgPool, seq: i64) -> sqlx::Result<Vec<Said>> {
    let rows = sqlx::query(
        "select seq, id, aggregatetype, aggregateid, type, payload, dataversion, causationid, traceparent from outbox
         where seq > $1 order by seq",
    )
    .bind(seq)
    .fetch_all(pool)
    .await?;
    let said = |row: sqlx::postgres::PgRow| {
        let (service, saga): (String, String) = (row.try_get("aggregatetype")?, row.try_get("aggregateid")?);
        let data: serde_json::Value = row.try_get("payload")?;
        let envelope = Envelope {
            id: saga::EventId(row.try_get("id")?),
            event_type: row.try_get("type")?,
            version: u32::try_from(row.try_get::<i32, _>("dataversion")?).unwrap_or(u32::MAX),
            source: saga::outbox::publisher::source_of(&service),
            subject: Some(saga.clone()),
            time: Some(DateTime::UNIX_EPOCH),
            causation_id: row.try_get::<Option<Uuid>, _>("causationid")?.map(saga::EventId),
            traceparent: row.try_get("traceparent")?,
        };
        let headers = envelope.to_headers().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes()));
        let record = Record {
            topic: format!("{service}.events"),
            key: Some(saga.clone().into_bytes()),
            value: Some(data.to_string().into_bytes()),
            headers: headers.collect(),
            ..Record::default()
        };
        let saga = saga.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Said { seq: row.try_get("seq")?, saga, event_type: envelope.event_type, data, record })
    };
    rows.into_iter().map(said).collect()
}

/// All calls that a service has asked for, by key.
pub(crate) async fn asked(pool: &PgPool) -> sqlx::Result<Vec<Asked>> {
    let rows = sqlx::query(
        "select idempotency_key, kind, request, gives_up, status = 'open' as is_open from attempts order by 1",
    );
    let asked = |row: sqlx::postgres::PgRow| {
        Ok(Asked {
            key: row.try_get("idempotency_key")?,
            kind: row.try_get("kind")?,
            request: row.try_get("request")?,
            gives_up: row.try_get("gives_up")?,
            is_open: row.try_get("is_open")?,
        })
    };
    rows.try_map(asked).fetch_all(pool).await
}

/// A service on its database.
pub(crate) fn real<S: Service>(typed: Rc<Typed<S>>, pool: PgPool) -> Box<dyn Real>
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    let replica = || {
        let mut replica = Replica::new(typed.service.clone(), typed.fresh_table(), pool.clone());
        replica.set_time(crate::player::NOW);
        replica
    };
    let replicas = [replica(), replica()];
    Box::new(OnDatabase { typed, pool, replicas, given: RefCell::default() })
}

struct OnDatabase<S: Service> {
    typed: Rc<Typed<S>>,
    pool: PgPool,
    replicas: [Replica; 2],
    given: RefCell<IndexSet<Given>>,
}

impl<S: Service> Typed<S> {
    fn fresh_table(&self) -> Table<S::Command> {
        let without = |table: Table<S::Command>, event: &String| table.without(event).expect("it was taken away once");
        self.without.iter().fold(S::table(), without)
    }
}

impl<S: Service> OnDatabase<S>
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    fn command(&self, given: &Given) -> Option<S::Command> {
        match given {
            Given::Message { event_type, topic, data } => self.typed.command(event_type, topic, data).ok(),
            Given::Occasion(occasion) => Some((self.typed.occasions[*occasion].command)()),
            Given::Answer { call, answer } => {
                (self.typed.answers)(call).into_iter().nth(*answer).map(|(_, command)| command)
            }
        }
    }
}

impl<S: Service> Real for OnDatabase<S>
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn note(&self, given: Given) {
        self.given.borrow_mut().insert(given);
    }

    fn process<'a>(&'a self, replica: usize, records: &'a [Record]) -> LocalBoxFuture<'a, ()> {
        Box::pin(self.replicas[replica].process(records))
    }

    fn stage<'a>(&'a self, replica: usize, records: &'a [Record]) -> LocalBoxFuture<'a, Result<Staged, StoreError>> {
        Box::pin(self.replicas[replica].stage(records))
    }

    fn park<'a>(&'a self, record: &'a Record) -> LocalBoxFuture<'a, ()> {
        Box::pin(self.replicas[0].park(record, "parked by the schedule"))
    }

    fn retry_parked(&self) -> LocalBoxFuture<'_, anyhow::Result<usize>> {
        Box::pin(self.replicas[0].retry_parked())
    }

    fn ask(
        &mut self,
        replica: usize,
        occasion: usize,
        at: DateTime<Utc>,
    ) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let asked = &self.typed.occasions[occasion];
            self.replicas[replica].set_time(at);
            let done = self.replicas[replica].submit::<S>(asked.what, (asked.command)()).await;
            self.replicas[replica].set_time(crate::player::NOW);
            done.map(drop)
        })
    }

    fn claim(&self, replica: usize, lease: Duration) -> LocalBoxFuture<'_, sqlx::Result<Vec<Claimed>>> {
        Box::pin(self.replicas[replica].claim(replica as i64 + 1, lease))
    }

    fn settle<'a>(
        &'a self,
        replica: usize,
        claimed: &'a Claimed,
        gives_up: bool,
        call: &'a NewAttempt,
        answer: usize,
    ) -> LocalBoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let command = (self.typed.answers)(call).into_iter().nth(answer);
            let (_, command) = command.expect("an answer of the model");
            self.replicas[replica].settle::<S>(claimed, gives_up, command).await
        })
    }

    fn compare<'a>(&'a self, model: &'a Shared) -> LocalBoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let commands: Vec<S::Command> =
                self.given.borrow().iter().filter_map(|given| self.command(given)).collect();
            let commands: Vec<&S::Command> = commands.iter().collect();
            if commands.is_empty() {
                return Ok(());
            }
            let model = model.typed::<S::Rows>().ok_or("rows of another service")?;
            let loaded = async {
                let mut db = self.pool.begin().await?;
                let loaded = self.typed.service.load(&mut db, &commands).await?;
                db.rollback().await?;
                Ok::<_, StoreError>(loaded)
            };
            let loaded = loaded.await.map_err(|why| format!("the rows of `{}` cannot be loaded: {why}", S::NAME))?;
            if (self.typed.alike)(model, &loaded) {
                return Ok(());
            }
            Err(format!("the rows of `{}` differ\n  model:    {model:?}\n  database: {loaded:?}", S::NAME))
        })
    }
}
