//! The reduced search finds what the full one finds: the same endings where the laws hold, and a broken law where one is broken.

use std::collections::BTreeSet;

use saga::{Rows, SagaId};
use saga_check::{Check, Report, Service};
use trip::{
    Bookings, Books, Stock, Supplier, Trip,
    car::Car,
    flight::{CLIENTS, Flight},
    hotel::Hotel,
};

fn saved(books: Books) -> Books {
    Books { stock: books.stock.saved(), bookings: books.bookings.saved() }
}

fn supplier<S: Supplier>(supplier: S, item: &str, free: i64) -> Service<Bookings<S>> {
    let stock = Rows::loaded([(item.to_owned(), Stock { free, price: 100 })]);
    Service::new(Bookings(supplier), Books { stock, bookings: Rows::default() }, saved)
}

fn trips(number: u128, pieces: [i64; 3], hotel: fn(Service<Bookings<Hotel>>) -> Service<Bookings<Hotel>>) -> Check {
    let [seats, rooms, cars] = pieces;
    let check = Check::new()
        .service(supplier(Flight, "LX1", seats))
        .service(hotel(supplier(Hotel, "Rome", rooms)))
        .service(supplier(Car, "Rome", cars));
    let trip = |number| Trip {
        trip_id: SagaId(uuid::Uuid::from_u128(number)),
        traveller: "somebody".to_owned(),
        flight: "LX1".to_owned(),
        city: "Rome".to_owned(),
        nights: 2,
    };
    (1..=number).fold(check, |check, number| check.request(CLIENTS, &trip(number)))
}

fn endings(report: &Report) -> BTreeSet<&Vec<&'static str>> {
    report.endings.keys().collect()
}

#[test]
fn show() {
    for number in 1..=4 {
        let begun = std::time::Instant::now();
        let full = if number < 4 { Some(trips(number, [2, 9, 1], |hotel| hotel).at_most(3_000_000).explore()) } else { None };
        eprintln!("{number}: full {:?} {:?}", full.map(|full| (full.states, full.steps, full.endings)), begun.elapsed());
        let begun = std::time::Instant::now();
        let few = trips(number, [2, 9, 1], |hotel| hotel).reduced().explore();
        eprintln!("{number}: reduced {:?} {:?}", (few.states, few.steps, &few.endings, &few.reduced, &few.broken), begun.elapsed());
    }
}
