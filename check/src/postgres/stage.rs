//! Both worlds side by side: a state of the model, and the databases that should be in it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use anyhow::Context;
use saga::{
    NewAttempt, SagaId,
    parked::desk::{self, Signature, Wish},
    record::Record,
    testing::Claimed,
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Real, real::Given};
use crate::{
    Check,
    bus::{Fault, Step, What},
    laws,
    universe::{Call, Effect, Input, Outcome, Universe},
    world::World,
};

/// Lease of a claim that nobody competes for.
const LONG: Duration = Duration::from_secs(3600);

/// Both worlds.
pub(super) struct Stage<'a> {
    pub(super) universe: Universe<'a>,
    pub(super) world: World,
    pub(super) reals: Vec<Box<dyn Real>>,
    /// Each service's events about each saga as published, in order: what Kafka has.
    pub(super) published: HashMap<(usize, SagaId), Vec<Record>>,
    /// Last row of each outbox that was read.
    pub(super) read: Vec<i64>,
    /// What each service has said since, as the model has it: by saga, in order.
    pub(super) expected: Vec<BTreeMap<SagaId, Vec<(&'static str, serde_json::Value)>>>,
    /// All calls that each service has asked for, as the model has them.
    pub(super) calls: Vec<HashSet<u32>>,
    pub(super) claimed: HashMap<(usize, String), Claimed>,
    /// Number of requests sent: each has an offset of its own.
    requests: i64,
    /// The first law that the model has broken.
    pub(super) broken: Option<Fault>,
}

impl<'a> Stage<'a> {
    /// Both worlds at the beginning: `databases` have the first rows.
    pub(super) fn new(check: &'a Check, databases: &BTreeMap<&str, PgPool>) -> anyhow::Result<Self> {
        let mut universe = Universe::new(check).map_err(anyhow::Error::msg)?;
        let world = check.first_world(&mut universe);
        let on = |player: &std::rc::Rc<dyn crate::player::Player>| {
            let database = databases.get(player.name());
            let database = database.with_context(|| format!("no database for `{}` was given", player.name()))?;
            Ok(player.clone().on(database.clone()))
        };
        let reals = check.players.iter().map(on).collect::<anyhow::Result<Vec<_>>>()?;
        let services = reals.len();
        Ok(Stage {
            universe,
            world,
            reals,
            published: HashMap::new(),
            read: vec![0; services],
            expected: vec![BTreeMap::new(); services],
            calls: vec![HashSet::new(); services],
            claimed: HashMap::new(),
            requests: 0,
            broken: None,
        })
    }

    /// Takes a step in the model alone, and notes what has to follow from it in the databases. Returns the decision, if any.
    pub(super) fn take(&mut self, step: Step) -> Option<Outcome> {
        let rows = self.world.rows(step.service);
        let outcome = self.input(step).map(|input| {
            self.reals[step.service].note(given(&self.universe, input));
            self.universe.outcome(step.service, rows, input)
        });
        match self.universe.take(&self.world, step) {
            Ok(after) => {
                self.world = after;
                let is_at_rest = self.universe.is_at_rest(&self.world);
                let broken = || laws::broken(&self.universe, &self.world, is_at_rest, &mut Vec::new());
                self.broken = self.broken.take().or_else(broken);
            }
            Err(fault) => {
                self.broken.get_or_insert(fault);
                // The database knows no law: it has the rows of what was decided.
                if let Some(Ok(effect)) = outcome.as_deref() {
                    self.world.set_rows(step.service, effect.rows);
                }
            }
        }
        if let Some(Ok(effect)) = outcome.as_deref() {
            self.expect(step.service, effect);
        }
        outcome
    }

    /// What a step would have a service decide upon.
    fn input(&self, step: Step) -> Option<Input> {
        let saga = self.universe.between_of(&self.world, step.saga);
        self.universe.brought(&saga, step.service, step.what).ok().flatten().map(|brought| brought.input)
    }

    fn expect(&mut self, service: usize, effect: &Effect) {
        for said in &effect.says {
            let event = self.universe.event(*said);
            let data = serde_json::from_str(&event.data).unwrap_or_default();
            self.expected[service].entry(event.saga).or_default().push((event.event_type, data));
        }
        self.calls[service].extend(&effect.asks);
    }

    /// The record that a step brings, if it brings one.
    pub(super) fn record(&mut self, step: Step) -> anyhow::Result<Option<Record>> {
        let Step { saga: number, service, what } = step;
        let saga = self.universe.between_of(&self.world, number);
        let (publisher, place) = match what {
            What::Request(request) => {
                let asked = &self.universe.check.requests[request];
                self.requests += 1;
                let (topic, value) = (asked.topic.to_owned(), Some(asked.data.clone().into_bytes()));
                return Ok(Some(Record { topic, offset: self.requests, timestamp_ms: 1, value, ..Record::default() }));
            }
            What::Event { publisher } | What::Park { publisher } => {
                let (place, _) = saga.next(&self.universe, service, publisher).context("nothing is left to read")?;
                (publisher, place)
            }
            What::Again { publisher, place } => (publisher, place),
            What::Retry | What::Occasion(_) | What::Answer { .. } => return Ok(None),
        };
        let id = self.universe.saga_id(number);
        let published = self.published.get(&(publisher, id)).and_then(|events| events.get(place));
        Ok(Some(published.cloned().context("the database has not said what the model has")?))
    }

    /// Takes a step in the databases alone, except one of several records: see [`record`](Self::record).
    /// Returns the record that it brought, if any.
    pub(super) async fn act(&mut self, replica: usize, step: Step) -> anyhow::Result<Option<Record>> {
        let Step { saga: number, service, what } = step;
        match what {
            What::Request(_) | What::Event { .. } | What::Again { .. } => {
                let record = self.record(step)?.context("a record")?;
                self.reals[service].process(replica, std::slice::from_ref(&record)).await;
                return Ok(Some(record));
            }
            What::Park { .. } => {
                let record = self.record(step)?.context("a record")?;
                self.reals[service].park(&record).await;
                return Ok(Some(record));
            }
            What::Retry => self.retry(service, self.universe.saga_id(number)).await?,
            What::Occasion(occasion) => {
                let (_, at) = self.universe.check.players[service].occasion(occasion);
                // An impossible decision is the model's to report.
                let _impossible = self.reals[service].ask(replica, occasion, at).await;
            }
            What::Answer { call, answer } => {
                let Call { attempt, .. } = self.universe.calls.get(call).clone();
                let claimed = self.claim(service, replica, &attempt).await?;
                self.reals[service].settle(replica, &claimed, false, &attempt, answer).await?;
            }
        }
        Ok(None)
    }

    /// The claim of a call: an earlier one, or a new one.
    pub(super) async fn claim(&mut self, service: usize, replica: usize, call: &NewAttempt) -> anyhow::Result<Claimed> {
        for claimed in self.reals[service].claim(replica, LONG).await? {
            self.claimed.insert((service, claimed.attempt.idempotency_key.clone()), claimed);
        }
        let claimed = self.claimed.get(&(service, call.idempotency_key()));
        claimed.cloned().with_context(|| format!("the call {} is not there to be claimed", call.idempotency_key()))
    }

    /// Days pass over a service: what is published, processed and ended is past its retention, and is gone.
    pub(super) async fn let_days_pass(&mut self, service: usize) -> anyhow::Result<()> {
        sqlx::raw_sql(
            "begin;
             update relay_cursor set last_seq = greatest(last_seq, (select coalesce(max(seq), 0) from outbox));
             delete from outbox;
             delete from inbox where event_id not in (select event_id from parked_events where status <> 'settled');
             delete from parked_events where status = 'settled';
             delete from attempts where status in ('done', 'resolved');
             commit",
        )
        .execute(self.reals[service].pool())
        .await?;
        let mut calls = std::mem::take(&mut self.calls[service]);
        calls.retain(|call| self.is_open(*call));
        self.calls[service] = calls;
        Ok(())
    }

    /// True if a call waits for its answer, as the model has it.
    pub(super) fn is_open(&self, call: u32) -> bool {
        let mut sagas = self.world.sagas().iter().map(|saga| self.universe.between.get(*saga));
        sagas.any(|saga| saga.calls.get(&call) == Some(&None))
    }

    /// The lease of a call's claim expires.
    pub(super) async fn expire(&mut self, service: usize, call: &NewAttempt) -> anyhow::Result<()> {
        let key = call.idempotency_key();
        sqlx::query(
            "update attempts set next_at = now() - interval '1 s' where idempotency_key = $1 and status = 'open'",
        )
        .bind(&key)
        .execute(self.reals[service].pool())
        .await?;
        self.claimed.remove(&(service, key));
        Ok(())
    }

    /// Has the first parked event of a saga retried.
    async fn retry(&mut self, service: usize, saga: SagaId) -> anyhow::Result<()> {
        let real = &self.reals[service];
        let parked = desk::list(real.pool()).await?;
        let parked = parked.iter().find(|work| work.saga_id == saga.0 && work.status == "parked");
        if let Some(parked) = parked {
            desk::act(real.pool(), parked.id, Wish::Retry, Signature { by: "the schedule", note: "retried" }).await?;
        }
        real.retry_parked().await?;
        Ok(())
    }

    /// Sagas of which a service has an event aside, and their number.
    pub(super) async fn aside(&self, service: usize) -> sqlx::Result<BTreeMap<SagaId, usize>> {
        let rows: Vec<(Uuid, i64)> =
            sqlx::query_as("select order_id, count(*) from parked_events where status <> 'settled' group by order_id")
                .fetch_all(self.reals[service].pool())
                .await?;
        Ok(rows.into_iter().map(|(saga, count)| (SagaId(saga), usize::try_from(count).unwrap_or(0))).collect())
    }
}

fn given(universe: &Universe<'_>, input: Input) -> Given {
    match input {
        Input::Request(request) => {
            let asked = &universe.check.requests[request];
            Given::Message { event_type: asked.event_type, topic: asked.topic, data: asked.data.clone() }
        }
        Input::Event(event) => {
            let event = universe.event(event);
            let topic = universe.check.players[event.publisher].topic();
            Given::Message { event_type: event.event_type, topic, data: event.data.clone() }
        }
        Input::Occasion(occasion) => Given::Occasion(occasion),
        Input::Answer { call, answer } => Given::Answer { call: universe.calls.get(call).attempt.clone(), answer },
    }
}
