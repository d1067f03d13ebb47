//! An in-memory bus on which all seven services run: their real tables, rows and decisions, without Kafka and without SQL.
//!
//! A [`World`] is one state; an [`Action`] is something that can happen in it; [`Bus::take`] computes the next state. The
//! services' own tables determine who consumes what, and as which command.

mod cast;
mod change;
mod content;
mod databases;
mod disturbances;
mod memory;
mod operators;
mod outside;
mod player;
mod reconcile;
mod shared;
mod step;
mod topic;
mod turn;
mod world;

use events::publisher;
use payment::lifecycle;
use saga::{NewAttempt, Said, attempts::Answer};

pub(crate) use cast::Cast;
pub(crate) use change::{Change, DEARER};
pub(crate) use databases::Databases;
pub(crate) use disturbances::Disturbances;
pub(crate) use memory::Memory;
pub(crate) use outside::Stage;
pub(crate) use player::own;
pub(crate) use reconcile::{Expected, LEDGER_FIRST_ORDERS_LAST, LEDGER_LAST, ORDERS_FIRST};
pub(crate) use shared::Shared;
pub(crate) use step::{Action, What};
pub(crate) use topic::{Event, Occasion};
pub(crate) use world::{Saga, World};

use outside::Gateway;
use turn::Turn;

use crate::laws::Judged;

/// Computes the next states.
#[derive(Default)]
pub(crate) struct Bus {
    pub(crate) cast: Cast,
    /// Neither the inbox nor the table of attempts filters repetitions: they reach the decisions.
    pub(crate) forgetful: bool,
    /// The allowed disturbances.
    pub(crate) may: Disturbances,
    /// Events published before, in some other world.
    pub(crate) printed: Memory<(Said, Occasion, Expected), Shared<Event>>,
    /// Calls carried out by the gateway before.
    pub(crate) calls: Memory<(Gateway, Shared<NewAttempt>), (Gateway, Answer<lifecycle::Step>)>,
    /// Results of the laws for the same rows.
    pub(crate) judged: Judged,
}

impl Bus {
    /// All actions that can be tried. Many of them will change nothing.
    pub(crate) fn steps(&self, world: &World) -> Vec<Action> {
        if world.fault.is_some() {
            return Vec::new();
        }
        let changes = self.may.changes.iter().filter(|change| !world.changes.contains(change));
        let mut steps: Vec<Action> = changes.map(|change| Action { order: 0, what: What::Change(*change) }).collect();
        for (order, saga) in world.sagas.iter().enumerate() {
            let mut whats = Vec::new();
            self.reading(saga, &mut whats);
            self.calling(saga, &mut whats);
            whats.extend([What::RequestAgain, What::Cancel, What::TimeOut]);
            if order == 0 && self.may.other_request.is_some() {
                whats.push(What::RequestOther);
            }
            whats.extend(self.may.provider.iter().map(|operation| What::Provider(*operation)));
            self.operating(world, saga, &mut whats);
            steps.extend(whats.into_iter().map(|what| Action { order, what }));
        }
        steps
    }

    /// What services may do with an order's events.
    fn reading(&self, saga: &Saga, whats: &mut Vec<What>) {
        for from in publisher::all() {
            let topic = saga.topic(from);
            for &to in publisher::SERVICES {
                if topic.next(to).is_some() {
                    whats.push(What::Deliver { from, to });
                    // Clients repeat requests that have no effect, and mails are not part of the saga.
                    let ours = from != publisher::CLIENT && to != publisher::NOTIFICATION;
                    if ours && self.may.parks && !saga.spent.parked {
                        whats.push(What::Park { from, to });
                    }
                    if from != publisher::CLIENT && self.may.loses && !saga.spent.lost {
                        whats.push(What::Lose { from, to });
                    }
                }
                if self.forgetful {
                    whats.extend(topic.seen(to).map(|nth| What::Redeliver { from, to, nth }));
                }
            }
        }
    }

    /// What may happen to calls to the outside.
    fn calling(&self, saga: &Saga, whats: &mut Vec<What>) {
        for (attempt, call) in saga.attempts.iter().enumerate() {
            whats.extend([What::Answer { attempt }, What::LoseAnswer { attempt }, What::GiveUp { attempt }]);
            if self.may.calls_park && !saga.spent.call_parked && call.stage == Stage::Open {
                whats.push(What::ParkCall { attempt });
            }
            if call.stage == Stage::Parked {
                whats.push(What::RetryCall { attempt });
                whats.push(What::AnswerCall { attempt });
                if self.may.drops_calls {
                    whats.push(What::DropCall { attempt });
                }
            }
        }
    }

    /// The next state; None if the action is impossible or changes nothing.
    pub(crate) fn take(&self, world: &World, Action { order, what }: Action) -> Option<World> {
        let mut turn = Turn::new(self, world, order);
        turn.take(what)?;
        turn.end(world, order)
    }

    /// An event, parsed and addressed only once however often it is published.
    fn event(&self, said: &Said, occasion: Occasion, expected: Expected) -> Shared<Event> {
        self.printed.recall((said.clone(), occasion, expected), |(said, occasion, expected)| {
            Shared::new(Event::new(said.clone(), *occasion, expected.clone(), &self.cast))
        })
    }
}
