//! Rights on Kafka: a principal for each program, the relay's one for each database, and for each principal exactly what its
//! part of the choreography needs. The rights are generated from the services' tables; the broker denies everything else.
//!
//! | principal | rights |
//! |---|---|
//! | `User:<service>` | reads the topics that its table consumes, as its own group; writes their dead letters |
//! | `User:relay-<database>` | writes the topic of the service that owns the database |
//! | `User:client` | writes topics of requests |
//! | `User:operator` | reads every topic, sees the groups' positions, writes requests, events (repairs and replays) and the audit log's heads |
//! | `User:admin` | creates and configures the topics, and changes rights; reads and writes no record |

mod authority;
mod deviation;
mod listeners;
mod rights;
mod text;
mod topics;

use std::fmt;

use serde::Serialize;

pub use authority::{allows, covers};
pub use deviation::Deviation;
pub use listeners::{BrokerSettings, open_doors, unseen};
pub use rights::{ADMIN, CLIENT, OPERATOR, Rights};

/// Name of the only resource of the kind [`Kind::Cluster`].
pub const CLUSTER: &str = "kafka-cluster";
/// Any host, and as the name of a resource any resource.
pub const ANY: &str = "*";
/// Everybody, authenticated or not.
pub const EVERYBODY: &str = "User:*";

/// Defines an enum with Kafka's names and protocol codes of its variants.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($variant,)* }

        impl $name {
            /// Its code in Kafka's protocol.
            pub fn code(self) -> i8 {
                match self { $($name::$variant => $code,)* }
            }

            /// The variant of this code; None for one that is newer than this program.
            pub fn of_code(code: i8) -> Option<Self> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }

            /// Its name for Kafka's own tools.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

coded!(
    /// Kind of a resource.
    Kind {
        Topic = 2, "topic";
        Group = 3, "group";
        Cluster = 4, "cluster";
        TransactionalId = 5, "transactional-id";
        DelegationToken = 6, "delegation-token";
        User = 7, "user-principal";
    }
);

coded!(
    /// Meaning of a resource's name.
    Pattern {
        Literal = 3, "literal";
        Prefixed = 4, "prefixed";
    }
);

coded!(
    /// Operation on a resource.
    Operation {
        All = 2, "All";
        Read = 3, "Read";
        Write = 4, "Write";
        Create = 5, "Create";
        Delete = 6, "Delete";
        Alter = 7, "Alter";
        Describe = 8, "Describe";
        ClusterAction = 9, "ClusterAction";
        DescribeConfigs = 10, "DescribeConfigs";
        AlterConfigs = 11, "AlterConfigs";
        IdempotentWrite = 12, "IdempotentWrite";
        CreateTokens = 13, "CreateTokens";
        DescribeTokens = 14, "DescribeTokens";
        TwoPhaseCommit = 15, "TwoPhaseCommit";
    }
);

coded!(
    /// Effect of a rule.
    Permission {
        Deny = 2, "deny";
        Allow = 3, "allow";
    }
);

/// One rule of the broker (an ACL binding).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Acl {
    /// `User:` and the principal's name.
    pub principal: String,
    pub kind: Kind,
    pub name: String,
    pub pattern: Pattern,
    pub operation: Operation,
    pub permission: Permission,
    pub host: String,
}

impl Acl {
    /// The rule that allows a principal an operation on one resource, from any host.
    pub fn allow(principal: &str, operation: Operation, kind: Kind, name: &str) -> Self {
        Acl {
            principal: principal.to_owned(),
            kind,
            name: name.to_owned(),
            pattern: Pattern::Literal,
            operation,
            permission: Permission::Allow,
            host: ANY.to_owned(),
        }
    }
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Acl { principal, kind, name, operation, permission, .. } = self;
        write!(f, "{permission} {principal} {operation} on the {kind} ")?;
        match self.pattern {
            Pattern::Literal => f.write_str(name)?,
            Pattern::Prefixed => write!(f, "{name}…")?,
        }
        if self.host == ANY { Ok(()) } else { write!(f, " from {}", self.host) }
    }
}

/// The principal of this name.
pub fn principal(name: &str) -> String {
    format!("User:{name}")
}

#[cfg(test)]
mod tests;
