//! Chaos: a steady flow of orders of mixed fate, and all manner of trouble meanwhile. Afterwards everything has to agree.
//!
//! The [`plan`] is drawn from a seed, so a run can be played again, as far as the timing of processes allows. What a
//! [`Deed`] does to the system is in `doing.rs`; who buys what is in [`shoppers`]; what nobody can read, in [`garbage`].

pub mod garbage;
pub mod plan;
pub mod records;
pub mod shoppers;
pub mod tally;

mod deed;
mod diary;
mod doing;
mod flow;
mod open_transaction;

use std::time::Duration;

use anyhow::Context;
use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep_until};

use crate::{audit, databases::Databases, stack::Stack};

pub use deed::Deed;
pub use diary::Diary;
pub use flow::Flow;

use doing::Doer;
use tally::Tally;

/// How long a run of chaos is and what it is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Chaos {
    pub lasting: Duration,
    pub seed: u64,
    /// Orders a second.
    pub rate: u32,
    /// How long the system may take to come to rest afterwards.
    pub patience: Duration,
}

/// What has become of it all.
#[derive(Debug)]
pub struct Outcome {
    pub tally: Tally,
    pub audit: audit::Report,
    /// How many deeds were done.
    pub deeds: usize,
    /// How often a program was killed.
    pub kills: usize,
}

impl Chaos {
    /// Lets orders flow, does what the plan says, waits for rest and audits. The diary hears of every deed.
    ///
    /// # Errors
    /// If the system is not ours to shake, cannot be read, or does not come up again. What is wrong in it afterwards is a
    /// finding of the audit.
    pub async fn run(self, stack: &mut Stack, diary: &Diary) -> anyhow::Result<Outcome> {
        let environment = stack.environment().clone();
        shoppers::enrich(&environment).await?;
        let flow = Flow::begin(&environment, self.seed, self.rate)?;
        let plan = plan::draw(&mut StdRng::seed_from_u64(self.seed), self.lasting, stack.broker());
        let begun = Instant::now();
        let mut doer = Doer::new(stack, self.seed, diary.clone())?;
        // What takes its time, such as a server that recovers, moves the rest of the plan.
        let mut behind = Duration::ZERO;
        for (at, deed) in plan {
            sleep_until(begun + behind + at).await;
            let started = Instant::now();
            doer.begin(deed).await?;
            behind += started.elapsed();
        }
        sleep_until(begun + behind + self.lasting).await;
        let (deeds, kills) = doer.finish().await?;
        diary.note("no more trouble; waiting for the last orders");

        let orders = flow.end(self.patience).await.context("publishing orders")?;
        let databases = Databases::of(&environment)?;
        let tally = Tally::settled(&databases, &orders, self.patience).await?;
        let audit = audit::run(&environment, self.patience).await?;
        Ok(Outcome { tally, audit, deeds, kills })
    }
}

impl Outcome {
    /// Whether every order ended once and everything agrees.
    pub fn holds(&self) -> bool {
        self.audit.holds() && self.tally.holds()
    }
}
