//! What orders are judged by beside their own rows, and that nobody may take away: what people did, and the addresses that
//! buyers had.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Void;
use crate::stack::Database;

/// The rows of these tables, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evidence(BTreeMap<String, Count>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// Rows from before a transaction.
    old: i64,
    all: i64,
}

const ACTIONS: &str = "parked_actions";
const CONTACTS: &str = "contacts";
/// A trigger writes into it what is changed or deleted there.
const FORMER: &str = "former_contacts";

impl Evidence {
    /// `before`: the SQL expression that is true of old rows.
    pub(super) async fn read(db: &mut PgConnection, database: Database, before: &str) -> anyhow::Result<Self> {
        let tables = match database {
            Database::Notifications => &[ACTIONS, CONTACTS, FORMER][..],
            _ => &[ACTIONS],
        };
        let mut counts = BTreeMap::new();
        for table in tables {
            let select = format!("select count(*) filter (where {before}), count(*) from {table}");
            let counted = sqlx::query_as(AssertSqlSafe(select)).fetch_one(&mut *db).await;
            let (old, all) = counted.with_context(|| format!("counting {table} of {database}"))?;
            counts.insert((*table).to_owned(), Count { old, all });
        }
        Ok(Evidence(counts))
    }

    /// [`Void`] if something is gone; `now` with what is old by the same transaction.
    pub(super) fn is_all_there(&self, now: &Evidence, database: Database) -> Result<(), Void> {
        let none = Count { old: 0, all: 0 };
        let counts = |table: &str| (self.0.get(table).unwrap_or(&none), now.0.get(table).unwrap_or(&none));
        let gone = |table: &str| Err(Void(format!("rows of {table} in {database} were changed or taken away")));
        for table in [ACTIONS, FORMER] {
            let (before, now) = counts(table);
            if now.old != before.old || now.all < before.all {
                return gone(table);
            }
        }
        let ((before, now), (_, former)) = (counts(CONTACTS), counts(FORMER));
        if before.old - now.old > former.all - former.old {
            return gone(CONTACTS);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(actions: (i64, i64), contacts: (i64, i64), former: (i64, i64)) -> Evidence {
        let counts = [(ACTIONS, actions), (CONTACTS, contacts), (FORMER, former)];
        Evidence(counts.map(|(table, (old, all))| (table.to_owned(), Count { old, all })).into())
    }

    #[test]
    fn evidence_may_grow_and_addresses_may_become_former_ones() {
        let before = evidence((2, 3), (5, 5), (1, 1));
        let is_there = |now: Evidence| before.is_all_there(&now, Database::Notifications).is_ok();
        assert!(is_there(before.clone()));
        assert!(is_there(evidence((2, 9), (5, 8), (1, 1))), "more of each");
        assert!(is_there(evidence((2, 3), (4, 5), (1, 2))), "one moved");
        assert!(is_there(evidence((2, 3), (4, 4), (1, 2))), "one left");
        for (what, now) in [
            ("an action is gone", evidence((1, 3), (5, 5), (1, 1))),
            ("a late action is gone", evidence((2, 2), (5, 5), (1, 1))),
            ("a former address is gone", evidence((2, 3), (5, 5), (0, 1))),
            ("an address is gone, and is no former one", evidence((2, 3), (4, 4), (1, 1))),
            ("one moved, and its former address is gone", evidence((2, 3), (4, 5), (1, 1))),
            ("all addresses are gone", evidence((2, 3), (0, 0), (1, 1))),
        ] {
            assert!(!is_there(now), "{what}");
        }
    }
}
