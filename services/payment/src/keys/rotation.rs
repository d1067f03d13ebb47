//! Rotation: brings the details of all payment methods under the active key, in batches, beside the running service.
//!
//! Each batch is a transaction of its own, so a rotation that ends early has lost nothing, and the next one goes on with what
//! is left. Rows that a batch reads are locked until it commits; rows that others have locked are left for the next round.

use std::time::Duration;

use anyhow::Context;
use events::PaymentMethodId;
use saga::{StoreError, sessions::Sessions};

use crate::{
    keys::store,
    sealed_details::{Keys, Unopened},
};

/// Pause before the next round, where others hold all rows that are left.
const PAUSE: Duration = Duration::from_millis(200);
/// Rounds without progress after which rows count as held for long.
const FRUITLESS: u32 = 25;

/// A rotation in progress.
#[derive(Debug)]
pub struct Rotation<'a> {
    sessions: &'a Sessions,
    keys: &'a Keys,
    batch: i64,
    /// The last row of the batch before.
    after: i64,
    renewed: u64,
    unreadable: Vec<(PaymentMethodId, Unopened)>,
}

/// Result of one [`step`](Rotation::step).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This many rows are under the active key now.
    Renewed(u64),
    /// No row is left after the last one.
    Through,
}

/// Result of a rotation.
#[derive(Debug, PartialEq, Eq)]
pub struct Rotated {
    pub renewed: u64,
    /// Rows that could not be opened; they are as they were.
    pub unreadable: Vec<(PaymentMethodId, Unopened)>,
    /// Further rows that are not under the active key, because others have locked or just written them.
    pub left: u64,
}

impl<'a> Rotation<'a> {
    /// A rotation in batches of this many rows.
    pub fn new(sessions: &'a Sessions, keys: &'a Keys, batch: i64) -> Self {
        Rotation { sessions, keys, batch, after: i64::MIN, renewed: 0, unreadable: Vec::new() }
    }

    /// Renews one batch.
    ///
    /// # Errors
    /// If the database does not accept it, or no key is active. The batch has not taken effect then.
    pub async fn step(&mut self) -> anyhow::Result<Step> {
        let active = self.active()?;
        let (rows, renewed, unreadable) = self.sessions.bounded(self.one_batch(&active)).await?;
        let Some(last) = rows else { return Ok(Step::Through) };
        self.after = last;
        self.renewed += renewed;
        self.unreadable.extend(unreadable);
        Ok(Step::Renewed(renewed))
    }

    /// The last row, the number of rows renewed, and the unreadable ones.
    async fn one_batch(
        &self,
        active: &str,
    ) -> Result<(Option<i64>, u64, Vec<(PaymentMethodId, Unopened)>), StoreError> {
        let mut db = self.sessions.begin().await?;
        let rows = store::next_to_renew(&mut db, active, self.after, self.batch).await?;
        let last = rows.last().map(|row| row.place.method.0);
        let (mut renewed, mut unreadable) = (Vec::new(), Vec::new());
        for row in rows {
            match self.keys.renew(&row.place, &row.details) {
                Ok(Some(details)) => renewed.push((row.place.method, details)),
                Ok(None) => {}
                Err(why) => unreadable.push((row.place.method, why)),
            }
        }
        store::renew(&mut db, &renewed).await?;
        db.commit().await?;
        Ok((last, renewed.len() as u64, unreadable))
    }

    /// Renews all rows, pausing between batches. Repeats itself for rows that others had locked or have written meanwhile.
    ///
    /// # Errors
    /// As for [`step`](Self::step). What was renewed until then stays so.
    pub async fn run(mut self, pause: Duration) -> anyhow::Result<Rotated> {
        let mut fruitless = 0;
        loop {
            let before = self.renewed;
            self.after = i64::MIN;
            self.unreadable.clear();
            while self.step().await? != Step::Through {
                tokio::time::sleep(pause).await;
            }
            let active = self.active()?;
            let count = async { store::left(&mut *self.sessions.acquire().await?, &active).await };
            let left =
                self.sessions.bounded::<_, sqlx::Error>(count).await.context("counting the rows that are left")?;
            let left = u64::try_from(left)?.saturating_sub(self.unreadable.len() as u64);
            fruitless = if self.renewed > before { 0 } else { fruitless + 1 };
            if left == 0 || fruitless == FRUITLESS {
                return Ok(Rotated { renewed: self.renewed, unreadable: self.unreadable, left });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn active(&self) -> anyhow::Result<String> {
        let active = self.keys.active()?.context("PAYMENT_KEYRING is not set: there is no key to rotate to")?;
        Ok(active.to_string())
    }
}
