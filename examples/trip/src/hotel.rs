//! The hotel: holds a room, books it once there is a car, and releases it if there is none.

use saga::{
    Publisher, Says, Table,
    barrier::Step,
    publisher, says,
    table::{cancels, confirms, tries},
};

use crate::car::{CarBooked, CarRefused};
use crate::flight::SeatHeld;
use crate::{Command, Outcome, Supplier, Trip};

saga::events! { Hotel::PUBLISHER, trip: Trip,
    /// A room is held, for this price in cents.
    RoomHeld { price: i64 }
    /// There is no room: the seat has to be released.
    RoomRefused { reason: String }
    /// The room is booked for good.
    RoomBooked {}
    /// The room has been released: the seat has to be released as well.
    RoomReleased { reason: String }
}

/// Lets rooms.
pub struct Hotel;

impl Supplier for Hotel {
    const PUBLISHER: Publisher = publisher!("hotel");
    const SOLD_OUT: &'static str = "no_room";

    fn table() -> Table<Command> {
        Table::of(Self::PUBLISHER)
            .on(tries("hold"), says![RoomHeld, refuses RoomRefused], |e: SeatHeld| (e.trip, Step::Try))
            .on(confirms("book"), says![RoomBooked], |e: CarBooked| (e.trip, Step::Confirm))
            .on(cancels("release"), says![RoomReleased], |e: CarRefused| (e.trip, Step::Cancel(e.reason)))
    }

    fn wants(trip: &Trip) -> (&str, i64) {
        (&trip.city, trip.nights.into())
    }

    fn says(trip: Trip, outcome: Outcome) -> Says {
        match outcome {
            Outcome::Held { price } => Says::event(RoomHeld { trip, price }),
            Outcome::Refused { reason } => Says::event(RoomRefused { trip, reason }),
            Outcome::Booked => Says::event(RoomBooked { trip }),
            Outcome::Released { reason } => Says::event(RoomReleased { trip, reason }),
        }
    }
}
