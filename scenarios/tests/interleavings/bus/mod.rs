//! An in-memory bus on which all seven services run: their real tables, rows and decisions, without Kafka and without SQL.
//!
//! A [`World`] is one moment; a [`Step`] is something that can happen in it; [`Bus::take`] makes the next moment of both.
//! Who hears what, and what it is asked to decide, comes from the services' own tables.

mod cast;
mod databases;
mod outside;
mod player;
mod shared;
mod step;
mod topic;
mod turn;
mod world;

use events::Publisher;

pub(crate) use cast::Cast;
pub(crate) use databases::Databases;
pub(crate) use shared::Shared;
pub(crate) use step::{Step, What};
pub(crate) use world::{Saga, World};

use turn::Turn;

/// What makes one moment follow another.
#[derive(Default)]
pub(crate) struct Bus {
    pub(crate) cast: Cast,
    /// Repetitions are kept out neither by the inbox nor by the attempts' table: they get through to the decisions.
    pub(crate) forgetful: bool,
}

impl Bus {
    /// Everything that can be tried. Much of it will turn out to change nothing.
    pub(crate) fn steps(&self, world: &World) -> Vec<Step> {
        if world.fault.is_some() {
            return Vec::new();
        }
        let mut steps = Vec::new();
        for (order, saga) in world.sagas.iter().enumerate() {
            let step = |what| Step { order, what };
            for from in Publisher::all() {
                let topic = saga.topic(from);
                for &to in Publisher::SERVICES {
                    steps.extend(topic.next(to).map(|_| step(What::Deliver { from, to })));
                    steps.extend(topic.seen(to).map(|nth| step(What::Redeliver { from, to, nth })));
                }
            }
            for attempt in 0..saga.attempts.len() {
                steps.extend(
                    [What::Answer { attempt }, What::LoseAnswer { attempt }, What::GiveUp { attempt }].map(step),
                );
            }
            steps.extend([What::RequestAgain, What::Cancel, What::TimeOut].map(step));
        }
        steps
    }

    /// The next moment; none if the step is impossible or changes nothing.
    pub(crate) fn take(&self, world: &World, Step { order, what }: Step) -> Option<World> {
        let mut turn = Turn::new(self, world, order);
        turn.take(what)?;
        turn.end(world, order)
    }
}
