//! The rights that a system's programs and people need, from its choreography and its manifest.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use events::publisher::{self, dead_letter_topic};
use saga::outbox::{Prefix, kafka::NO_GROUP};

use super::{Acl, CLUSTER, Kind, Operation, principal};
use crate::{Manifest, choreography::Choreography};

/// Name of the principal of those who make requests.
pub const CLIENT: &str = "client";
/// Name of the operators' principal.
pub const OPERATOR: &str = "operator";
/// Name of the principal that creates topics and changes rights.
pub const ADMIN: &str = "admin";
/// What precedes the name of a database in the name of its relay's principal.
const RELAY: &str = "relay-";

/// All rights of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// What precedes all names below: those of principals, topics and groups.
    pub prefix: Prefix,
    /// `User:` and a name, each with what it stands for.
    pub principals: BTreeMap<String, String>,
    /// All topics, dead letters and the audit log's heads included.
    pub topics: BTreeSet<String>,
    /// The services' consumer groups.
    pub groups: BTreeSet<String>,
    pub acls: BTreeSet<Acl>,
}

impl Rights {
    /// The rights that this system needs.
    ///
    /// # Errors
    /// If two programs would be the same principal.
    pub fn of(choreography: &Choreography, manifest: &Manifest, prefix: &Prefix) -> anyhow::Result<Self> {
        let mut rights = Rights {
            prefix: prefix.clone(),
            principals: BTreeMap::new(),
            topics: BTreeSet::new(),
            groups: BTreeSet::new(),
            acls: BTreeSet::new(),
        };
        let carried: BTreeSet<String> = manifest.topics().into_iter().map(str::to_owned).collect();
        carried.iter().for_each(|topic| rights.add_topic(topic));
        for table in choreography.tables() {
            rights.add_service(&table.service, &choreography.topics_of(&table.service))?;
        }
        for database in manifest.databases() {
            let name = format!("{RELAY}{database}");
            let relay = rights.add(&name, &format!("the relay, for the database {database}"))?;
            rights.allow(&relay, Operation::Write, Kind::Topic, database.publisher().topic());
        }
        rights.add_topic(audit_log::TOPIC);
        rights.add_client(manifest)?;
        rights.add_operator(&carried)?;
        rights.add_admin()?;
        Ok(rights)
    }

    fn add(&mut self, name: &str, what: &str) -> anyhow::Result<String> {
        let principal = principal(self.prefix.of(name).real());
        let former = self.principals.insert(principal.clone(), what.to_owned());
        ensure!(former.is_none(), "two are called {principal}: rename the service `{name}`");
        Ok(principal)
    }

    /// Every name gets its prefix here, and in [`add_topic`](Self::add_topic) and [`add`](Self::add).
    fn allow(&mut self, principal: &str, operation: Operation, kind: Kind, name: &str) {
        let name = match kind {
            Kind::Cluster => name.to_owned(),
            _ => self.prefix.of(name).to_string(),
        };
        self.acls.insert(Acl::allow(principal, operation, kind, &name));
    }

    fn add_topic(&mut self, name: &str) {
        self.topics.insert(self.prefix.of(name).to_string());
    }

    /// The names of all topics in the system's own tables.
    pub(super) fn names(&self) -> Vec<String> {
        self.topics.iter().filter_map(|real| self.prefix.name_of(real)).map(str::to_owned).collect()
    }

    fn add_service(&mut self, service: &str, reads: &[String]) -> anyhow::Result<()> {
        let principal = self.add(service, &format!("the service {service}"))?;
        for topic in reads {
            let dead_letters = dead_letter_topic(topic);
            self.allow(&principal, Operation::Read, Kind::Topic, topic);
            // It compares the topic's retention with its inbox's.
            self.allow(&principal, Operation::DescribeConfigs, Kind::Topic, topic);
            self.allow(&principal, Operation::Write, Kind::Topic, &dead_letters);
            self.add_topic(topic);
            self.add_topic(&dead_letters);
        }
        self.allow(&principal, Operation::Read, Kind::Group, service);
        self.groups.insert(self.prefix.of(service).to_string());
        Ok(())
    }

    fn add_client(&mut self, manifest: &Manifest) -> anyhow::Result<()> {
        let client = self.add(CLIENT, "a client that makes requests")?;
        for topic in manifest.entries().iter().flat_map(|entry| &entry.requests) {
            self.allow(&client, Operation::Write, Kind::Topic, topic);
        }
        Ok(())
    }

    fn add_operator(&mut self, carried: &BTreeSet<String>) -> anyhow::Result<()> {
        let operator = self.add(OPERATOR, "an operator")?;
        for topic in self.names() {
            self.allow(&operator, Operation::Read, Kind::Topic, &topic);
            self.allow(&operator, Operation::DescribeConfigs, Kind::Topic, &topic);
        }
        // A client that reads without a group looks for the coordinator of this name all the same.
        self.allow(&operator, Operation::Describe, Kind::Group, NO_GROUP);
        // Whoever acts announces the audit log's head.
        self.allow(&operator, Operation::Write, Kind::Topic, audit_log::TOPIC);
        // Repairs and replays of dead letters.
        carried.iter().for_each(|topic| self.allow(&operator, Operation::Write, Kind::Topic, topic));
        // An erasure removes handled requests, which have addresses in plain text. Kafka knows no lesser right for that.
        self.allow(&operator, Operation::Delete, Kind::Topic, publisher::CLIENT.topic());
        let groups: Vec<String> =
            self.groups.iter().filter_map(|real| self.prefix.name_of(real)).map(str::to_owned).collect();
        for group in groups {
            self.allow(&operator, Operation::Describe, Kind::Group, &group);
        }
        Ok(())
    }

    fn add_admin(&mut self) -> anyhow::Result<()> {
        let admin = self.add(ADMIN, "an administrator of the cluster")?;
        for topic in self.names() {
            for operation in [Operation::Create, Operation::Alter, Operation::DescribeConfigs, Operation::AlterConfigs]
            {
                self.allow(&admin, operation, Kind::Topic, &topic);
            }
        }
        for operation in [Operation::Alter, Operation::Describe, Operation::DescribeConfigs] {
            self.allow(&admin, operation, Kind::Cluster, CLUSTER);
        }
        Ok(())
    }
}
