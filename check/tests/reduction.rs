//! The reduced search finds what the full one finds: the same endings where the laws hold, and the same broken law where one is
//! broken.

use chrono::{DateTime, Utc};
use saga::{Facts, Publisher, Rows, SagaId, Says, StoreError, Table, publisher, says};
use saga_check::{Check, Report, Service};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
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

fn id(number: u128) -> SagaId {
    SagaId(uuid::Uuid::from_u128(number))
}

/// A line that one of the three services lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lacks(&'static str, &'static str);

fn trips(number: u128, [seats, rooms, cars]: [i64; 3], lacks: Option<Lacks>, travellers: fn(u128) -> String) -> Check {
    fn of<S: Supplier>(lacks: Option<Lacks>, service: Service<Bookings<S>>) -> Service<Bookings<S>>
    where
        Bookings<S>: saga::Service<Rows = Books>,
    {
        match lacks {
            Some(Lacks(name, event)) if name == <Bookings<S> as saga::Service>::NAME => service.without(event),
            Some(_) | None => service,
        }
    }
    let check = Check::new()
        .service(of(lacks, supplier(Flight, "LX1", seats)))
        .service(of(lacks, supplier(Hotel, "Rome", rooms)))
        .service(of(lacks, supplier(Car, "Rome", cars)));
    let trip = |number| Trip {
        trip_id: id(number),
        traveller: travellers(number),
        flight: "LX1".to_owned(),
        city: "Rome".to_owned(),
        nights: 2,
    };
    (1..=number).fold(check, |check, number| check.request(CLIENTS, &trip(number)))
}

fn same(_: u128) -> String {
    "somebody".to_owned()
}

/// The names of the endings, and of the broken law.
fn found(report: &Report) -> (Vec<&Vec<&'static str>>, Option<&'static str>) {
    match &report.broken {
        Some(broken) => (Vec::new(), Some(broken.law)),
        None => (report.endings.keys().collect(), None),
    }
}

/// Compares both searches; returns their numbers of states.
#[track_caller]
fn compared(check: impl Fn() -> Check) -> (usize, usize) {
    let (full, reduced) = (check().explore(), check().reduced().explore());
    assert_eq!(found(&full), found(&reduced), "{full:?}\n{reduced:?}");
    assert!(full.reduced.is_none() && reduced.reduced.is_some());
    (full.states, reduced.states)
}

#[test]
fn sound_trips_end_in_the_same_ways_in_fewer_states() {
    let (mut all, mut few) = (0, 0);
    for pieces in [[9, 9, 9], [2, 9, 1], [1, 1, 1], [9, 0, 9], [0, 9, 9], [2, 1, 2]] {
        for number in 1..=3 {
            let (full, reduced) = compared(|| trips(number, pieces, None, same));
            assert!(reduced <= full, "{number} trips for {pieces:?}: {reduced} of {full}");
            (all, few) = (all + full, few + reduced);
        }
    }
    assert!(few * 5 < all, "{few} of {all} states");
}

#[test]
fn a_broken_law_is_found_whatever_line_is_missing() {
    let lines = [
        Lacks("flight", "RoomRefused"),
        Lacks("flight", "RoomReleased"),
        Lacks("flight", "CarRented"),
        Lacks("hotel", "SeatHeld"),
        Lacks("hotel", "CarRented"),
        Lacks("hotel", "CarRefused"),
        Lacks("car", "RoomHeld"),
    ];
    let tables = [<Bookings<Flight> as saga::Service>::table(), <Bookings<Hotel> as saga::Service>::table()];
    let mut broken = 0;
    for lacks in lines.into_iter().filter(|Lacks(service, event)| {
        let has = |table: &Table<_>| {
            table.lines().any(
                |line| matches!(line.trigger, saga::table::Trigger::Event { event_type, .. } if event_type == *event),
            )
        };
        *service == "car" || tables.iter().any(|table| table.service().name() == *service && has(table))
    }) {
        for pieces in [[2, 2, 1], [2, 0, 2]] {
            compared(|| trips(2, pieces, Some(lacks), same));
            broken += usize::from(trips(2, pieces, Some(lacks), same).explore().broken.is_some());
        }
    }
    assert!(broken >= 6, "{broken}");
}

/// A law of any state that looks at several services keeps all orders of their steps.
#[test]
fn a_law_that_holds_in_some_order_only_is_noticed() {
    let check = |number| {
        trips(number, [9, 9, 9], None, same).law("nobody has a seat before another has a car", |view| {
            let taken = |books: &Books| books.bookings.iter().count();
            let (seats, cars) = (taken(view.rows::<Bookings<Flight>>()), taken(view.rows::<Bookings<Car>>()));
            if seats == 2 && cars == 1 { Err("somebody has".to_owned()) } else { Ok(()) }
        })
    };
    assert_eq!(found(&check(2).explore()).1, Some("nobody has a seat before another has a car"));
    compared(|| check(2));
    compared(|| check(1));
}

#[test]
fn inputs_whose_order_matters_are_named() {
    let report = trips(3, [2, 9, 1], None, same).reduced().explore();
    let reduced = report.reduced.expect("it was reduced");
    let of = |service: &str| reduced.dependent.iter().any(|(name, ..)| *name == service);
    assert!(of("flight") && of("car") && !of("hotel"), "there are rooms for all: {reduced:?}");
    assert_eq!((reduced.renamings, reduced.not_used.len()), (6, 0));
}

#[test]
fn sagas_that_differ_are_not_taken_for_each_other() {
    let differ = |number| format!("traveller {number}");
    let reduced = trips(2, [2, 9, 1], None, differ).reduced().explore().reduced.expect("it was reduced");
    assert_eq!(reduced.renamings, 1);
    compared(|| trips(2, [2, 9, 1], None, differ));
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bid {
    bid: SagaId,
}

impl Facts for Bid {
    fn saga_id(&self) -> SagaId {
        self.bid
    }
}

mod auction {
    saga::events! { saga::publisher!("auction"), bid: super::Bid, Won {} Lost {} }
}
use auction::{Lost, Won};

const BIDDERS: Publisher = Publisher::of_requests("bidder", "bid.requests", "BidMade");

/// Prefers whoever has the greater id: sagas that look alike are not. `true` makes it fair.
struct Auction(bool);

impl saga::Service for Auction {
    type Command = Bid;
    type Rows = Rows<SagaId, ()>;

    const PUBLISHER: Publisher = publisher!("auction");

    fn table() -> Table<Bid> {
        Table::of(Self::PUBLISHER).on_request(BIDDERS, "decide", says![completes Won, aborts Lost], |bid: Bid| bid)
    }

    fn saga_of(bid: &Bid) -> SagaId {
        bid.bid
    }

    async fn load(&self, _: &mut PgConnection, _: &[&Bid]) -> Result<Self::Rows, StoreError> {
        unreachable!("nothing is loaded here")
    }

    fn decide(&self, rows: &mut Self::Rows, bid: &Bid, _: DateTime<Utc>) -> Says {
        if rows.get(&bid.bid).is_some() {
            return Says::ignored("decided already");
        }
        let wins = if self.0 { rows.iter().next().is_none() } else { rows.iter().all(|(other, ())| *other > bid.bid) };
        rows.put(bid.bid, ());
        if wins { Says::event(Won { bid: bid.clone() }) } else { Says::event(Lost { bid: bid.clone() }) }
    }

    async fn save(&self, _: &mut PgConnection, _: &Self::Rows) -> Result<(), StoreError> {
        unreachable!("nothing is saved here")
    }
}

#[test]
fn a_service_that_tells_sagas_apart_by_their_ids_is_found_out() {
    let bids = |is_fair| {
        let auction = Service::new(Auction(is_fair), Rows::default(), Rows::saved);
        (1..=3).fold(Check::new().service(auction), |check, number| check.request(BIDDERS, &Bid { bid: id(number) }))
    };
    let reduced = |is_fair| bids(is_fair).reduced().explore().reduced.expect("it was reduced");
    assert_eq!((reduced(true).renamings, reduced(false).renamings), (6, 1));
    assert!(reduced(false).not_used[0].contains("tells sagas apart by their ids"));
    compared(|| bids(true));
    compared(|| bids(false));
}
