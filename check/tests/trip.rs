//! The trip of `examples/trip`, in every order that Kafka allows: everything or nothing, for each of two travellers who want the
//! last seat, room or car. And mutants of it, which the laws must notice.

use saga::{Rows, SagaId, barrier::Status};
use saga_check::{Check, Report, Service, View};
use trip::{
    Booking, Bookings, Books, Stock, Supplier, Trip,
    car::Car,
    flight::{CLIENTS, Flight},
    hotel::Hotel,
};

fn trip(number: u128) -> Trip {
    Trip {
        trip_id: SagaId(uuid::Uuid::from_u128(number)),
        traveller: format!("traveller {number}"),
        flight: "LX1".to_owned(),
        city: "Rome".to_owned(),
        nights: 2,
    }
}

fn saved(books: Books) -> Books {
    Books { stock: books.stock.saved(), bookings: books.bookings.saved() }
}

fn supplier<S: Supplier>(supplier: S, item: &str, free: i64) -> Service<Bookings<S>> {
    let stock = Rows::loaded([(item.to_owned(), Stock { free, price: 100 })]);
    Service::new(Bookings(supplier), Books { stock, bookings: Rows::default() }, saved)
}

/// Pieces of seat, room and car.
#[derive(Clone, Copy)]
struct Pieces(i64, i64, i64);

const ENOUGH: i64 = 9;

/// A check of the three services with these pieces, to which a fault may be added.
fn suppliers(
    Pieces(seats, rooms, cars): Pieces,
    hotel: impl FnOnce(Service<Bookings<Hotel>>) -> Service<Bookings<Hotel>>,
) -> Check {
    Check::new()
        .service(supplier(Flight, "LX1", seats))
        .service(hotel(supplier(Hotel, "Rome", rooms)))
        .service(supplier(Car, "Rome", cars))
        .at_rest("every trip is booked by all or by none", all_or_nothing)
        .law("no piece is lost or sold twice", move |view| {
            conserved(view.rows::<Bookings<Flight>>(), seats)?;
            conserved(view.rows::<Bookings<Hotel>>(), rooms)?;
            conserved(view.rows::<Bookings<Car>>(), cars)
        })
}

fn travellers(check: Check, number: u128) -> Check {
    (1..=number).fold(check, |check, number| check.request(CLIENTS, &trip(number)))
}

fn explored(pieces: Pieces, number: u128) -> Report {
    travellers(suppliers(pieces, |hotel| hotel), number).explore()
}

fn all_or_nothing(view: &View<'_>) -> Result<(), String> {
    let books = [view.rows::<Bookings<Flight>>(), view.rows::<Bookings<Hotel>>(), view.rows::<Bookings<Car>>()];
    for saga in view.sagas() {
        let status = |books: &Books| books.bookings.get(&saga).map(|booking: &Booking| booking.status);
        let confirmed = books.iter().filter(|books| status(books) == Some(Status::Confirmed)).count();
        let held = books.iter().any(|books| status(books) == Some(Status::Reserved));
        if held || (confirmed != 0 && confirmed != books.len()) {
            return Err(format!("{saga} is {:?}", books.map(status)));
        }
    }
    Ok(())
}

fn conserved(books: &Books, pieces: i64) -> Result<(), String> {
    let taken =
        books.bookings.iter().filter(|(_, booking)| matches!(booking.status, Status::Reserved | Status::Confirmed));
    let (free, taken) = (books.stock.iter().map(|(_, stock)| stock.free).sum::<i64>(), taken.count() as i64);
    if free >= 0 && free + taken == pieces { Ok(()) } else { Err(format!("{free} free and {taken} taken of {pieces}")) }
}

#[test]
fn one_trip_is_booked_or_cancelled_by_whoever_has_nothing_left() {
    let booked = explored(Pieces(ENOUGH, ENOUGH, ENOUGH), 1);
    booked.assert_holds();
    assert!(booked.endings.keys().eq([&vec!["TripBooked"]]), "{:?}", booked.endings);
    for pieces in [Pieces(0, 1, 1), Pieces(1, 0, 1), Pieces(1, 1, 0)] {
        let cancelled = explored(pieces, 1);
        cancelled.assert_holds();
        assert!(cancelled.endings.keys().eq([&vec!["TripCancelled"]]), "{:?}", cancelled.endings);
    }
}

#[test]
fn of_two_travellers_who_want_the_last_piece_one_gets_it() {
    for pieces in [Pieces(1, ENOUGH, ENOUGH), Pieces(ENOUGH, 1, ENOUGH), Pieces(ENOUGH, ENOUGH, 1), Pieces(1, 1, 1)] {
        let report = explored(pieces, 2);
        report.assert_holds();
        assert!(report.endings.contains_key(&vec!["TripBooked", "TripCancelled"]), "{:?}", report.endings);
        assert!(!report.endings.contains_key(&vec!["TripBooked", "TripBooked"]), "{:?}", report.endings);
    }
}

/// A seat that is given back may be sold again: with two seats and one car, one of three travels, whoever comes when.
#[test]
fn three_trips_compete_for_seats_and_a_car_in_every_order() {
    let report = explored(Pieces(2, ENOUGH, 1), 3);
    report.assert_holds();
    assert!(report.endings.keys().eq([&vec!["TripBooked", "TripCancelled", "TripCancelled"]]), "{:?}", report.endings);
    assert!(report.states > 1_000, "{} states", report.states);
}

/// Each law is noticed by the barrier alone: no inbox keeps repetitions out.
#[test]
fn repetitions_change_nothing_even_without_an_inbox() {
    for pieces in [Pieces(1, 1, 1), Pieces(1, 1, 0)] {
        travellers(suppliers(pieces, |hotel| hotel), 1).forgetful().explore().assert_holds();
    }
}

#[test]
fn a_forgotten_compensation_is_noticed_with_a_shortest_run() {
    let check = travellers(suppliers(Pieces(1, 1, 0), |hotel| hotel.without("CarRefused")), 1);
    let broken = check.explore().broken.expect("noticed");
    assert_eq!(broken.law, "every saga ends");
    assert_eq!(
        broken.story,
        [
            "TripRequested → flight (hold) → SeatHeld",
            "SeatHeld → hotel (hold) → RoomHeld",
            "RoomHeld → car (book) → CarRefused",
        ],
        "{broken}"
    );
}

#[test]
fn a_law_of_the_business_is_noticed() {
    let check = travellers(suppliers(Pieces(1, 1, 1), |hotel| hotel), 1).law("nobody flies", |view| {
        if view.rows::<Bookings<Flight>>().bookings.iter().next().is_some() {
            Err("somebody does".to_owned())
        } else {
            Ok(())
        }
    });
    let broken = check.explore().broken.expect("noticed");
    assert_eq!((broken.law, broken.story.len()), ("nobody flies", 1), "{broken}");
}

#[test]
fn a_search_that_meets_its_bound_says_so() {
    let report = travellers(suppliers(Pieces(1, 1, 1), |hotel| hotel), 2).at_most(10).explore();
    assert!(!report.is_complete && report.broken.is_none());
    let panicked = std::panic::catch_unwind(|| report.assert_holds());
    assert!(panicked.is_err(), "an incomplete search proves nothing");
}
