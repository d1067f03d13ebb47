//! A proxy between each program and each server, so that a test can break any of these connections.

use saga::outbox::kafka::Cluster;
use std::collections::BTreeMap;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use super::{Database, Environment, Manifest, broker::Broker, kafka::Listener, ports, programs::Program, proxy::Proxy};

/// The proxies of all programs. If there are none, programs talk to the servers directly.
#[derive(Debug, Default)]
pub struct Network {
    databases: BTreeMap<(Program, Database), Proxy>,
    kafka: BTreeMap<Program, Line>,
}

/// A program's proxy to Kafka, and the broker's own port behind it.
#[derive(Debug)]
struct Line {
    proxy: Proxy,
    behind: u16,
}

impl Network {
    /// Starts the proxies to Kafka before Kafka itself, which has to advertise the proxies' addresses to its clients.
    pub(super) async fn open(broker: Broker, manifest: &Manifest) -> anyhow::Result<Self> {
        let mut network = Network::default();
        // The embedded broker advertises a single address, its own.
        if broker == Broker::Kafka {
            for program in manifest.programs().filter(|program| program.speaks_kafka()) {
                let behind = ports::free()?;
                network.kafka.insert(program, Line { proxy: Proxy::start(behind).await?, behind });
            }
        }
        Ok(network)
    }

    /// Additional listeners that the broker needs.
    pub(super) fn listeners(&self) -> Vec<Listener> {
        self.kafka.values().map(|line| Listener { port: line.behind, advertised: line.proxy.port() }).collect()
    }

    /// Starts the proxies to the databases.
    pub(super) async fn reach_databases(&mut self, environment: &Environment) -> anyhow::Result<()> {
        for program in environment.manifest.programs() {
            for database in environment.manifest.databases_of(program) {
                let url: PgConnectOptions = environment.database(database)?.expose_secret().parse()?;
                self.databases.insert((program, database), Proxy::start(url.get_port()).await?);
            }
        }
        Ok(())
    }

    /// The environment as the program sees it, with the addresses of its own proxies.
    pub(super) fn seen_by(&self, program: Program, environment: &Environment) -> anyhow::Result<Environment> {
        let mut seen = environment.clone();
        if let Some(line) = self.kafka.get(&program) {
            seen.brokers = Cluster::at(&format!("127.0.0.1:{}", line.proxy.port()), &environment.transport)
                .prefixed(environment.brokers.prefix().clone());
        }
        for ((_, database), proxy) in self.databases.iter().filter(|((whose, _), _)| *whose == program) {
            seen.databases.insert(*database, through(environment.database(*database)?, proxy.port())?);
        }
        Ok(seen)
    }

    /// The program's proxies to its databases: one, or all of them for the relay.
    pub fn databases_of(&self, program: Program) -> impl Iterator<Item = &Proxy> {
        self.databases.iter().filter(move |((whose, _), _)| *whose == program).map(|(_, proxy)| proxy)
    }

    /// The program's proxy to Kafka, if there is one.
    pub fn kafka_of(&self, program: Program) -> Option<&Proxy> {
        self.kafka.get(&program).map(|line| &line.proxy)
    }
}

/// The same URL with another port on this machine.
fn through(url: &SecretString, port: u16) -> anyhow::Result<SecretString> {
    let (front, back) = url.expose_secret().rsplit_once('@').context("a database's URL names a role")?;
    let (_, name) = back.split_once('/').context("a database's URL names a database")?;
    Ok(format!("{front}@127.0.0.1:{port}/{name}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_another_port_and_the_same_role_and_database() {
        let url = "postgres://orders:secret@127.0.0.1:5432/orders".into();
        let seen = through(&url, 17_000).unwrap();
        assert_eq!(seen.expose_secret(), "postgres://orders:secret@127.0.0.1:17000/orders");
        let verified = "postgres://orders@127.0.0.1:5432/orders?sslmode=verify-full&a=/b".into();
        let seen = through(&verified, 17_000).unwrap();
        assert_eq!(seen.expose_secret(), "postgres://orders@127.0.0.1:17000/orders?sslmode=verify-full&a=/b");
    }

    #[tokio::test]
    async fn each_program_sees_its_own_lines_and_no_others() {
        let variables =
            Database::OF_THE_SHOP.map(|database| (database.variable(), format!("postgres://r:p@h:5432/{database}")));
        let known = |name: &str| match name {
            "KAFKA_BROKERS" => Some("h:9092".to_owned()),
            name => variables.iter().find(|(variable, _)| variable == name).map(|(_, url)| url.clone()),
        };
        let environment = Environment::from_variables(known).unwrap().unwrap();
        let mut network = Network::open(Broker::Kafka, &environment.manifest).await.unwrap();
        network.reach_databases(&environment).await.unwrap();
        let changed = |program| {
            let seen = network.seen_by(program, &environment).unwrap();
            let own = |database: &Database| {
                seen.database(*database).unwrap().expose_secret()
                    != environment.database(*database).unwrap().expose_secret()
            };
            (
                seen.brokers.brokers() != environment.brokers.brokers(),
                Database::OF_THE_SHOP.into_iter().filter(own).collect::<Vec<_>>(),
            )
        };
        assert_eq!(changed(Program::ORDER), (true, vec![Database::ORDERS]));
        assert_eq!(changed(Program::OUTBOX_RELAY), (true, Database::OF_THE_SHOP.to_vec()));
        assert_eq!(changed(Program::PAYMENT_GATEWAY), (false, vec![]));
        assert_eq!(network.listeners().len(), 8);
    }
}
