//! The common part of the three services: each takes one item from its stock for a trip, and books it or puts it back.

use chrono::{DateTime, Utc};
use saga::barrier::{Move, Status, pass};
use saga::{Publisher, Rows, SagaId, Says, Service, StoreError, Table, rows};
use sqlx::PgConnection;

use crate::{Command, Outcome, Supplier};

/// The service of a supplier.
pub struct Bookings<S>(pub S);

/// The rows that a batch works on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Books {
    pub stock: Rows<String, Stock>,
    pub bookings: Rows<SagaId, Booking>,
}

rows! {
    /// Items of one kind. The price is in cents.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Stock in "stock" by (item: String) {
        free: i64,
        price: i64,
    }
}

rows! {
    /// A trip's booking at this supplier.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub struct Booking in "bookings" by (trip_id: SagaId) {
        item: String,
        status: Status,
        reason: Option<String>,
    }
}

impl<S: Supplier> Service for Bookings<S> {
    type Command = Command;
    type Rows = Books;

    const PUBLISHER: Publisher = S::PUBLISHER;

    fn table() -> Table<Command> {
        S::table()
    }

    fn saga_of((trip, _): &Command) -> SagaId {
        trip.trip_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Books, StoreError> {
        let bookings = Booking::load(db, commands.iter().map(|(trip, _)| trip.trip_id)).await?;
        let wanted = commands.iter().map(|(trip, _)| S::wants(trip).0.to_owned());
        let taken = bookings.iter().map(|(_, booking)| booking.item.clone());
        Ok(Books { stock: Stock::load(db, wanted.chain(taken)).await?, bookings })
    }

    /// Applies what the barrier lets through: it decides every step in every state of the booking.
    fn decide(&self, books: &mut Books, (trip, step): &Command, _now: DateTime<Utc>) -> Says {
        let (wanted, times) = S::wants(trip);
        let known = books.bookings.get(&trip.trip_id);
        // The item taken counts, even if a later event names another.
        let item = known.map_or(wanted, |booking| &booking.item).to_owned();
        let stock = books.stock.get(&item).copied();
        let (status, outcome) = match pass(known.map(|booking| booking.status), step.clone()) {
            Move::Reserve => match stock.filter(|stock| stock.free > 0) {
                Some(Stock { free, price }) => {
                    books.stock.put(item.clone(), Stock { free: free - 1, price });
                    (S::AFTER_TRY, Outcome::Held { price: price * times })
                }
                None => (Status::Rejected, Outcome::Refused { reason: S::SOLD_OUT.to_owned() }),
            },
            Move::Confirm => (Status::Confirmed, Outcome::Booked),
            Move::Release(reason) | Move::GiveBack(reason) => {
                let Some(Stock { free, price }) = stock else {
                    return Says::impossible(format!("{item} is taken, and has no stock any more"));
                };
                books.stock.put(item.clone(), Stock { free: free + 1, price });
                (Status::Cancelled, Outcome::Released { reason })
            }
            Move::Forbid(reason) => (Status::Cancelled, Outcome::Released { reason }),
            Move::Nothing(why) => return Says::ignored(why),
        };
        let reason = match &outcome {
            Outcome::Refused { reason } | Outcome::Released { reason } => Some(reason.clone()),
            Outcome::Held { .. } | Outcome::Booked => None,
        };
        books.bookings.put(trip.trip_id, Booking { item, status, reason });
        S::says(trip.clone(), outcome)
    }

    async fn save(&self, db: &mut PgConnection, books: &Books) -> Result<(), StoreError> {
        Booking::save(db, &books.bookings).await?;
        Stock::save(db, &books.stock).await
    }
}
