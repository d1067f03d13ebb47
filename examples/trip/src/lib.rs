//! A trip of flight, hotel and car, booked in full or not at all. README.md shows the events, and how to run it.

mod booking;
pub mod car;
pub mod flight;
pub mod hotel;

pub use booking::{Booking, Bookings, Books, Stock};

use saga::{
    Facts, Program, Publisher, SagaId, Says, Table,
    barrier::{Status, Step},
    config::Config,
};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;

/// A client's request. It is in every event, so that no service has to ask another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trip {
    /// Chosen by the client. A request sent twice has the same id, and counts once.
    pub trip_id: SagaId,
    pub traveller: String,
    pub flight: String,
    /// Of the hotel and of the car.
    pub city: String,
    pub nights: u8,
}

impl Facts for Trip {
    fn saga_id(&self) -> SagaId {
        self.trip_id
    }
}

/// What an event asks of a service, for a trip. A cancellation has a reason: free text from the service that refused.
pub type Command = (Trip, Step<String>);

/// Outcome of a command.
pub enum Outcome {
    Held { price: i64 },
    Refused { reason: String },
    Booked,
    Released { reason: String },
}

/// A service of the trip: what distinguishes it from the others. [`Bookings`] is the common part.
pub trait Supplier: Send + Sync + 'static {
    const PUBLISHER: Publisher;
    /// Reason given when it refuses.
    const SOLD_OUT: &'static str;
    /// Status after a successful Try: reserved, unless nothing can fail any more.
    const AFTER_TRY: Status = Status::Reserved;

    /// Its table of events and decisions.
    fn table() -> Table<Command>;
    /// The item that a trip needs one of, and the number of times that its price is charged.
    fn wants(trip: &Trip) -> (&str, i64);
    /// Its event for an outcome.
    fn says(trip: Trip, outcome: Outcome) -> Says;
}

/// The tables of each service's database.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the databases' roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// The `main` of a supplier's program.
pub fn main<S: Supplier>(supplier: S) -> anyhow::Result<()> {
    saga::main::<Bookings<S>, _>(|config| run(supplier, config))
}

/// Runs a supplier's program until it is told to stop.
pub async fn run<S: Supplier>(supplier: S, config: Config) -> anyhow::Result<()> {
    Program::new(Bookings(supplier), config, &MIGRATIONS)?.grants(GRANTS).run().await
}
