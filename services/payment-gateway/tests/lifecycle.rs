//! Every state, every operation, every kind of card.

use payment_gateway::payment::{
    Card::{self, CaptureDeclined, Declined as DeclinedCard, Good},
    Decision::{self, Becomes, Refused, Stays},
    Operation::{self, Authorize, Capture, Refund, Void},
    Refusal::{self, AlreadyCaptured, CardDeclined, NotCaptured, PaymentDeclined, PaymentExists, PaymentRefunded},
    Refusal::{PaymentVoided, UnknownPayment},
    State::{self, Authorized, Captured, Declined, Refunded, Voided},
    decide,
};

const STATES: [Option<State>; 6] =
    [None, Some(Authorized), Some(Declined), Some(Captured), Some(Voided), Some(Refunded)];
const OPERATIONS: [Operation; 4] = [Authorize, Capture, Void, Refund];
const CARDS: [Card; 3] = [Good, DeclinedCard, CaptureDeclined];

#[test]
fn every_pair_has_its_outcome() {
    #[rustfmt::skip]
    let table: [[Decision; 4]; 6] = [
        //           authorize               capture                   void                      refund
        /* none */  [Becomes(Authorized),    Refused(UnknownPayment),  Becomes(Voided),          Refused(UnknownPayment)],
        /* auth. */ [Refused(PaymentExists), Becomes(Captured),        Becomes(Voided),          Refused(NotCaptured)],
        /* decl. */ [Refused(CardDeclined),  Refused(PaymentDeclined), Stays(Declined),          Refused(NotCaptured)],
        /* capt. */ [Refused(PaymentExists), Stays(Captured),          Refused(AlreadyCaptured), Becomes(Refunded)],
        /* void. */ [Refused(PaymentVoided), Refused(PaymentVoided),   Stays(Voided),            Refused(NotCaptured)],
        /* ref. */  [Refused(PaymentExists), Refused(PaymentRefunded), Stays(Refunded),          Stays(Refunded)],
    ];
    for (state, row) in STATES.into_iter().zip(table) {
        for (operation, expected) in OPERATIONS.into_iter().zip(row) {
            assert_eq!(decide(state, operation, Good), expected, "{operation:?} of a payment that is {state:?}");
        }
    }
}

#[test]
fn a_card_says_no_only_where_it_is_charged_or_has_to_pay() {
    for state in STATES {
        for operation in OPERATIONS {
            for card in CARDS {
                let expected = match (state, operation, card) {
                    (None, Authorize, DeclinedCard) => Becomes(Declined),
                    (Some(Authorized), Capture, CaptureDeclined) => Refused(CardDeclined),
                    _ => decide(state, operation, Good),
                };
                assert_eq!(decide(state, operation, card), expected, "{operation:?}, {state:?}, {card:?}");
            }
        }
    }
}

#[test]
fn an_operation_done_twice_is_done_once() {
    for state in STATES {
        for operation in [Capture, Void, Refund] {
            if let Becomes(next) = decide(state, operation, Good) {
                assert_eq!(decide(Some(next), operation, Good), Stays(next), "{operation:?} twice on {state:?}");
            }
        }
    }
}

#[test]
fn a_voided_payment_never_holds_anything_again() {
    for operation in OPERATIONS {
        assert!(!matches!(decide(Some(Voided), operation, Good), Becomes(_)), "{operation:?}");
    }
    assert_eq!(decide(Some(Voided), Authorize, Good), Refused(Refusal::PaymentVoided));
}
