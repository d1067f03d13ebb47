//! Model checker for choreographed sagas. It runs the services' own decisions, which are plain Rust, on a bus in memory that
//! promises no more than Kafka does, in every order that Kafka allows, and checks laws in every state.
//!
//! What may happen at any moment:
//! - a service reads its next event of a publisher about a saga: those come in order, everything else in any order;
//! - with [`forgetful`](Check::forgetful), it reads an earlier one again, as after a crash, and no inbox keeps it out;
//! - a client sends its request, and sends it again;
//! - a person asks a service for something ([`may`](Service::may)), or a deadline passes ([`at`](Service::at));
//! - a durable call is answered, however late, with one of its possible [answers](Service::answers);
//! - with [`parks`](Check::parks), it parks an event, and whatever comes later about the saga waits until that is retried.
//!
//! Laws that hold for every saga are built in: at rest each saga in which anything has happened has ended, if the tables say how
//! sagas end, and none ends twice; nothing stays held, and steps are undone in reverse, as far as the tables tell their phases;
//! no event is said twice with the same facts, and no call asked for with two requests; a decision says and asks only for what
//! its table lists, refuses nothing, is never impossible and never panics. Laws of the business are added with
//! [`law`](Check::law) and [`at_rest`](Check::at_rest). The search is breadth-first, so that the run that breaks a law is a
//! shortest one; [`reduced`](Check::reduced) searches fewer states, and its runs need not be shortest.
//!
//! A run is a [`Schedule`]: a file that can be [replayed](Check::replay). With the feature `postgres` it can be played on the
//! services' real databases (`Check::play`), and random runs can be taken there and in the model side by side
//! (`Check::simulate`).
//!
//! `tests/trip.rs` checks the trip of `examples/trip`, with up to three travellers who compete for seats and a car.
//!
//! The search knows the decisions and not the SQL around them. All requests and commands are decided at one time, but for
//! deadlines; a client's record has no headers and no id. Two requests about one saga come in any order, and the same one comes
//! twice by itself.

#![warn(missing_docs)]

mod bus;
mod laws;
mod numbered;
mod offers;
mod player;
#[cfg(feature = "postgres")]
mod postgres;
mod progress;
mod reduction;
mod report;
mod rows;
mod saga_state;
mod schedule;
mod search;
mod story;
mod universe;
mod world;

use std::{fmt::Debug, hash::Hash, rc::Rc};

use chrono::{DateTime, Utc};
use serde::Serialize;

use bus::Request;
use laws::Law;
use player::{Occurrence, Player, Typed};
use saga::{NewAttempt, Publisher};

#[cfg(feature = "postgres")]
pub use postgres::{Parted, PlayError, Played, Simulated, Simulation};
pub use report::{Broken, Reduced, Report};
pub use schedule::{Action, Happening, Schedule};
pub use world::{Event, View};

/// Number of states after which a search stops.
const MOST_STATES: usize = 1_000_000;

/// The possible answers to a call: a name for each, and the command that it leads to.
pub type Answers<C> = fn(&NewAttempt) -> Vec<(&'static str, C)>;

/// A service to be checked: its decisions, the rows that it has at first, and whatever is not an event.
pub struct Service<S: saga::Service> {
    typed: Typed<S>,
    rows: S::Rows,
}

impl<S: saga::Service> Service<S>
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    /// A service with its first rows. `saved` makes rows as if they had been written and loaded again:
    /// [`saga::Rows::saved`], for each table.
    pub fn new(service: S, rows: S::Rows, saved: fn(S::Rows) -> S::Rows) -> Self {
        Service { typed: Typed::new(service, saved), rows: saved(rows) }
    }

    /// A command that a person may give at any moment; once, unless it changes nothing then. `what` is the occasion of its
    /// lines in the table.
    #[must_use]
    pub fn may(self, what: &'static str, command: S::Command) -> Self
    where
        S::Command: Clone,
    {
        self.occasion(what, player::NOW, false, command)
    }

    /// As [`may`](Self::may), for a deadline: decided at this time, while everything else is decided at 1970-01-01. Choose
    /// one after every deadline that the decisions set from then.
    #[must_use]
    pub fn at(self, what: &'static str, at: DateTime<Utc>, command: S::Command) -> Self
    where
        S::Command: Clone,
    {
        self.occasion(what, at, true, command)
    }

    fn occasion(mut self, what: &'static str, at: DateTime<Utc>, is_deadline: bool, command: S::Command) -> Self
    where
        S::Command: Clone,
    {
        let command = Box::new(move || command.clone());
        self.typed.occasions.push(Occurrence { what, at, is_deadline, command });
        self
    }

    /// The possible answers to a durable call, each as the command that it leads to. One of them comes, at any moment.
    /// Without this, calls are never answered.
    #[must_use]
    pub fn answers(mut self, answers: Answers<S::Command>) -> Self {
        self.typed.answers = answers;
        self
    }

    /// Compares rows as loaded from a database for some commands with all rows of the model, where the former are only a part
    /// of the latter; without this, both must be equal. Only what is [played](Check::play) needs it.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn compared(mut self, alike: fn(all: &S::Rows, loaded: &S::Rows) -> bool) -> Self {
        self.typed.alike = alike;
        self
    }

    /// The service without its reactions to one event: a mutant, to test laws.
    ///
    /// # Panics
    /// If its table has no such line.
    #[must_use]
    pub fn without(mut self, event: &str) -> Self {
        self.typed.table = self.typed.table.without(event).unwrap_or_else(|why| panic!("{why}"));
        self.typed.without.push(event.to_owned());
        self
    }
}

/// A set of services, what clients ask them for, and laws.
#[derive(Default)]
pub struct Check {
    players: Vec<Rc<dyn Player>>,
    first: Vec<rows::Shared>,
    requests: Vec<Request>,
    laws: Vec<Law>,
    forgetful: bool,
    parks: bool,
    reduced: bool,
    most_states: Option<usize>,
}

impl Check {
    /// A check of nothing yet.
    pub fn new() -> Self {
        Check::default()
    }

    /// Adds a service.
    #[must_use]
    pub fn service<S: saga::Service>(mut self, service: Service<S>) -> Self
    where
        S::Rows: Debug + Clone + Eq + Hash + 'static,
    {
        self.first.push(rows::Shared::new(service.rows));
        self.players.push(Rc::new(service.typed));
        self
    }

    /// A client's request, which it may send twice.
    ///
    /// # Panics
    /// If it cannot be written as JSON, or if `clients` publish no requests.
    #[must_use]
    pub fn request(mut self, clients: Publisher, request: &impl Serialize) -> Self {
        let event_type = clients.bare_type().unwrap_or_else(|| panic!("`{clients}` publishes no requests"));
        let data = serde_json::to_string(request).unwrap_or_else(|why| panic!("a request that is no JSON: {why}"));
        self.requests.push(Request { topic: clients.topic(), event_type, data });
        self
    }

    /// Adds a law that holds in every state. An error says how it is broken.
    #[must_use]
    pub fn law(mut self, name: &'static str, holds: impl Fn(&View<'_>) -> Result<(), String> + 'static) -> Self {
        self.laws.push(Law { name, at_rest: false, holds: Box::new(holds) });
        self
    }

    /// Adds a law that holds whenever nothing is under way any more.
    #[must_use]
    pub fn at_rest(mut self, name: &'static str, holds: impl Fn(&View<'_>) -> Result<(), String> + 'static) -> Self {
        self.laws.push(Law { name, at_rest: true, holds: Box::new(holds) });
        self
    }

    /// Without inboxes: every event may reach a decision again, at any moment. What holds then holds by the decisions alone.
    #[must_use]
    pub fn forgetful(self) -> Self {
        Check { forgetful: true, ..self }
    }

    /// Each service may park an event of each saga, as if its database had refused it. Later events of the saga wait behind it
    /// until it is retried.
    #[must_use]
    pub fn parks(self) -> Self {
        Check { parks: true, ..self }
    }

    /// Searches fewer states without missing a broken law: of runs that differ only in the order of independent steps, or in
    /// the names of sagas that are alike, it takes one. That they are independent and alike is proved, not assumed;
    /// [`Report::reduced`] says how far. A law of any state keeps all orders of the steps of services whose rows it looks at;
    /// one about a single service, or [at rest](Self::at_rest), costs least. Laws must treat all sagas alike.
    #[must_use]
    pub fn reduced(self) -> Self {
        Check { reduced: true, ..self }
    }

    /// Another bound for the number of states than a million.
    #[must_use]
    pub fn at_most(self, states: usize) -> Self {
        Check { most_states: Some(states), ..self }
    }

    /// Explores every run.
    ///
    /// # Panics
    /// If nothing can happen: a request that no service consumes or can read, two services of one name, or no request and no
    /// occasion at all.
    pub fn explore(&self) -> Report {
        for (place, player) in self.players.iter().enumerate() {
            let is_new = self.players[..place].iter().all(|other| other.name() != player.name());
            assert!(is_new, "two services are called `{}`", player.name());
        }
        for Request { event_type, topic, .. } in &self.requests {
            let is_heard = self.players.iter().any(|player| player.hears(event_type, topic));
            assert!(is_heard, "no service consumes `{event_type}` on {topic}: correct the publisher of the request");
        }
        let may = self.players.iter().any(|player| !player.occasions().is_empty());
        assert!(may || !self.requests.is_empty(), "nothing begins: add a request or an occasion");

        search::explore(self, self.most_states.unwrap_or(MOST_STATES)).unwrap_or_else(|why| panic!("{why}"))
    }
}
