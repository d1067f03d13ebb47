//! Differential simulation: a random run in both worlds, with what happens to services in practice and must not matter.
//!
//! One seed is one run. The idea of a simulation that a seed repeats is FoundationDB's ("Flow and simulation", 2014); that of
//! holding an implementation against an executable model, McKeeman's ("Differential testing for software", 1998).

use std::collections::BTreeMap;

use anyhow::Context;
use rand::{SeedableRng, rngs::StdRng, seq::IndexedRandom};
use saga::record::Record;
use sqlx::PgPool;

use super::{
    deeds::DEEDS,
    play::{Parted, PlayError},
    stage::Stage,
};
use crate::{Check, bus::Step, offers::Offer, report::Broken, schedule};

/// Number of steps in which a saga comes to rest, or never does.
const STEPS_TO_REST: usize = 1000;

/// A random run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simulation {
    /// Determines the run.
    pub seed: u64,
    /// Number of things that happen, before whatever is still due comes to rest.
    pub deeds: usize,
}

/// A random run in which both worlds never differed, and no law was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// Number of steps of the model.
    pub steps: usize,
    /// What has happened, and how often.
    pub deeds: BTreeMap<&'static str, usize>,
    /// Number of events in the largest batch.
    pub largest_batch: usize,
}

impl Check {
    /// Takes a random run on the services' real databases and in the model beside them: batches of 1 to 500 events, two
    /// replicas of each service, crashes between decision and commit, redelivery, persons and deadlines at their time, calls
    /// that are answered late, workers frozen past their lease, days over which what has ended is removed, and parked events,
    /// if the check [`parks`](Check::parks).
    /// After each deed the service's rows, events and calls are compared. `databases` are as for [`play`](Check::play).
    ///
    /// # Errors
    /// If both differ, nothing comes to rest, or a database cannot be used. The seed repeats it. A broken law is a result.
    pub async fn simulate(
        &self,
        simulation: Simulation,
        databases: &BTreeMap<&str, PgPool>,
    ) -> Result<Result<Simulated, Broken>, PlayError> {
        let mut run = Run {
            stage: Stage::new(self, databases)?,
            rng: StdRng::seed_from_u64(simulation.seed),
            taken: Vec::new(),
            processed: vec![Vec::new(); self.players.len()],
            deeds: BTreeMap::new(),
            largest_batch: 0,
        };
        for _ in 0..simulation.deeds {
            let deed = *DEEDS.choose(&mut run.rng).context("there are deeds")?;
            run.after(deed).await?;
            if let Some(broken) = run.broken() {
                return Ok(Err(broken));
            }
        }
        let bound = run.taken.len() + STEPS_TO_REST * run.stage.universe.sagas();
        while let Some(step) = run.owed() {
            if run.taken.len() >= bound {
                return Err(PlayError::Restless(run.taken.len()));
            }
            run.single(step).await?;
            if let Some(broken) = run.broken() {
                return Ok(Err(broken));
            }
        }
        Ok(Ok(Simulated { steps: run.taken.len(), deeds: run.deeds, largest_batch: run.largest_batch }))
    }
}

pub(super) struct Run<'a> {
    pub(super) stage: Stage<'a>,
    pub(super) rng: StdRng,
    /// The model's steps so far.
    pub(super) taken: Vec<Step>,
    /// What each service has read.
    pub(super) processed: Vec<Vec<Record>>,
    pub(super) deeds: BTreeMap<&'static str, usize>,
    pub(super) largest_batch: usize,
}

impl Run<'_> {
    fn broken(&mut self) -> Option<Broken> {
        let (law, how) = self.stage.broken.take()?;
        let (story, schedule) = schedule::written(&mut self.stage.universe, &self.taken);
        Some(Broken { law, how, story, schedule })
    }

    pub(super) fn parted(&mut self, how: String) -> PlayError {
        let (story, schedule) = schedule::written(&mut self.stage.universe, &self.taken);
        PlayError::Parted(Box::new(Parted { story, schedule, how }))
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.deeds.entry(what).or_default() += 1;
    }

    pub(super) fn offers(&mut self) -> Vec<Offer> {
        self.stage.universe.all_offers(&self.stage.world).to_vec()
    }

    /// A step that comes sooner or later: a deadline, if nothing else does.
    fn owed(&mut self) -> Option<Step> {
        let offers = self.offers();
        let due = offers.iter().find(|offer| offer.is_due);
        let owed = || offers.iter().find(|offer| self.stage.universe.is_owed(&self.stage.world, offer));
        due.or_else(owed).map(|offer| offer.step)
    }
}
