//! The common part of the three services: each takes one item from its stock for a trip, and books it or puts it back.

use chrono::{DateTime, Utc};
use saga::barrier::{Move, Status, pass};
use saga::store::{all_inserted, parse, update_steps};
use saga::{Publisher, Rows, SagaId, Says, Service, StoreError, Table};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Command, Outcome, Supplier};

/// The service of a supplier.
pub struct Bookings<S>(pub S);

/// The rows that a batch works on.
pub struct Books {
    stock: Rows<String, Stock>,
    bookings: Rows<SagaId, Booking>,
}

/// Items of one kind. The price is in cents.
#[derive(Clone, Copy)]
struct Stock {
    free: i64,
    price: i64,
}

/// A trip's booking at this supplier.
struct Booking {
    item: String,
    status: Status,
    reason: Option<String>,
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
        let rows: Vec<(Uuid, String, String, Option<String>)> = sqlx::query_as(
            "select trip_id, item, status, reason from bookings where trip_id = any($1) order by trip_id for update",
        )
        .bind(commands.iter().map(|(trip, _)| trip.trip_id.0).collect::<Vec<_>>())
        .fetch_all(&mut *db)
        .await?;
        let taken = rows.iter().map(|(_, item, ..)| item.as_str());
        let items: Vec<&str> = commands.iter().map(|(trip, _)| S::wants(trip).0).chain(taken).collect();
        let stock: Vec<(String, i64, i64)> =
            sqlx::query_as("select item, free, price from stock where item = any($1) order by item for update")
                .bind(items)
                .fetch_all(db)
                .await?;
        let bookings = rows.into_iter().map(|(trip, item, status, reason)| {
            Ok((SagaId(trip), Booking { item, status: parse("bookings", trip, &status)?, reason }))
        });
        Ok(Books {
            stock: Rows::loaded(stock.into_iter().map(|(item, free, price)| (item, Stock { free, price }))),
            bookings: Rows::loaded(bookings.collect::<Result<Vec<_>, StoreError>>()?),
        })
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
        let new = books.bookings.new_rows();
        let inserted = sqlx::query(
            "insert into bookings (trip_id, item, status, reason)
             select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) on conflict do nothing",
        )
        .bind(new.iter().map(|(trip, _)| trip.0).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, row)| row.item.as_str()).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, row)| row.status.as_str()).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, row)| row.reason.as_deref()).collect::<Vec<_>>())
        .execute(&mut *db)
        .await?;
        all_inserted("bookings", new.len(), inserted.rows_affected())?;
        update_steps(
            db,
            "update bookings b set status = n.status, reason = n.reason
             from unnest($1::uuid[], $2::text[], $3::text[]) n (trip_id, status, reason) where b.trip_id = n.trip_id",
            books.bookings.changed_rows().iter().map(|(trip, row)| (**trip, row.status, row.reason.as_deref())),
        )
        .await?;
        let stock = books.stock.changed_rows();
        sqlx::query(
            "update stock s set free = n.free
             from unnest($1::text[], $2::bigint[]) n (item, free) where s.item = n.item",
        )
        .bind(stock.iter().map(|(item, _)| item.as_str()).collect::<Vec<_>>())
        .bind(stock.iter().map(|(_, row)| row.free).collect::<Vec<_>>())
        .execute(db)
        .await?;
        Ok(())
    }
}
