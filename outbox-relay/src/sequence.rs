//! Checks that new rows get numbers ahead of the cursor. No check uses a clock.

use std::time::Duration;

use sqlx::{PgConnection, Row};

use crate::{
    Lost,
    lost::{answered, took_too_long},
};

/// Distance behind the cursor within which numbers used twice are looked for: more than are drawn from one check to the next. A
/// sequence that was set back by more is still behind the cursor at the next check.
const NUMBERS_BACK: i64 = 10_000;

/// The state of the outbox's numbers in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The last number that was drawn; 0 if none was.
    pub(crate) last_value: i64,
    /// Size of the cache of numbers that a session draws at once.
    pub(crate) cache: i64,
    /// The highest number that is visible; 0 if there is none.
    pub(crate) highest: i64,
}

pub(crate) async fn look(session: &mut PgConnection) -> sqlx::Result<Numbers> {
    let row = sqlx::query(
        "select case when is_called then last_value else last_value - 1 end,
                (select seqcache from pg_sequence where seqrelid = 'outbox_seq'::regclass),
                coalesce((select max(seq) from outbox), 0)
         from outbox_seq",
    )
    .fetch_one(session)
    .await?;
    Ok(Numbers { last_value: row.try_get(0)?, cache: row.try_get(1)?, highest: row.try_get(2)? })
}

impl Numbers {
    /// An error if a row written from now on would count as published already.
    pub(crate) fn check(self, cursor: i64) -> Result<(), Lost> {
        let Numbers { last_value, cache, .. } = self;
        if cache > 1 {
            return Err(Lost::SequenceCached { cache });
        }
        if last_value < cursor {
            return Err(Lost::SequenceBehind { last_value, cursor });
        }
        Ok(())
    }

    /// An error if the sequence has been set back since it stood at `last_value`.
    pub(crate) fn check_since(self, last_value: i64) -> Result<(), Lost> {
        if self.last_value < last_value {
            return Err(Lost::SequenceSetBack { from: last_value, to: self.last_value });
        }
        Ok(())
    }
}

/// Looks for numbers up to `cursor` that two rows have: the sequence was set back, and the later row was never published.
/// Examines the numbers after `checked` and some before it, along the index. False if the server took too long, so that nothing
/// is known; that is no reason to stop.
pub(crate) async fn check_used_once(
    session: &mut PgConnection,
    (checked, cursor): (i64, i64),
    bound: Duration,
) -> Result<bool, Lost> {
    let twice = sqlx::query_as(
        "select count(*), min(seq)
         from (select seq from outbox where seq > $1 and seq <= $2 group by seq having count(*) > 1) twice",
    )
    .bind(checked.saturating_sub(NUMBERS_BACK))
    .bind(cursor)
    .fetch_one(session);
    match answered(bound, twice).await {
        Ok((numbers, Some(first_seq))) => Err(Lost::NumbersUsedTwice { numbers, first_seq, cursor }),
        Ok((_, None::<i64>)) => Ok(true),
        Err(Lost::Database(error)) if took_too_long(&error) => {
            tracing::warn!(%error, cursor, "the check for numbers of the outbox that were used twice took too long; publishing continues without it");
            Ok(false)
        }
        Err(lost) => Err(lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_may_be_where_the_cursor_is_and_not_behind_it() {
        let numbers = Numbers { last_value: 10, cache: 1, highest: 10 };
        assert!(numbers.check(9).is_ok() && numbers.check(10).is_ok());
        assert!(matches!(numbers.check(11), Err(Lost::SequenceBehind { last_value: 10, cursor: 11 })));
        assert!(matches!(Numbers { cache: 20, ..numbers }.check(0), Err(Lost::SequenceCached { cache: 20 })));
    }

    #[test]
    fn the_sequence_may_not_fall_even_ahead_of_the_cursor() {
        let numbers = Numbers { last_value: 10, cache: 1, highest: 10 };
        assert!(numbers.check_since(9).is_ok() && numbers.check_since(10).is_ok());
        assert!(matches!(numbers.check_since(11), Err(Lost::SequenceSetBack { from: 11, to: 10 })));
    }
}
