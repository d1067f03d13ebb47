//! Whether the numbers that new rows will get are ahead of the cursor.

use sqlx::{PgConnection, Row};

use crate::Lost;

/// A row may seem to have been written so much later than it was: clocks are set.
const CLOCK_SLACK_SECONDS: f64 = 10.0;

/// What the database says of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The last number that was drawn; 0 if none was.
    pub(crate) last_value: i64,
    /// How many a session draws at once.
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
    /// An error if a row that is written from now on would be taken for one that has been published.
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
}

/// An error if rows up to `cursor` were written after it had been saved there: they were never published. Looks at what was
/// written since then and no further.
pub(crate) async fn check_behind(session: &mut PgConnection, cursor: i64) -> Result<(), Lost> {
    let row = sqlx::query(
        "with saved as (select updated_at + make_interval(secs => $2) as at from relay_cursor)
         select count(*), min(seq), (select at::text from saved)
         from outbox
         where seq <= $1 and created_at > (select at from saved)
           and id >= (select rpad(lpad(to_hex((extract(epoch from at - interval '1 minute') * 1000)::bigint), 12, '0'),
                                  32, '0')::uuid from saved)",
    )
    .bind(cursor)
    .bind(CLOCK_SLACK_SECONDS)
    .fetch_one(session)
    .await?;
    let (rows, first_seq, after): (i64, Option<i64>, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    match first_seq {
        Some(first_seq) => Err(Lost::RowsBehind { rows, first_seq, cursor, after }),
        None => Ok(()),
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
}
