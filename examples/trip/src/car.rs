//! The car: the trip's pivot. No later step can refuse, so a car is booked at once.

use saga::{
    Publisher, Says, Table,
    barrier::{Status, Step},
    publisher, says,
    table::does,
};

use crate::hotel::RoomHeld;
use crate::{Command, Outcome, Supplier, Trip};

saga::events! { Car::PUBLISHER, trip: Trip,
    /// A car is booked for good, at this price in cents: room and seat are now certain.
    CarBooked { price: i64 }
    /// There is no car: the room, then the seat, have to be released.
    CarRefused { reason: String }
}

/// Rents cars.
pub struct Car;

impl Supplier for Car {
    const PUBLISHER: Publisher = publisher!("car");
    const SOLD_OUT: &'static str = "no_car";
    const AFTER_TRY: Status = Status::Confirmed;

    fn table() -> Table<Command> {
        Table::of(Self::PUBLISHER)
            .on(does("book"), says![pivot CarBooked, refuses CarRefused], |e: RoomHeld| (e.trip, Step::Try))
    }

    fn wants(trip: &Trip) -> (&str, i64) {
        (&trip.city, trip.nights.into())
    }

    fn says(trip: Trip, outcome: Outcome) -> Says {
        match outcome {
            Outcome::Held { price } => Says::event(CarBooked { trip, price }),
            Outcome::Refused { reason } => Says::event(CarRefused { trip, reason }),
            Outcome::Booked | Outcome::Released { .. } => Says::impossible("no event confirms or cancels a car"),
        }
    }
}
