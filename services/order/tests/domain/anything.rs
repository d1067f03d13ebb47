//! Any readable request is priced or refused; nothing overflows, and no event contains what Postgres cannot store.

use events::{
    OrderId, PaymentMethodId, ProductId, UserId,
    envelope::{RawRecord, read},
    request::{OrderRequested, RequestedItem},
};
use order::{Command, Door, Orders, Placement, Status};
use proptest::prelude::*;
use saga::{Service, ids::Coordinates, record::Record};
use uuid::Uuid;

use crate::desk::{DIGITAL, Desk, FOR_POINTS, PHYSICAL, PRICELESS, types};

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 1..100_i64,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![0, -1, i64::MIN, i64::MAX, i64::MAX / 100, i64::MAX / 250 + 1]),
    ]
}

fn item() -> impl Strategy<Value = RequestedItem> {
    let product = prop_oneof![
        8 => prop::sample::select(vec![DIGITAL, PHYSICAL, FOR_POINTS, PRICELESS]),
        1 => any::<i64>(),
    ];
    (product, number()).prop_map(|(product, quantity)| RequestedItem { product_id: ProductId(product), quantity })
}

/// Mostly printable text; sometimes with a NUL or an escape sequence, or far too long.
fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        8 => "\\PC{0,40}",
        1 => ".{0,40}",
        1 => "[a\\x00\\x1b\\u{85}]{1,4}",
        1 => "é{499,502}",
    ])
}

fn request() -> impl Strategy<Value = OrderRequested> {
    let items = prop_oneof![8 => prop::collection::vec(item(), 0..6), 1 => prop::collection::vec(item(), 99..103)];
    let order_id = prop::option::of(any::<u128>().prop_map(|id| OrderId(Uuid::from_u128(id))));
    (number(), number(), items, order_id, text(), text()).prop_map(|(user, method, items, order_id, key, ship_to)| {
        OrderRequested {
            user_id: UserId(user),
            payment_method_id: PaymentMethodId(method),
            items,
            order_id,
            idempotency_key: key,
            ship_to,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4096)))]

    #[test]
    fn any_request_is_priced_or_turned_away(request in request(), api in any::<bool>(), twice in any::<bool>()) {
        let mut desk = Desk::new();
        let order_id = OrderId(Uuid::now_v7());
        let door = if api { Door::Api } else { Door::Topic };
        let command = Command::Place(Placement { order_id, request: request.clone(), door, former: None });
        let says = desk.decide(&command);
        prop_assert!(says.events.len() == 1 || says.refused.is_some(), "{says:?}");
        for said in &says.events {
            prop_assert!(!said.payload.contains("\\u0000") && !said.payload.contains('\0'), "{}", said.payload);
        }
        if types(&says) == ["OrderCreated"] {
            let facts = &desk.purchase(order_id).facts;
            let exact: i128 = facts.items.iter().map(|item| i128::from(item.quantity) * i128::from(item.unit_price)).sum();
            prop_assert_eq!(i128::from(facts.total), exact);
            let wanted: i128 = request.items.iter().map(|item| i128::from(item.quantity)).sum();
            prop_assert_eq!(facts.items.iter().map(|item| i128::from(item.quantity)).sum::<i128>(), wanted);
            prop_assert!(facts.items.iter().all(|item| item.quantity > 0));
        } else if let Some(purchase) = desk.register.purchases.get(&order_id) {
            prop_assert_eq!((purchase.status, purchase.facts.total), (Status::Rejected, 0));
        }
        if twice && says.refused.is_none() {
            prop_assert!(desk.decide(&command).events.is_empty(), "the same request again says nothing");
        }
    }

    #[test]
    fn any_bytes_that_can_be_read_can_be_decided_upon(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            request().prop_map(|request| serde_json::to_vec(&request).expect("JSON")),
            (request(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(request, place, byte)| {
                let mut bytes = serde_json::to_vec(&request).expect("JSON");
                let place = place.index(bytes.len());
                bytes[place] = byte;
                bytes
            }),
        ],
        offset in 0..i64::MAX,
    ) {
        let at = Coordinates { topic: "order.requests", partition: 0, offset };
        let raw = RawRecord { at, timestamp_ms: 0, headers: &[], value: Some(&bytes) };
        let (envelope, data) = read(&raw).expect("a bare record has no attributes to be wrong");
        let record = Record { topic: at.topic.to_owned(), offset, value: Some(bytes.clone()), ..Record::default() };
        if let Some(Ok(command)) = Orders::table().read(&envelope, &record, &data) {
            let says = Desk::new().decide(&command);
            prop_assert!(says.events.len() == 1 || says.refused.is_some(), "{says:?}");
        }
    }
}
