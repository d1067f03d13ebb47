//! Plays a schedule in both worlds.

use std::{collections::BTreeMap, fmt};

use sqlx::PgPool;

use super::stage::Stage;
use crate::{
    Check,
    bus::{Step, What},
    player::UNLISTED,
    report::Broken,
    schedule::{self, Schedule},
};

/// A schedule that was played in both worlds, which never differed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Number of steps that were taken. Fewer than the schedule has, if a law was broken.
    pub steps: usize,
    /// The same in words, a line for each.
    pub story: Vec<String>,
    /// The law that is broken, in the model and in the databases alike.
    pub broken: Option<Broken>,
}

/// Where the databases and the model differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parted {
    /// The steps so far, the last of which led to different results; a line for each.
    pub story: Vec<String>,
    /// The same steps, to be played again.
    pub schedule: Schedule,
    /// How they differ.
    pub how: String,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the databases and the model differ: {}", self.how)?;
        self.story.iter().try_for_each(|step| writeln!(f, "    {step}"))
    }
}

/// Why a schedule was not played to its end.
#[derive(Debug)]
pub enum PlayError {
    /// A step cannot be taken: it names a service, an event or a call that is not there then.
    Schedule(String),
    /// The databases and the model differ.
    Parted(Box<Parted>),
    /// Something is still due after so many steps: events follow each other for ever.
    Restless(usize),
    /// A database cannot be used.
    Database(anyhow::Error),
}

impl fmt::Display for PlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlayError::Schedule(why) => f.write_str(why),
            PlayError::Parted(parted) => parted.fmt(f),
            PlayError::Restless(steps) => write!(f, "the run does not come to rest within {steps} steps"),
            PlayError::Database(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for PlayError {}

impl From<anyhow::Error> for PlayError {
    fn from(error: anyhow::Error) -> Self {
        PlayError::Database(error)
    }
}

impl Check {
    /// Takes the steps of a schedule on the services' real databases, and in the model beside them: no broker decides the
    /// order. After each step, what the service has said, the calls that it asked for and its rows are compared. `databases`
    /// are by the services' names, migrated, with the first rows of each.
    ///
    /// # Errors
    /// If a step cannot be taken, the check is [`forgetful`](Check::forgetful), both differ, or a database cannot be used.
    pub async fn play(&self, schedule: &Schedule, databases: &BTreeMap<&str, PgPool>) -> Result<Played, PlayError> {
        if self.forgetful {
            let why = "a check without inboxes cannot be played: the services on their databases have them";
            return Err(PlayError::Schedule(why.to_owned()));
        }
        let mut stage = Stage::new(self, databases)?;
        let (mut taken, mut early) = (Vec::new(), Vec::new());
        for (place, action) in schedule.steps.iter().enumerate() {
            // It was retried together with another saga's.
            if let Some(place) = early.iter().position(|step| schedule::is_retry(&stage.universe, action, *step)) {
                early.remove(place);
                continue;
            }
            let step = schedule::find(&mut stage.universe, &stage.world, action)
                .map_err(|why| PlayError::Schedule(format!("step {}: {why}", place + 1)))?;
            taken.push(step);
            let (both, also) = stage.both(step).await?;
            taken.extend(&also);
            early.extend(also);
            if let Err(how) = both {
                let (story, schedule) = schedule::written(&mut stage.universe, &taken);
                return Err(PlayError::Parted(Box::new(Parted { story, schedule, how })));
            }
            if let Some((law, how)) = stage.broken.take() {
                let (story, schedule) = schedule::written(&mut stage.universe, &taken);
                let broken = Broken { law, how, story: story.clone(), schedule };
                return Ok(Played { steps: taken.len(), story, broken: Some(broken) });
            }
        }
        let (story, _) = schedule::written(&mut stage.universe, &taken);
        Ok(Played { steps: taken.len(), story, broken: None })
    }
}

impl Stage<'_> {
    /// Takes a step in both worlds, and compares them. Returns the retries that came with it.
    async fn both(&mut self, step: Step) -> anyhow::Result<(Result<(), String>, Vec<Step>)> {
        self.act(0, step).await?;
        let outcome = self.take(step);
        let is_retried = step.what == What::Retry && self.broken.is_none();
        let also = if is_retried { self.follow_retries(step.service).await? } else { Vec::new() };
        let both = match outcome.as_deref() {
            Some(Err(why)) => self.refuses_too(step, why).await?,
            Some(Ok(_)) | None => self.compare(step.service).await?,
        };
        Ok((both, also))
    }

    /// The worker retries all sagas whose turn it is: in the model, too.
    pub(super) async fn follow_retries(&mut self, service: usize) -> anyhow::Result<Vec<Step>> {
        let mut taken = Vec::new();
        let real = self.aside(service).await?;
        for saga in 0..self.universe.sagas() {
            let left = real.get(&self.universe.saga_id(saga)).copied().unwrap_or(0);
            let aside = |stage: &Self| {
                let saga = stage.universe.between_of(&stage.world, saga);
                saga.aside.get(&service).map_or(0, Vec::len)
            };
            while aside(self) > left && self.broken.is_none() {
                let step = Step { saga, service, what: What::Retry };
                self.take(step);
                taken.push(step);
            }
        }
        Ok(taken)
    }

    /// What the model cannot decide, the database must not have decided either.
    async fn refuses_too(&mut self, step: Step, why: &str) -> anyhow::Result<Result<(), String>> {
        // Only the model compares with the table.
        if why.ends_with(UNLISTED) {
            return Ok(Ok(()));
        }
        self.expected_nothing(step.service).await
    }
}
