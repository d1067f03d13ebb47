//! Runs as files: what happened, step by step, to be read, kept and played again.

use std::fmt;

use saga::SagaId;
use serde::{Deserialize, Serialize};

use crate::{
    Check,
    bus::{Step, What},
    laws,
    report::Broken,
    universe::Universe,
    world::World,
};

/// A run, step by step. As JSON it can be kept beside a test, and played: by [`Check::replay`] with the decisions alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// What happens, in this order.
    pub steps: Vec<Action>,
}

/// Something that happens to one saga in one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Name of the service.
    pub service: String,
    /// The saga.
    pub saga: SagaId,
    /// What the service does.
    pub step: Happening,
}

/// What a service does in a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Happening {
    /// It reads a client's request.
    Request {
        /// Wire name.
        #[serde(rename = "type")]
        event_type: String,
        /// Which of several requests of this type about the saga, from 0.
        #[serde(default, skip_serializing_if = "is_first")]
        nth: usize,
    },
    /// It reads its next event of a publisher.
    Event {
        /// Name of the publisher.
        from: String,
        /// Wire name.
        #[serde(rename = "type")]
        event_type: String,
    },
    /// It reads an earlier event again.
    Again {
        /// Name of the publisher.
        from: String,
        /// Place among the publisher's events about the saga, from 0.
        place: usize,
    },
    /// A person or a deadline asks for something.
    Occasion {
        /// The occasion of the table's line.
        what: String,
    },
    /// A durable call is answered.
    Answer {
        /// Kind of the call.
        call: String,
        /// Tells calls of one kind apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<String>,
        /// Name of the answer.
        answer: String,
    },
    /// It parks its next event of a publisher.
    Park {
        /// Name of the publisher.
        from: String,
        /// Wire name.
        #[serde(rename = "type")]
        event_type: String,
    },
    /// What it has set aside first is decided.
    Retry,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_first(nth: &usize) -> bool {
    *nth == 0
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action { service, saga, step } = self;
        match step {
            Happening::Request { event_type, .. } => write!(f, "`{service}` reads the request `{event_type}`")?,
            Happening::Event { from, event_type } => write!(f, "`{service}` reads `{event_type}` of `{from}`")?,
            Happening::Again { from, place } => write!(f, "`{service}` reads event {place} of `{from}` again")?,
            Happening::Occasion { what } => write!(f, "`{service}` is asked: {what}")?,
            Happening::Answer { call, answer, .. } => write!(f, "`{service}` gets the answer to {call}: {answer}")?,
            Happening::Park { from, event_type } => write!(f, "`{service}` parks `{event_type}` of `{from}`")?,
            Happening::Retry => write!(f, "`{service}` retries what it has parked")?,
        }
        write!(f, ", about {saga}")
    }
}

impl Check {
    /// Takes the steps of a schedule, and checks the laws after each of them. Returns the first that is broken.
    ///
    /// # Errors
    /// If a step cannot be taken: it names a service, an event or a call that is not there then.
    pub fn replay(&self, schedule: &Schedule) -> Result<Option<Broken>, String> {
        let mut universe = Universe::new(self)?;
        let mut world = self.first_world(&mut universe);
        let mut taken = Vec::new();
        for (place, action) in schedule.steps.iter().enumerate() {
            let step = find(&mut universe, &world, action).map_err(|why| format!("step {}: {why}", place + 1))?;
            taken.push(step);
            let broken = match universe.take(&world, step) {
                Ok(after) => {
                    world = after;
                    let is_at_rest = universe.is_at_rest(&world);
                    laws::broken(&universe, &world, is_at_rest, &mut Vec::new())
                }
                Err(fault) => Some(fault),
            };
            if let Some((law, how)) = broken {
                let (story, schedule) = written(&mut universe, &taken);
                return Ok(Some(Broken { law, how, story, schedule }));
            }
        }
        Ok(None)
    }
}

/// The step that an action means in a state.
pub(crate) fn find(universe: &mut Universe<'_>, world: &World, action: &Action) -> Result<Step, String> {
    let players = &universe.check.players;
    let named = |name: &str| {
        let place = players.iter().position(|player| player.name() == name);
        place.ok_or_else(|| format!("no service `{name}` is checked"))
    };
    let (service, saga) = (named(&action.service)?, universe.saga(action.saga));
    let between = universe.between_of(world, saga);
    let what = match &action.step {
        Happening::Request { event_type, nth } => {
            let requests = universe.check.requests.iter().enumerate();
            let mut meant = requests.filter(|(place, asked)| {
                asked.event_type == event_type && universe.requested[service][*place] == Some(saga)
            });
            let (place, _) = meant.nth(*nth).ok_or("no such request is sent")?;
            What::Request(place)
        }
        Happening::Event { from, event_type } | Happening::Park { from, event_type } => {
            let publisher = named(from)?;
            let next =
                between.next(universe, service, publisher).map(|(_, said)| universe.event(said.event).event_type);
            match next {
                Some(next) if next == event_type && matches!(action.step, Happening::Park { .. }) => {
                    What::Park { publisher }
                }
                Some(next) if next == event_type => What::Event { publisher },
                Some(next) => return Err(format!("{action}: it would read `{next}` next")),
                None => return Err(format!("{action}: it has read all of them")),
            }
        }
        Happening::Again { from, place } => What::Again { publisher: named(from)?, place: *place },
        Happening::Occasion { what } => {
            let names = players[service].occasions();
            let of_saga = |place: &usize| universe.occasions[service][*place] == saga;
            let mut meant = (0..names.len()).filter(of_saga).filter(|place| names[*place] == what);
            What::Occasion(
                meant
                    .find(|place| !between.has_come(service, *place))
                    .ok_or(format!("{action}: not any more, or never"))?,
            )
        }
        Happening::Answer { call, part, answer } => {
            let is_it = |number: &u32| {
                let open = universe.calls.get(*number);
                open.service == service && open.attempt.kind == call && open.attempt.part == *part
            };
            let number = between.calls.keys().copied().find(is_it).ok_or(format!("{action}: no such call is open"))?;
            let answers = players[service].possible(&universe.calls.get(number).attempt);
            let answer = answers.iter().position(|possible| possible == answer);
            What::Answer {
                call: number,
                answer: answer.ok_or(format!("{action}: no such answer; there is {answers:?}"))?,
            }
        }
        Happening::Retry => {
            between.first_aside(service).ok_or(format!("{action}: nothing is set aside"))?;
            What::Retry
        }
    };
    let step = Step { saga, service, what };
    if universe.offers(saga, &between).iter().any(|offer| offer.step == step) {
        Ok(step)
    } else {
        Err(format!("{action}: that may not happen here, or not once more"))
    }
}

/// Returns whether an action is a retry that was taken already, with this step.
#[cfg(feature = "postgres")]
pub(crate) fn is_retry(universe: &Universe<'_>, action: &Action, step: Step) -> bool {
    let is_it =
        universe.check.players[step.service].name() == action.service && universe.saga_id(step.saga) == action.saga;
    is_it && action.step == Happening::Retry
}

/// A run in words, and as a schedule.
pub(crate) fn written(universe: &mut Universe<'_>, steps: &[Step]) -> (Vec<String>, Schedule) {
    let mut world = universe.check.first_world(universe);
    let (mut story, mut schedule) = (Vec::new(), Schedule::default());
    for step in steps {
        story.push(universe.told(&world, *step));
        schedule.steps.push(action(universe, &world, *step));
        if let Ok(after) = universe.take(&world, *step) {
            world = after;
        }
    }
    (story, schedule)
}

fn action(universe: &mut Universe<'_>, world: &World, Step { saga, service, what }: Step) -> Action {
    let between = universe.between_of(world, saga);
    let name = |service: usize| universe.check.players[service].name().to_owned();
    let next = |publisher: usize| {
        let next = between.next(universe, service, publisher);
        next.map(|(_, said)| universe.event(said.event).event_type.to_owned()).unwrap_or_default()
    };
    let step = match what {
        What::Request(request) => {
            let asked = &universe.check.requests;
            let same = |place: &usize| {
                asked[*place].event_type == asked[request].event_type
                    && universe.requested[service][*place] == Some(saga)
            };
            Happening::Request {
                event_type: asked[request].event_type.to_owned(),
                nth: (0..request).filter(same).count(),
            }
        }
        What::Event { publisher } => Happening::Event { from: name(publisher), event_type: next(publisher) },
        What::Park { publisher } => Happening::Park { from: name(publisher), event_type: next(publisher) },
        What::Again { publisher, place } => Happening::Again { from: name(publisher), place },
        What::Occasion(occasion) => {
            Happening::Occasion { what: universe.check.players[service].occasions()[occasion].to_owned() }
        }
        What::Answer { call, answer } => {
            let attempt = &universe.calls.get(call).attempt;
            let answers = universe.check.players[service].possible(attempt);
            let answer = answers.get(answer).copied().unwrap_or_default().to_owned();
            Happening::Answer { call: attempt.kind.to_owned(), part: attempt.part.clone(), answer }
        }
        What::Retry => Happening::Retry,
    };
    Action { service: name(service), saga: universe.saga_id(saga), step }
}
