//! Other parties that act on a running system: a process that repairs continuously, an operator who settles parked work, and a
//! provider that acts on its own. None of them may do harm.

mod person;
mod provider;
mod repairs;

use std::{collections::HashSet, fmt, time::Duration};

use anyhow::Context;
use events::OrderId;
use operations::databases::Databases;
use rand::{SeedableRng, rngs::StdRng};
use saga::shutdown::{Shutdown, Stop};
use testbed::Environment;
use tokio::task::JoinHandle;

use super::Diary;
use repairs::Repaired;

/// Allows for a repair that is examining the whole system.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Run until they are [ended](Meddlers::end).
pub(super) struct Meddlers {
    stop: Stop,
    repairs: JoinHandle<Repaired>,
    person: JoinHandle<usize>,
    provider: JoinHandle<usize>,
}

/// What they did.
#[derive(Debug, Default)]
pub struct Meddling {
    repaired: Repaired,
    /// Parked work that was retried or answered.
    worked_off: usize,
    /// Charges that the provider voided, captured or refunded on its own.
    wilful: usize,
}

impl Meddlers {
    pub(super) fn begin(environment: &Environment, seed: u64, diary: &Diary) -> anyhow::Result<Self> {
        let (stop, shutdown) = Shutdown::by_hand();
        let databases = Databases::of(environment)?;
        let repairs = repairs::keep_on(environment.clone(), databases.clone(), diary.clone(), shutdown.clone());
        let person = person::Person::new(environment, databases.clone(), StdRng::seed_from_u64(seed ^ 1))?;
        let provider = provider::Provider::new(environment, databases, StdRng::seed_from_u64(seed ^ 2))?;
        Ok(Meddlers {
            stop,
            repairs: tokio::spawn(repairs),
            person: tokio::spawn(person.keep_on(shutdown.clone())),
            provider: tokio::spawn(provider.keep_on(shutdown)),
        })
    }

    /// Ends them, each after its action in progress.
    ///
    /// # Errors
    /// If one of them does not end.
    pub(super) async fn end(self) -> anyhow::Result<Meddling> {
        self.stop.now();
        let ended = async {
            let (repaired, worked_off, wilful) = tokio::try_join!(self.repairs, self.person, self.provider)?;
            anyhow::Ok(Meddling { repaired, worked_off, wilful })
        };
        tokio::time::timeout(ENDS_WITHIN, ended).await.context("the meddlers did not stop in time")?
    }
}

impl Meddling {
    /// Repairs of healthy orders, and remaining disagreements, except for the orders of `forgeries`.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub(super) async fn findings(
        &self,
        environment: &Environment,
        databases: &Databases,
        forgeries: &HashSet<OrderId>,
    ) -> anyhow::Result<Vec<String>> {
        let mut findings = self.repaired.harm(databases).await?;
        findings.extend(repairs::left(environment, databases, forgeries).await?);
        Ok(findings)
    }
}

impl fmt::Display for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Meddling { repaired, worked_off, wilful } = self;
        write!(
            f,
            "{repaired}; a person has tried again or answered {worked_off} parked calls and events; \
             the provider has voided, captured or refunded {wilful} charges by itself"
        )
    }
}
