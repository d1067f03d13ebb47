//! A whole system in one process for the audit: every service's real decisions, tables and outbox, topics in memory, the
//! gateway's real books, and mails in a directory.

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use transport::Transport;

use events::{
    EventId, OrderId,
    envelope::{self, Envelope},
    publisher::{self, source_of, topic_of_aggregate},
    request::ORDER_REQUESTED,
};
use notification::post::{Post, PostConfig};
use payment::{
    calls::{Call, Charge},
    reply::{Problem, Reply, meaning},
};
use payment_gateway::{
    books::{self, Books},
    fingerprint::Fingerprint,
    problem,
    request::{self, Command, Request},
    settings::Settings,
};
use reqwest::StatusCode;
use saga::{
    Service, Table,
    attempts::{Answer, Attempt, Outside},
    record::Record,
    testing::{TestDatabase, commit},
    unit_of_work::{Incoming, Origin, UnitOfWork},
};
use scenarios::{audit::Booking, stack::Database};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) const PARTITIONS: i32 = 6;

/// One service with its database.
pub(crate) struct Part<S: Service> {
    pub(crate) work: UnitOfWork<S>,
    table: Table<S::Command>,
    database: TestDatabase,
}

impl<S: Service> Part<S> {
    async fn new(service: S, migrations: &'static sqlx::migrate::Migrator) -> Self {
        let database = TestDatabase::create(migrations).await;
        Part { work: database.work(service), table: S::table(), database }
    }

    /// Processes a record as the consumer does.
    async fn hear(&self, record: &Record) {
        let incoming = record.with_raw(|raw| {
            let (envelope, data) = envelope::read(raw).ok()?;
            let command = self.table.read(&envelope, record, &data)?.ok()?;
            let id = envelope.id;
            let (origin, event_id) = (Origin::Event(id), Some(id));
            let (what, traceparent) = (envelope.event_type, envelope.traceparent);
            Some(Incoming { origin, event_id, what, traceparent, expects: None, command })
        });
        if let Some(incoming) = incoming {
            commit(&self.work, &[incoming]).await;
        }
    }
}

pub(crate) struct System {
    pub(crate) order: Part<order::Orders>,
    account: Part<account::Account>,
    payment: Part<payment::Payment>,
    inventory: Part<inventory::Inventory>,
    shipping: Part<shipping::Shipping>,
    entitlement: Part<entitlement::Entitlement>,
    notification: Part<notification::Notification>,
    /// Everything that was ever published, in topic order.
    pub(crate) log: Vec<Record>,
    ends: BTreeMap<(String, i32), i64>,
    heard: usize,
    gateway: Books,
    post: Arc<Post>,
    pub(crate) mails: tempfile::TempDir,
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    id: Uuid,
    aggregatetype: String,
    aggregateid: String,
    #[sqlx(rename = "type")]
    event_type: String,
    payload: String,
    causationid: Option<Uuid>,
    dataversion: i32,
    traceparent: Option<String>,
    created_at: chrono::DateTime<chrono::Utc>,
}

#[derive(sqlx::FromRow)]
struct Open {
    id: Uuid,
    kind: String,
    order_id: Uuid,
    idempotency_key: String,
    request: Value,
    gives_up: bool,
    causation_id: Option<Uuid>,
    traceparent: Option<String>,
}

impl System {
    pub(crate) async fn new() -> Self {
        let mails = tempfile::tempdir().unwrap();
        let config = PostConfig::into_files(mails.path().to_owned(), "example.test");
        // Deadlines pass at once, but only a test checks them.
        let orders = order::Orders { timeout: Duration::ZERO, ..order::Orders::default() };
        let (order, account, payment, inventory, shipping, entitlement, notification) = tokio::join!(
            Part::new(orders, &order::MIGRATIONS),
            Part::new(account::Account, &account::MIGRATIONS),
            Part::new(payment::Payment, &payment::MIGRATIONS),
            Part::new(inventory::Inventory, &inventory::MIGRATIONS),
            Part::new(shipping::Shipping::default(), &shipping::MIGRATIONS),
            Part::new(entitlement::Entitlement, &entitlement::MIGRATIONS),
            Part::new(notification::Notification::default(), &notification::MIGRATIONS),
        );
        System {
            order,
            account,
            payment,
            inventory,
            shipping,
            entitlement,
            notification,
            log: Vec::new(),
            ends: BTreeMap::new(),
            heard: 0,
            gateway: Books::in_memory(),
            post: Arc::new(Post::new(config, &Transport::plain()).unwrap()),
            mails,
        }
    }

    pub(crate) fn database(&self, database: Database) -> &PgPool {
        match database {
            Database::ORDERS => self.order.database.pool(),
            Database::ACCOUNTS => self.account.database.pool(),
            Database::PAYMENTS => self.payment.database.pool(),
            Database::INVENTORY => self.inventory.database.pool(),
            Database::SHIPPING => self.shipping.database.pool(),
            Database::ENTITLEMENTS => self.entitlement.database.pool(),
            _ => self.notification.database.pool(),
        }
    }

    pub(crate) async fn run(&self, database: Database, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.database(database)).await.unwrap();
    }

    /// Appends a record to its partition.
    pub(crate) fn publish(&mut self, mut record: Record) {
        let end = self.ends.entry((record.topic.clone(), record.partition)).or_insert(0);
        record.offset = *end;
        *end += 1;
        record.timestamp_ms = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
        self.log.push(record);
    }

    pub(crate) fn publish_request(&mut self, order: OrderId, request: &Value) {
        let envelope = Envelope {
            id: EventId::new(),
            event_type: ORDER_REQUESTED.to_owned(),
            version: 1,
            source: "/clients/test".to_owned(),
            subject: Some(order.to_string()),
            time: None,
            causation_id: None,
            traceparent: None,
        };
        self.publish(record(publisher::CLIENT.topic(), &order.to_string(), &envelope, &request.to_string()));
    }

    /// Processes everything that follows, until nothing more happens.
    pub(crate) async fn settle(&mut self) {
        loop {
            self.relay().await;
            let news: Vec<Record> = self.log[self.heard..].to_vec();
            self.heard = self.log.len();
            for record in &news {
                self.order.hear(record).await;
                self.account.hear(record).await;
                self.payment.hear(record).await;
                self.inventory.hear(record).await;
                self.shipping.hear(record).await;
                self.entitlement.hear(record).await;
                self.notification.hear(record).await;
            }
            if !self.call().await && news.is_empty() {
                return;
            }
        }
    }

    /// Publishes the outboxes, as the relay does.
    async fn relay(&mut self) {
        for database in Database::OF_THE_SHOP {
            let rows: Vec<Row> = sqlx::query_as(
                "select seq, id, aggregatetype, aggregateid, type, payload::text as payload, causationid, traceparent, created_at, dataversion
                 from outbox where seq > (select last_seq from relay_cursor) order by seq",
            )
            .fetch_all(self.database(database))
            .await
            .unwrap();
            let Some(last) = rows.last().map(|row| row.seq) else { continue };
            for row in rows {
                let envelope = Envelope {
                    id: EventId(row.id),
                    event_type: row.event_type,
                    version: row.dataversion.unsigned_abs(),
                    source: source_of(&row.aggregatetype),
                    subject: Some(row.aggregateid.clone()),
                    time: Some(row.created_at),
                    causation_id: row.causationid.map(EventId),
                    traceparent: row.traceparent,
                };
                let topic = topic_of_aggregate(&row.aggregatetype);
                self.publish(record(&topic, &row.aggregateid, &envelope, &row.payload));
            }
            let moved = sqlx::query("update relay_cursor set last_seq = $1").bind(last);
            moved.execute(self.database(database)).await.unwrap();
        }
    }

    /// Makes the calls that are due; returns false if there were none.
    async fn call(&self) -> bool {
        let (charges, mails) = (self.open(Database::PAYMENTS).await, self.open(Database::NOTIFICATIONS).await);
        for open in &charges {
            let Answer::Done(step) = self.charge(open) else { panic!("{} is not answered", open.kind) };
            let command = payment::Command::answered(OrderId(open.order_id), step);
            commit(&self.payment.work, &[answer(open, command)]).await;
        }
        for open in &mails {
            let attempt = Attempt {
                id: open.id,
                kind: open.kind.clone(),
                saga_id: OrderId(open.order_id),
                idempotency_key: open.idempotency_key.clone(),
                request: open.request.clone(),
                gives_up: open.gives_up,
                tries: 1,
                causation_id: open.causation_id.map(EventId),
                traceparent: open.traceparent.clone(),
                settled_as: None,
            };
            let Answer::Done(command) = self.post.call(&attempt).await else { panic!("the mail is not taken") };
            commit(&self.notification.work, &[answer(open, command)]).await;
        }
        !charges.is_empty() || !mails.is_empty()
    }

    async fn open(&self, database: Database) -> Vec<Open> {
        let open = sqlx::query_as(
            "select id, kind, order_id, idempotency_key, request, gives_up, causation_id, traceparent
             from attempts where status = 'open' order by created_at",
        );
        open.fetch_all(self.database(database)).await.unwrap()
    }

    /// The payment service's interpretation of the gateway's answer. Details are not encrypted here: they are the card's token.
    fn charge(&self, open: &Open) -> Answer<payment::lifecycle::Step> {
        let call: Call = open.kind.parse().unwrap();
        let command = match call {
            Call::Authorize => {
                let charge = Charge::read(&open.request).unwrap();
                let currency = charge.currency.to_string();
                let card = Fingerprint::of(&charge.sealed_details.unwrap_or_default());
                Command::Authorize(request::Charge { amount: charge.amount, currency, card })
            }
            Call::Capture => Command::Capture,
            Call::Void | Call::VoidInstead => Command::Void,
            Call::Refund | Call::RefundInstead => Command::Refund,
        };
        let request = Request { idempotency_key: open.idempotency_key.clone(), payment_id: open.order_id, command };
        let reply = match self.gateway.execute(request, &Settings::default()).unwrap() {
            books::Answer::Done(_) => Reply { status: StatusCode::OK, problem: Problem::default() },
            books::Answer::Refused(refusal) => {
                let body = serde_json::to_value(problem::Problem::from(refusal)).unwrap();
                let status = u16::try_from(body["status"].as_u64().unwrap()).unwrap();
                Reply { status: StatusCode::from_u16(status).unwrap(), problem: serde_json::from_value(body).unwrap() }
            }
            other => panic!("{other:?}"),
        };
        meaning(call, &reply)
    }

    /// The gateway's ledger, as its API returns it.
    pub(crate) fn ledger(&self) -> Vec<Value> {
        let statement = serde_json::to_value(self.gateway.statement(None)).unwrap();
        statement["entries"].as_array().unwrap().clone()
    }

    pub(crate) fn bookings(&self) -> Vec<Booking> {
        self.ledger().into_iter().map(|entry| serde_json::from_value(entry).unwrap()).collect()
    }
}

fn answer<C>(open: &Open, command: C) -> Incoming<C> {
    let origin = Origin::Attempt { id: open.id, cause: open.causation_id.map(EventId), given_up: None };
    let (what, traceparent) = (open.kind.clone(), open.traceparent.clone());
    Incoming { origin, event_id: None, what, traceparent, expects: None, command }
}

/// A record as the relay and clients publish it.
pub(crate) fn record(topic: &str, key: &str, envelope: &Envelope, data: &str) -> Record {
    let partitions = usize::try_from(PARTITIONS).unwrap();
    let partition = i32::try_from(outbox_relay::partition_of(key.as_bytes(), partitions)).unwrap();
    let headers = envelope.to_headers().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes()));
    Record {
        topic: topic.to_owned(),
        partition,
        key: Some(key.as_bytes().to_vec()),
        value: Some(data.as_bytes().to_vec()),
        headers: headers.collect(),
        ..Record::default()
    }
}
