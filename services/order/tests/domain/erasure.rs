//! Decisions about erasures, and about orders of an erased user.

use events::{OrderId, UserId, erasure::MOST_ORDERS};
use order::{Command, Door, OrdersOf, Status};
use saga::Rows;
use uuid::Uuid;

use crate::desk::{DIGITAL, Desk, PHYSICAL, order_id, place, request, types};

const USER: UserId = UserId(1);

/// A desk that knows this many orders of the user.
fn desk(under_way: usize, ended: usize, is_erased: bool) -> Desk {
    let mut desk = Desk::new();
    let all = (0..under_way + ended).map(|number| OrderId(Uuid::from_u128(number as u128 + 1))).collect();
    desk.register.users.orders.insert(USER, OrdersOf { under_way, all });
    desk.register.users.erased = Rows::loaded(is_erased.then_some((USER, ())));
    desk
}

#[test]
fn a_user_is_erased_unless_an_order_is_under_way_and_as_often_as_it_is_asked_for() {
    for under_way in [0, 1, 2] {
        for ended in [0, 1, MOST_ORDERS, MOST_ORDERS + 1] {
            for is_erased in [false, true] {
                let mut desk = desk(under_way, ended, is_erased);
                let before = desk.register.clone();
                let says = desk.decide(&Command::Erase(USER));
                if under_way > 0 {
                    let why = says.refused.expect("refused");
                    assert!(why.contains(&format!("{under_way} orders that have not ended")), "{why}");
                    assert!(says.events.is_empty() && desk.register == before);
                    continue;
                }
                let events = ended.div_ceil(MOST_ORDERS).max(1);
                assert_eq!(types(&says), vec!["UserErased"; events]);
                assert!(
                    desk.register.users.erased.get(&USER).is_some() && desk.register.users.scrubbed.contains(&USER)
                );
                assert_eq!(desk.register.users.erased.new_rows().len(), usize::from(!is_erased));
                assert!(desk.register.history.is_empty() && desk.register.purchases == before.purchases);
            }
        }
    }
}

#[test]
fn who_is_erased_places_no_order_through_either_door() {
    for products in [&[DIGITAL][..], &[PHYSICAL], &[404], &[]] {
        let lines: Vec<_> = products.iter().map(|product| (*product, 1)).collect();
        let mut desk = desk(0, 0, true);
        let (at_topic, at_api) = (order_id(), order_id());
        assert_eq!(types(&desk.decide(&place(at_topic, request(&lines)))), ["OrderRejected"], "{products:?}");
        let rejected = desk.purchase(at_topic);
        assert_eq!((rejected.status, rejected.reason), (Status::Rejected, Some(events::Reason::UnknownUser)));
        assert_eq!(rejected.facts.ship_to, None);
        let Command::Place(placement) = place(at_api, request(&lines)) else { panic!("a placement") };
        let says = desk.decide(&Command::Place(order::Placement { door: Door::Api, ..placement }));
        assert!(says.refused.is_some_and(|why| why == "user 1 is erased") && says.events.is_empty());
        assert!(desk.register.purchases.get(&at_api).is_none());
    }
}
