//! The flight: starts a trip by holding a seat, and ends it.

use saga::{
    Publisher, Says, Table,
    barrier::Step,
    publisher, says,
    table::{cancels, confirms, tries},
};

use crate::hotel::{RoomBooked, RoomRefused, RoomReleased};
use crate::{Command, Outcome, Supplier, Trip};

/// Clients: anybody may publish a bare [`Trip`] on this topic.
pub const CLIENTS: Publisher = Publisher::of_requests("client", "trip.requests", "TripRequested");

saga::events! { Flight::PUBLISHER, trip: Trip,
    /// A seat is held, for this price in cents.
    SeatHeld { price: i64 }
    /// End of the trip: everything is booked.
    TripBooked {}
    /// End of the trip: nothing is held anywhere. The reason says which service refused.
    TripCancelled { reason: String }
}

/// Sells seats.
pub struct Flight;

impl Supplier for Flight {
    const PUBLISHER: Publisher = publisher!("flight");
    const SOLD_OUT: &'static str = "no_seat";

    fn table() -> Table<Command> {
        let held = says![SeatHeld, refuses aborts TripCancelled];
        Table::of(Self::PUBLISHER)
            .on_request(CLIENTS, tries("hold"), held, |trip: Trip| (trip, Step::Try))
            .on(confirms("book"), says![completes TripBooked], |e: RoomBooked| (e.trip, Step::Confirm))
            .on(cancels("release"), says![aborts TripCancelled], |e: RoomRefused| (e.trip, Step::Cancel(e.reason)))
            .on(cancels("release"), says![aborts TripCancelled], |e: RoomReleased| (e.trip, Step::Cancel(e.reason)))
    }

    fn wants(trip: &Trip) -> (&str, i64) {
        (&trip.flight, 1)
    }

    fn says(trip: Trip, outcome: Outcome) -> Says {
        match outcome {
            Outcome::Held { price } => Says::event(SeatHeld { trip, price }),
            Outcome::Booked => Says::event(TripBooked { trip }),
            Outcome::Refused { reason } | Outcome::Released { reason } => Says::event(TripCancelled { trip, reason }),
        }
    }
}
