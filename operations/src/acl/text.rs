//! The rights as text: for people, for documents, and as commands for Kafka's own tool.

use std::{collections::BTreeSet, fmt::Write};

use super::{ANY, Acl, Kind, Operation, Pattern, Permission, Rights};

/// Operations on one resource, by kind and name.
type Granted<'a> = (Kind, &'a str, Vec<&'static str>);

impl Rights {
    /// One line for each principal and resource.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (principal, what) in &self.principals {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{principal}: {what}");
            for (kind, name, operations) in self.granted(principal) {
                let _ = writeln!(text, "  {:<20} {kind} {name}", operations.join(", "));
            }
        }
        text
    }

    /// A table in Markdown: a row for each principal, a column for each right.
    pub fn markdown(&self) -> String {
        let mut text =
            String::from("| principal | stands for | reads | writes | other rights |\n|---|---|---|---|---|\n");
        for (principal, what) in &self.principals {
            let topics = |operation| self.topics_with(principal, operation).join(", ");
            let _ = writeln!(
                text,
                "| `{principal}` | {what} | {} | {} | {} |",
                topics(Operation::Read),
                topics(Operation::Write),
                self.others(principal).join("; ")
            );
        }
        text
    }

    /// The topics that a principal may read or write, each in backticks.
    fn topics_with(&self, principal: &str, operation: Operation) -> Vec<String> {
        let with = |acl: &&Acl| acl.principal == principal && acl.operation == operation && acl.kind == Kind::Topic;
        self.abridged(self.acls.iter().filter(with).map(|acl| acl.name.as_str()).collect())
    }

    /// Some topics, each in backticks; all of them in two words.
    fn abridged(&self, topics: BTreeSet<&str>) -> Vec<String> {
        match topics.len() == self.topics.len() {
            true => vec!["every topic".to_owned()],
            false => topics.into_iter().map(|topic| format!("`{topic}`")).collect(),
        }
    }

    /// The other rights of a principal: for each operation and kind, the resources.
    fn others(&self, principal: &str) -> Vec<String> {
        let own = |acl: &&Acl| acl.principal == principal;
        let is_other =
            |acl: &&Acl| acl.kind != Kind::Topic || !matches!(acl.operation, Operation::Read | Operation::Write);
        let others = || self.acls.iter().filter(own).filter(is_other);
        let classes: BTreeSet<(Kind, Operation)> = others().map(|acl| (acl.kind, acl.operation)).collect();
        let line = |(kind, operation): (Kind, Operation)| {
            let of_class = |acl: &&Acl| acl.kind == kind && acl.operation == operation;
            let names: BTreeSet<&str> = others().filter(of_class).map(|acl| acl.name.as_str()).collect();
            match kind {
                Kind::Topic if self.reads_all(principal, &names) => format!("{operation} on what it reads"),
                Kind::Topic => format!("{operation} on {}", self.abridged(names).join(", ")),
                Kind::Cluster => format!("{operation} on the cluster"),
                _ if names.len() > 1 && self.groups.iter().all(|group| names.contains(group.as_str())) => {
                    let others = names.into_iter().filter(|name| !self.groups.contains(*name));
                    others.fold(format!("{operation} on every group"), |all, other| format!("{all} and on `{other}`"))
                }
                _ => format!("{operation} on the {kind} `{}`", names.into_iter().collect::<Vec<_>>().join("`, `")),
            }
        };
        classes.into_iter().map(line).collect()
    }

    fn reads_all(&self, principal: &str, names: &BTreeSet<&str>) -> bool {
        let reads =
            |acl: &&Acl| acl.principal == principal && acl.operation == Operation::Read && acl.kind == Kind::Topic;
        self.acls.iter().filter(reads).map(|acl| acl.name.as_str()).collect::<BTreeSet<_>>() == *names
    }

    /// A principal's rights, in order.
    fn granted(&self, principal: &str) -> Vec<Granted<'_>> {
        let mut granted: Vec<Granted<'_>> = Vec::new();
        for Acl { kind, name, operation, .. } in self.acls.iter().filter(|acl| acl.principal == principal) {
            match granted.last_mut() {
                Some((last, resource, operations)) if last == kind && resource == name => {
                    operations.push(operation.name())
                }
                _ => granted.push((*kind, name, vec![operation.name()])),
            }
        }
        granted
    }

    /// Commands for Kafka's own tool.
    pub fn commands(&self) -> String {
        let command = |acl: &Acl| {
            format!(
                "kafka-acls.sh --bootstrap-server \"$KAFKA_BROKERS\" --command-config admin.properties --add {}\n",
                arguments(acl)
            )
        };
        self.acls.iter().map(command).collect()
    }
}

fn arguments(acl: &Acl) -> String {
    let Acl { principal, operation, .. } = acl;
    let (who, from) = match acl.permission {
        Permission::Allow => ("--allow-principal", "--allow-host"),
        Permission::Deny => ("--deny-principal", "--deny-host"),
    };
    let resource = match acl.kind {
        Kind::Cluster => "--cluster".to_owned(),
        kind => format!("--{kind} {}", acl.name),
    };
    let pattern = if acl.pattern == Pattern::Prefixed { " --resource-pattern-type prefixed" } else { "" };
    let host = if acl.host == ANY { String::new() } else { format!(" {from} {}", acl.host) };
    format!("{who} {principal} --operation {operation} {resource}{pattern}{host}")
}
