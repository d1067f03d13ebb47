//! Lint for choreographed sagas. It reads nothing but the services' tables, as each program prints them with
//! `--choreography`, and finds what makes people fear choreography: events that nobody consumes, outcomes that nobody
//! handles, compensations that are missing or come in the wrong order, flows that never end.
//!
//! ```
//! use saga::{Facts, Publisher, SagaId, Table, choreography::Part, publisher, says, table::{confirms, does, tries}};
//! use saga_lint::{Code, Lint};
//! # #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
//! # pub struct Trip { trip_id: SagaId }
//! # impl Facts for Trip { fn saga_id(&self) -> SagaId { self.trip_id } }
//!
//! mod flight {
//!     saga::events! { saga::publisher!("flight"), trip: super::Trip, SeatHeld {} TripBooked {} TripCancelled {} }
//! }
//! mod hotel {
//!     saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomBooked {} RoomRefused {} }
//! }
//!
//! # fn main() {
//! const CLIENTS: Publisher = Publisher::of_requests("client", "trip.requests", "TripRequested");
//!
//! let flight: Table<Trip> = Table::of(publisher!("flight"))
//!     .on_request(CLIENTS, tries("hold"), says![flight::SeatHeld, refuses aborts flight::TripCancelled], |trip: Trip| trip)
//!     .on(confirms("book"), says![completes flight::TripBooked], |event: hotel::RoomBooked| event.trip);
//! let hotel: Table<Trip> = Table::of(publisher!("hotel"))
//!     .on(does("book"), says![pivot hotel::RoomBooked, refuses hotel::RoomRefused], |event: flight::SeatHeld| event.trip);
//!
//! let lint = Lint::of([Part::from(&flight), Part::from(&hotel)]).allow(Code::NoDeadline, "travellers are patient");
//! let findings = lint.findings();
//! assert_eq!(findings[0].code, Code::UnhandledOutcome, "nobody hears that the hotel has no room: {findings:?}");
//! # }
//! ```
//!
//! # How
//! Some [codes](Code) are properties of the graph of events. The others come from [running](Lint::findings) the tables:
//! each line does to its step what [`barrier::pass`](saga::barrier::pass) says for its phase, each decision has each of its
//! outcomes, deliveries come in any order that Kafka allows between topics, and each deadline or cancellation may come at
//! any moment. What is wrong at the end of such a run is a finding, with the shortest run that shows it.
//!
//! It knows what a table says, and not what a decision really does: for that there is a model checker, which runs the
//! decisions themselves.

#![warn(missing_docs)]

mod code;
mod finding;
mod graph;
mod output;
mod rules;
mod run;

use saga::choreography::Part;

pub use code::Code;
pub use finding::{Finding, Hop};
pub use output::{to_json, to_sarif, to_text};

use graph::{EventId, Graph};

/// A lint of a set of services, which together are a system.
#[derive(Debug, Clone)]
pub struct Lint {
    parts: Vec<Part>,
    allowed: Vec<(Code, String)>,
}

impl Lint {
    /// A lint of these services' tables.
    pub fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        Lint { parts: parts.into_iter().collect(), allowed: Vec::new() }
    }

    /// Accepts findings with this code, for a reason that the reader of the code should know.
    #[must_use]
    pub fn allow(mut self, code: Code, reason: impl Into<String>) -> Self {
        self.allowed.push((code, reason.into()));
        self
    }

    /// Everything found and not allowed, most basic first.
    pub fn findings(&self) -> Vec<Finding> {
        let graph = Graph::of(&self.parts);
        let is_allowed = |code: Code| self.allowed.iter().any(|(allowed, _)| *allowed == code);
        let mut faults = rules::faults(&graph);
        faults.retain(|fault| !is_allowed(fault.finding.code));
        // A run with a fault that is known already would only find it again, in other words.
        let known: Vec<EventId> = faults.iter().flat_map(|fault| &fault.events).copied().collect();
        let mut all: Vec<Finding> = faults.into_iter().map(|fault| fault.finding).collect();
        all.extend(run::findings(&graph, &known).into_iter().filter(|finding| !is_allowed(finding.code)));
        all.sort_by(|a, b| (a.code, &a.message).cmp(&(b.code, &b.message)));
        all.dedup();
        all
    }
}
