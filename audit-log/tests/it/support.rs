//! A log of its own for each test: a database with a writer and a reader, a key, and a topic of heads.

use std::time::Duration;

use audit_log::{
    Act, Actor, AuditLog, Ended, Known, Reader, Recorder, Roles, SigningKey, Topic,
    verify::{Finding, Trusted, Verdict},
};
use outbox::kafka::Cluster;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, Producer},
};
use secrecy::SecretString;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use transport::Transport;
use uuid::Uuid;

pub(crate) struct Log {
    name: String,
    /// The database's superuser.
    pub(crate) superuser: PgPool,
    pub(crate) key: SigningKey,
    pub(crate) topic: Topic,
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the test with `scenarios exec`"))
}

fn server() -> PgConnectOptions {
    required("TEST_DATABASE_URL").parse().unwrap()
}

pub(crate) fn client() -> ClientConfig {
    Transport::plain().kafka(&required("TEST_KAFKA_BROKERS"))
}

/// Lets the embedded broker create the topic by itself: it takes no request to. On Kafka the library creates it.
async fn offer(topic: String) {
    let asked = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = client().set("allow.auto.create.topics", "true").create().unwrap();
        producer.client().fetch_metadata(Some(&topic), Duration::from_secs(10)).map(drop)
    });
    asked.await.unwrap().unwrap();
}

async fn on_server(statements: &[String]) {
    let mut session: PgConnection = server().connect().await.unwrap();
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut session).await.unwrap();
    }
    session.close().await.unwrap();
}

impl Log {
    pub(crate) async fn create() -> Log {
        let name = format!("audit_{}", Uuid::new_v4().simple());
        on_server(&[
            format!("create role {name}_w login password 'w'"),
            format!("create role {name}_r login password 'r'"),
            format!("create database {name}"),
        ])
        .await;
        let superuser = PgPoolOptions::new().max_connections(4).connect_lazy_with(server().database(&name));
        let (writer, reader) = (format!("{name}_w"), format!("{name}_r"));
        audit_log::prepare(&superuser, Roles { writer: &writer, reader: &reader }).await.unwrap();
        let topic = Self::topic(&format!("{name}.heads")).await;
        Log { name, superuser, key: SigningKey::generate(), topic }
    }

    /// Prepares the log again, as an owner whose name is `audit`, like the schema's.
    pub(crate) async fn prepare_as_audit(&self) -> anyhow::Result<()> {
        let owner = server().database(&self.name).options([("search_path", "audit,public")]);
        let owner = PgPoolOptions::new().max_connections(1).connect_with(owner).await?;
        let (writer, reader) = (format!("{}_w", self.name), format!("{}_r", self.name));
        audit_log::prepare(&owner, Roles { writer: &writer, reader: &reader }).await
    }

    /// A topic of heads, which is empty.
    pub(crate) async fn topic(name: &str) -> Topic {
        offer(name.to_owned()).await;
        Topic::named(name, &Cluster::at(&required("TEST_KAFKA_BROKERS"), &Transport::plain()))
    }

    /// The keys of the records on the topic of heads.
    pub(crate) async fn keys_of_heads(&self) -> Vec<Option<Vec<u8>>> {
        let (name, heads) = (format!("{}.heads", self.name), self.topic.read().await.unwrap().heads.len());
        let read = move || {
            let consumer: BaseConsumer = client().set("group.id", "keys-of-heads").create().unwrap();
            let mut all = TopicPartitionList::new();
            let metadata = consumer.fetch_metadata(Some(&name), Duration::from_secs(10)).unwrap();
            for partition in metadata.topics()[0].partitions() {
                all.add_partition_offset(&name, partition.id(), Offset::Beginning).unwrap();
            }
            consumer.assign(&all).unwrap();
            let next = |_| consumer.poll(Duration::from_secs(20)).unwrap().unwrap().key().map(<[u8]>::to_vec);
            (0..heads).map(next).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    fn url(&self, role: &str) -> SecretString {
        let options = server().database(&self.name).username(&format!("{}_{role}", self.name)).password(role);
        options.to_url_lossy().to_string().into()
    }

    /// A session of the role that writes.
    pub(crate) async fn writer(&self) -> PgConnection {
        use secrecy::ExposeSecret;
        PgConnection::connect(self.url("w").expose_secret()).await.unwrap()
    }

    /// The log for a writer that signs and announces.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder::To(self.silent().announcing(self.key.clone(), self.topic.clone()))
    }

    /// The log for a writer without a key.
    pub(crate) fn silent(&self) -> AuditLog {
        AuditLog::new(&Transport::plain(), &self.url("w")).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(&Transport::plain(), &self.url("r")).unwrap()
    }

    pub(crate) fn trusted(&self) -> Trusted {
        Trusted { keys: vec![self.key.public()], ..Trusted::default() }
    }

    pub(crate) async fn verify(&self) -> Verdict {
        self.verify_trusting(&self.trusted()).await
    }

    pub(crate) async fn verify_trusting(&self, trusted: &Trusted) -> Verdict {
        let announced = self.topic.read().await.unwrap();
        self.reader().verify(Some(&announced), trusted).await.unwrap()
    }

    /// The verdict of the rows alone.
    pub(crate) async fn verify_without_heads(&self) -> Verdict {
        self.reader().verify(None, &Trusted::default()).await.unwrap()
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        self.verify().await.findings
    }

    /// Runs SQL as the superuser.
    pub(crate) async fn tamper(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.superuser).await.unwrap();
    }

    /// Records this many acts, each with its beginning and its end.
    pub(crate) async fn acts(&self, count: usize) {
        let recorder = self.recorder();
        for number in 1..=count {
            let act = act(number);
            recorder.audited(&act, async { Ok(()) }, |()| Ended::done("settled")).await.unwrap();
        }
    }

    pub(crate) async fn drop(self) {
        self.superuser.close().await;
        let name = &self.name;
        on_server(&[
            format!("drop database {name} with (force)"),
            format!("drop role {name}_w"),
            format!("drop role {name}_r"),
        ])
        .await;
    }
}

pub(crate) fn ophelia() -> Actor {
    Actor { name: "ophelia".to_owned(), known: Known::Certificate }
}

pub(crate) fn act(number: usize) -> Act {
    Act::new(ophelia(), "parked.retry", "event", number).because(format!("reason {number}"))
}
