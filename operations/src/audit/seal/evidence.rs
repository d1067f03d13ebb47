//! Evidence that orders are judged by beside their own rows, and that must not disappear: operators' actions, and buyers' former
//! addresses.

use anyhow::Context;
use events::OrderId;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::Void;
use crate::Database;

/// The evidence in one database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evidence {
    contacts: Count,
    former: Count,
    actions: Actions,
}

/// Number of rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// Number of rows written before a given transaction.
    old: i64,
    all: i64,
}

/// Operators' actions up to a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Actions {
    last: i64,
    digest: String,
}

impl Evidence {
    /// `old`: an SQL expression that is true of old rows. Operators' actions up to those known `before`.
    pub(super) async fn read(
        db: &mut PgConnection,
        database: Database,
        old: &str,
        before: Option<&Evidence>,
    ) -> anyhow::Result<Self> {
        let up_to = before.map_or(i64::MAX, |before| before.actions.last);
        let (last, digest) = sqlx::query_as(
            "select coalesce(max(seq), 0), coalesce(sum(hashtextextended(a::text, 0)::numeric), 0)::text
             from parked_actions a where seq <= $1",
        )
        .bind(up_to)
        .fetch_one(&mut *db)
        .await
        .with_context(|| format!("reading the operators' actions in {database}"))?;
        let mut evidence = Evidence { actions: Actions { last, digest }, ..Evidence::default() };
        if database == Database::NOTIFICATIONS {
            evidence.contacts = Count::of(db, "contacts", old).await?;
            evidence.former = Count::of(db, "former_contacts", old).await?;
        }
        Ok(evidence)
    }

    /// [`Void`] if something has disappeared. `now` has to be based on the same transaction number.
    pub(super) fn is_all_there(&self, now: &Evidence, database: Database) -> Result<(), Void> {
        let gone = |table: &str| Err(Void(format!("rows of {table} in {database} were changed or taken away")));
        if now.actions != self.actions {
            return gone("parked_actions");
        }
        if now.former.old != self.former.old || now.former.all < self.former.all {
            return gone("former_contacts");
        }
        // A trigger keeps a changed or deleted address as a former one.
        if self.contacts.old - now.contacts.old > now.former.all - now.former.old {
            return gone("contacts");
        }
        Ok(())
    }
}

impl Count {
    async fn of(db: &mut PgConnection, table: &str, old: &str) -> anyhow::Result<Self> {
        let select = format!("select count(*) filter (where {old}), count(*) from {table}");
        let counted = sqlx::query_as(AssertSqlSafe(select)).fetch_one(db).await;
        let (old, all) = counted.with_context(|| format!("counting {table}"))?;
        Ok(Count { old, all })
    }
}

/// Orders with a mail to an address that no buyer has or had, default addresses excepted, and sealed ones, which are compared
/// when their order is examined.
pub(super) async fn nowhere(db: &mut PgConnection, database: Database) -> anyhow::Result<Vec<OrderId>> {
    if database != Database::NOTIFICATIONS {
        return Ok(Vec::new());
    }
    let orders: Vec<Uuid> = sqlx::query_scalar(
        "select order_id from notifications n where recipient not like 'user-%@%' and recipient not like 'sealed:%'
            and not exists (select from contacts c where c.address = n.recipient)
            and not exists (select from former_contacts f where f.address = n.recipient)",
    )
    .fetch_all(db)
    .await
    .context("looking for mails to unknown addresses")?;
    Ok(orders.into_iter().map(OrderId).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(digest: &str, contacts: (i64, i64), former: (i64, i64)) -> Evidence {
        let count = |(old, all)| Count { old, all };
        let actions = Actions { last: 3, digest: digest.to_owned() };
        Evidence { contacts: count(contacts), former: count(former), actions }
    }

    #[test]
    fn evidence_may_grow_and_addresses_may_become_former_ones() {
        let before = evidence("deeds", (5, 5), (1, 1));
        let is_there = |now: Evidence| before.is_all_there(&now, Database::NOTIFICATIONS).is_ok();
        assert!(is_there(before.clone()));
        assert!(is_there(evidence("deeds", (5, 8), (1, 1))), "more of them");
        assert!(is_there(evidence("deeds", (4, 5), (1, 2))), "one moved");
        assert!(is_there(evidence("deeds", (4, 4), (1, 2))), "one left");
        for (what, now) in [
            ("a deed is gone, or another one", evidence("other deeds", (5, 5), (1, 1))),
            ("a former address is gone", evidence("deeds", (5, 5), (0, 1))),
            ("a late former address is gone", evidence("deeds", (5, 5), (1, 0))),
            ("an address is gone, and is no former one", evidence("deeds", (4, 4), (1, 1))),
            ("one moved, and its former address is gone", evidence("deeds", (4, 5), (1, 1))),
            ("all addresses are gone", evidence("deeds", (0, 0), (1, 1))),
        ] {
            assert!(!is_there(now), "{what}");
        }
    }
}
