//! A system on a guarded broker: an administrator makes its rules and topics before its programs start, each as a principal of
//! its own.

use anyhow::Context;
use operations::{
    Manifest, Role,
    acl::{ADMIN, OPERATOR, Rights},
    choreography::Choreography,
    cluster::Connection,
};
use saga::outbox::{
    Prefix,
    kafka::{Cluster, Kafka},
};
use transport::Transport;

use super::{
    Broker, Reporter, StateDir,
    certs::Certs,
    kafka::{BROKER, Guard},
    programs::Setting,
};

/// The rights of a system, and the users that have them.
#[derive(Debug)]
pub(super) struct Closed {
    guard: Guard,
    /// With certificates, nobody needs a password.
    certs: Option<Certs>,
    rights: Rights,
}

impl Closed {
    /// Invents the users' passwords.
    ///
    /// # Errors
    /// If the broker knows no users, or it is not known what a service reads.
    pub(super) fn new(
        broker: Broker,
        manifest: &Manifest,
        certs: Option<Certs>,
        prefix: &Prefix,
        state: &StateDir,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(broker == Broker::Kafka, "the embedded broker lets everybody in: use --broker kafka");
        let further: Vec<&str> = manifest.further_databases().map(|database| database.publisher().name()).collect();
        anyhow::ensure!(
            further.is_empty(),
            "what {} may read is known only once it runs: on a guarded broker, start the shop alone",
            further.join(" and ")
        );
        let rights = Rights::of(&Choreography::of_the_shop(), manifest, prefix)?;
        let users = rights.principals.keys().filter_map(|principal| principal.strip_prefix("User:"));
        let guard = Guard::new(&state.passwords(), users)?;
        Ok(Closed { guard, certs, rights })
    }

    pub(super) fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Makes the rules as the broker's super user, and the topics as the administrator.
    pub(super) async fn open_for_ours(
        &self,
        brokers: &str,
        partitions: i32,
        reporter: &Reporter,
    ) -> anyhow::Result<()> {
        let step = reporter.step("granting rights and creating topics");
        let rules: Vec<_> = self.rights.acls.iter().cloned().collect();
        Connection::open(&self.cluster(brokers, BROKER)?).await?.add_rules(&rules).await?;
        let mut cluster = self.cluster(brokers, ADMIN)?;
        cluster.kafka = Kafka { kafka_partitions: partitions, kafka_replication: None, ..cluster.kafka };
        self.rights.create_topics(&cluster, ADMIN).await.context("creating the topics as the administrator")?;
        step.done(format!("{} rights for {} principals", rules.len(), self.rights.principals.len()));
        Ok(())
    }

    /// The cluster, reached as this user.
    fn cluster(&self, brokers: &str, user: &str) -> anyhow::Result<Cluster> {
        match &self.certs {
            // The broker's own certificate has another name.
            Some(certs) if user == BROKER => Ok(Cluster::at(brokers, &certs.transport("kafka")?)),
            Some(certs) => Ok(Cluster::at(brokers, &certs.transport(user)?)),
            None if user == BROKER => Ok(Cluster::at(brokers, &Transport::plain()).with(self.guard.sasl(user)?)),
            None => {
                let user = self.rights.prefix.of(user);
                Ok(Cluster::at(brokers, &Transport::plain()).with(self.guard.sasl(user.real())?))
            }
        }
        .map(|cluster| cluster.prefixed(self.rights.prefix.clone()))
    }

    /// The cluster, reached as an operator.
    ///
    /// # Errors
    /// If his credentials cannot be used.
    pub(super) fn as_operator(&self, brokers: &str) -> anyhow::Result<Cluster> {
        self.cluster(brokers, OPERATOR)
    }

    /// What the programs are started with in addition: their credentials, and topics that they only expect.
    pub(super) fn settings(&self, manifest: &Manifest) -> Vec<Setting> {
        let of_program = |program: operations::Program| {
            let user = match program.role() {
                Role::Service(_) => program.name(),
                Role::Relay => "relay-@database",
                Role::Outside => return Vec::new(),
            };
            let setting = |(name, value): (&str, String)| Setting { program, name: name.to_owned(), value };
            [self.credentials(user), vec![("KAFKA_TOPICS", "expect".to_owned())]]
                .concat()
                .into_iter()
                .map(setting)
                .collect()
        };
        manifest.programs().flat_map(of_program).collect()
    }

    /// Variables with an operator's credentials.
    pub(super) fn operator(&self) -> Vec<(String, String)> {
        self.credentials(OPERATOR).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn credentials(&self, user: &str) -> Vec<(&'static str, String)> {
        if self.certs.is_some() {
            return Vec::new();
        }
        let user = self.rights.prefix.of(user);
        let file = self.guard.file(user.real()).display().to_string();
        vec![("KAFKA_SASL_USERNAME", user.to_string()), ("KAFKA_SASL_PASSWORD_FILE", file)]
    }
}
