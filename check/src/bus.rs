//! The bus: what may happen next, and what follows.

use saga::Says;

use crate::{
    Check,
    player::Decided,
    world::{Event, Log, World},
};

/// A request of a client.
pub(crate) struct Request {
    pub(crate) topic: &'static str,
    pub(crate) event_type: &'static str,
    /// JSON.
    pub(crate) data: String,
}

/// Number of times that a client may send a request.
const SENDS: u8 = 2;

/// Something that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A service reads a client's request.
    Request { service: usize, request: usize },
    /// A service reads its next event of a publisher about a saga.
    Event { service: usize, log: Log },
    /// A service reads an earlier event again.
    Again { service: usize, log: Log, place: usize },
    /// A person or a deadline asks a service for something.
    Occasion { service: usize, occasion: usize },
    /// A call is answered.
    Answer { call: usize, answer: usize },
}

impl Check {
    /// Everything that may happen in a world.
    pub(crate) fn steps(&self, world: &World) -> Vec<Step> {
        let mut steps = Vec::new();
        for (service, player) in self.players.iter().enumerate() {
            for (request, asked) in self.requests.iter().enumerate() {
                let hears = player.hears(asked.event_type, asked.topic);
                if hears && world.sent(service, request) < SENDS {
                    steps.push(Step::Request { service, request });
                }
            }
            for (log, events) in &world.logs {
                let log = *log;
                if self.next(world, service, log).is_some() {
                    steps.push(Step::Event { service, log });
                }
                let seen = events.iter().enumerate().take(world.has_read(service, log)).filter(|_| self.forgetful);
                let heard = seen.filter(|(_, event)| self.hears(service, event));
                steps.extend(heard.map(|(place, _)| Step::Again { service, log, place }));
            }
            let occasions = (0..player.occasions().len()).filter(|occasion| !world.has_come(service, *occasion));
            steps.extend(occasions.map(|occasion| Step::Occasion { service, occasion }));
        }
        for (call, ((service, _), attempt)) in world.calls.iter().enumerate() {
            let answers = self.players[*service].possible(attempt).len();
            steps.extend((0..answers).map(|answer| Step::Answer { call, answer }));
        }
        steps
    }

    /// True if nothing is under way: no event is unread, no call is open that can be answered, every request was read once,
    /// and no deadline would change anything.
    pub(crate) fn is_at_rest(&self, world: &World) -> bool {
        let services = || 0..self.players.len();
        let is_read =
            || services().all(|service| world.logs.keys().all(|log| self.next(world, service, *log).is_none()));
        let has_read = |service: usize, request: usize, asked: &Request| {
            !self.players[service].hears(asked.event_type, asked.topic) || world.sent(service, request) > 0
        };
        let is_sent = || {
            let mut requests = self.requests.iter().enumerate();
            requests.all(|(request, asked)| services().all(|service| has_read(service, request, asked)))
        };
        let is_answered =
            || world.calls.iter().all(|((service, _), call)| self.players[*service].possible(call).is_empty());
        // A deadline comes sooner or later, if it still changes anything.
        let comes = |service: usize, occasion: usize| {
            self.players[service].is_deadline(occasion)
                && !world.has_come(service, occasion)
                && !matches!(self.take(world, Step::Occasion { service, occasion }), (_, Ok(after)) if after == *world)
        };
        let waits = || {
            services().any(|service| (0..self.players[service].occasions().len()).any(|place| comes(service, place)))
        };
        // Only then are decisions tried.
        is_read() && is_sent() && is_answered() && !waits()
    }

    /// The next event of a log that a service has a line for, and its place.
    fn next<'a>(&self, world: &'a World, service: usize, log: Log) -> Option<(usize, &'a Event)> {
        let mut unread = world.logs.get(&log)?.iter().enumerate().skip(world.has_read(service, log));
        unread.find(|(_, event)| self.hears(service, event))
    }

    fn hears(&self, service: usize, event: &Event) -> bool {
        self.players[service].hears(event.event_type, self.players[event.publisher].topic())
    }

    /// The world after a step, and the step in words. An error says what is wrong with the decision.
    pub(crate) fn take(&self, world: &World, step: Step) -> (String, Result<World, String>) {
        let mut after = world.clone();
        let (service, on, decided) = match step {
            Step::Request { service, request } => {
                let asked = &self.requests[request];
                after.send(service, request);
                let decided =
                    self.players[service].hear(&world.rows[service], asked.event_type, asked.topic, &asked.data);
                (service, asked.event_type.to_owned(), decided)
            }
            Step::Event { service, log } => match self.next(world, service, log) {
                Some((place, event)) => {
                    after.read(service, log, place + 1);
                    (service, event.event_type.to_owned(), self.heard(world, service, event))
                }
                None => (service, "nothing".to_owned(), Err("nothing is left to read".to_owned())),
            },
            Step::Again { service, log, place } => match world.logs.get(&log).and_then(|events| events.get(place)) {
                Some(event) => (service, format!("{}, again", event.event_type), self.heard(world, service, event)),
                None => (service, "nothing".to_owned(), Err("nothing was read".to_owned())),
            },
            Step::Occasion { service, occasion } => {
                after.come(service, occasion);
                let player = &self.players[service];
                let what = player.occasions().get(occasion).copied().unwrap_or_default();
                (service, what.to_owned(), player.ask(&world.rows[service], occasion))
            }
            Step::Answer { call, answer } => match world.calls.iter().nth(call) {
                Some((key @ (service, _), attempt)) => {
                    after.calls.remove(key);
                    let decided = self.players[*service].answer(&world.rows[*service], attempt, answer);
                    (*service, format!("the answer to {}", attempt.kind), decided)
                }
                None => (0, "nothing".to_owned(), Err("no such call is open".to_owned())),
            },
        };
        let name = self.players[service].name();
        match decided {
            Ok(Decided { decision, saga, rows, says }) => {
                // A deadline that comes too early comes again: nothing of it is left.
                if matches!(step, Step::Occasion { .. })
                    && rows == world.rows[service]
                    && says.events.is_empty()
                    && says.attempts.is_empty()
                {
                    return (format!("{on} → {name} ({decision})"), Ok(world.clone()));
                }
                after.begin(saga);
                after.rows[service] = rows;
                let said: Vec<&str> = says.events.iter().map(|said| said.event_type).collect();
                let said = if said.is_empty() { String::new() } else { format!(" → {}", said.join(", ")) };
                let told = format!("{on} → {name} ({decision}){said}");
                (told, self.say(after, service, says))
            }
            Err(why) => (format!("{on} → {name}"), Err(why)),
        }
    }

    fn heard(&self, world: &World, service: usize, event: &Event) -> Result<Decided, String> {
        let topic = self.players[event.publisher].topic();
        self.players[service].hear(&world.rows[service], event.event_type, topic, &event.data)
    }

    fn say(&self, mut world: World, service: usize, says: Says) -> Result<World, String> {
        for said in says.events {
            if said.aggregatetype != self.players[service].name() {
                return Err(format!(
                    "`{}` says `{}` as `{}`",
                    self.players[service].name(),
                    said.event_type,
                    said.aggregatetype
                ));
            }
            let end = self.players[service].end(said.event_type);
            let (event_type, saga, data) = (said.event_type, said.saga_id, said.payload);
            world.append(Event { publisher: service, event_type, saga, data, end });
        }
        for call in says.attempts {
            world.ask(service, call);
        }
        Ok(world)
    }
}
