//! Decisions and events, without a database.

use chrono::DateTime;
use events::{Currency, Order, PaymentMethodId, Reason, UserId};
use payment::{Books, Command, Payment, lifecycle::Step, method::MethodType, phase::Phase};
use saga::{Says, Service};
use serde_json::{Value, json};

use crate::orders::{ALICE, METHOD, books, order};

const BOB: UserId = UserId(2);

/// One order's payment, and the decisions about it.
struct Story {
    books: Books,
    order: Order,
}

impl Story {
    fn new(books: Books, order: Order) -> Self {
        Story { books, order }
    }

    fn of_a_card() -> Self {
        Story::new(books(ALICE, MethodType::Card, Some("v1:sealed".into())), order(100, Currency::JPY))
    }

    fn decide(&mut self, command: &Command) -> Says {
        Payment.decide(&mut self.books, command, DateTime::UNIX_EPOCH)
    }

    /// Applies an event of the saga.
    fn on(&mut self, step: Step) -> Says {
        self.decide(&Command::asked(self.order.clone(), step))
    }

    /// Applies an answer of the gateway.
    fn answer(&mut self, step: Step) -> Says {
        self.decide(&Command::answered(self.order.order_id, step))
    }

    fn phase(&self) -> Option<Phase> {
        self.books.transactions.get(&self.order.order_id).map(|transaction| transaction.phase)
    }
}

/// The events' types with their reasons, then the calls.
fn told(says: &Says) -> Vec<String> {
    let event = |said: &saga::Said| {
        let data: Value = serde_json::from_str(&said.payload).expect("JSON");
        match data["reason"].as_str() {
            Some(reason) => format!("{}({reason})", said.event_type),
            None => said.event_type.to_owned(),
        }
    };
    says.events.iter().map(event).chain(says.attempts.iter().map(|call| format!("call {}", call.kind))).collect()
}

const TIMED_OUT: Step = Step::Cancel(Reason::TimedOut);

#[test]
fn a_card_is_asked_for_through_the_gateway_every_time() {
    let mut story = Story::of_a_card();
    let says = story.on(Step::Authorize);
    assert_eq!(told(&says), ["call authorize"]);
    assert!(says.attempts[0].gives_up, "a Try gives up");
    assert_eq!(
        says.attempts[0].request,
        json!({"payment_method_id": 1, "user_id": 1, "sealed_details": "v1:sealed", "amount": 100, "currency": "JPY"})
    );
    let current = Story::new(books(ALICE, MethodType::Card, Some("v2:key:a:b".into())), order(100, Currency::JPY))
        .on(Step::Authorize);
    assert_eq!(
        current.attempts[0].request,
        json!({"payment_method_id": 1, "user_id": 1, "amount": 100, "currency": "JPY"}),
        "sealed details stay in their row"
    );
    assert_eq!(told(&story.answer(Step::Authorized)), ["PaymentAuthorized"]);
    let says = story.on(Step::Capture);
    assert_eq!(told(&says), ["call capture"]);
    assert!(!says.attempts[0].gives_up, "a Confirm does not");
    assert_eq!(told(&story.answer(Step::Captured)), ["PaymentCaptured"]);
    assert_eq!(told(&story.on(TIMED_OUT)), ["call refund"]);
    assert_eq!(told(&story.answer(Step::Refunded)), ["PaymentRefunded(timed_out)"]);
}

#[test]
fn wallet_and_points_are_paid_within() {
    for (method_type, currency) in
        [(MethodType::Wallet, Currency::JPY), (MethodType::Wallet, Currency::PTS), (MethodType::Points, Currency::PTS)]
    {
        let story = || Story::new(books(ALICE, method_type, None), order(50, currency));
        let mut collected = story();
        assert_eq!(told(&collected.on(Step::Authorize)), ["PaymentAuthorized"]);
        assert_eq!(told(&collected.on(Step::Capture)), ["PaymentCaptured"]);
        assert_eq!(told(&collected.on(TIMED_OUT)), ["PaymentRefunded(timed_out)"]);
        let mut held = story();
        assert_eq!(told(&held.on(Step::Authorize)), ["PaymentAuthorized"]);
        assert_eq!(told(&held.on(TIMED_OUT)), ["PaymentVoided(timed_out)"]);
    }
}

#[test]
fn a_method_that_cannot_pay_is_declined() {
    let details = || Some("v1:sealed".to_owned());
    let mut other_method = order(100, Currency::JPY);
    other_method.payment_method_id = PaymentMethodId(METHOD.0 + 1);
    for (why, books, order) in [
        ("not there", books(ALICE, MethodType::Card, details()), other_method),
        ("somebody else's", books(BOB, MethodType::Card, details()), order(100, Currency::JPY)),
        ("a card for points", books(ALICE, MethodType::Card, details()), order(100, Currency::PTS)),
        ("points for money", books(ALICE, MethodType::Points, None), order(100, Currency::JPY)),
        ("a card without details", books(ALICE, MethodType::Card, None), order(100, Currency::JPY)),
        ("a card that was made a wallet", books(ALICE, MethodType::Wallet, details()), order(100, Currency::JPY)),
    ] {
        let mut story = Story::new(books, order);
        assert_eq!(told(&story.on(Step::Authorize)), ["PaymentDeclined(invalid_payment_method)"], "{why}");
        assert_eq!(story.phase(), Some(Phase::Declined(Reason::InvalidPaymentMethod)), "{why}");
    }
}

#[test]
fn a_cancel_for_nothing_is_answered_and_remembered() {
    let mut story = Story::of_a_card();
    assert_eq!(told(&story.on(TIMED_OUT)), ["PaymentVoided(timed_out)"]);
    let says = story.on(Step::Authorize);
    assert_eq!(says.ignored, Some("hanging: its cancel came first"));
    assert_eq!(told(&says), [""; 0]);
}

#[test]
fn a_cancel_while_authorizing_voids_whatever_the_answer() {
    for late in [Step::Authorized, Step::AuthorizeDeclined(Reason::CardDeclined), Step::AuthorizeGaveUp] {
        let mut story = Story::of_a_card();
        let _ = story.on(Step::Authorize);
        assert_eq!(told(&story.on(TIMED_OUT)), ["call void"]);
        assert!(story.answer(late).ignored.is_some(), "{late:?}");
        assert_eq!(told(&story.answer(Step::Voided)), ["PaymentVoided(timed_out)"]);
    }
}

#[test]
fn giving_up_declines_and_lets_go_of_what_may_be_held() {
    let mut story = Story::of_a_card();
    let _ = story.on(Step::Authorize);
    let says = story.answer(Step::AuthorizeGaveUp);
    assert_eq!(told(&says), ["PaymentDeclined(gateway_unavailable)", "call void"]);
    assert!(story.answer(Step::Voided).ignored.is_some(), "the decline has been said");
}

#[test]
fn a_cancel_while_capturing_waits_for_the_answer() {
    let capturing = || {
        let mut story = Story::of_a_card();
        let _ = story.on(Step::Authorize);
        let _ = story.answer(Step::Authorized);
        let _ = story.on(Step::Capture);
        assert_eq!(story.on(TIMED_OUT), Says::silence());
        story
    };
    let mut captured = capturing();
    assert_eq!(told(&captured.answer(Step::Captured)), ["call refund"], "PaymentCaptured is never said");
    assert_eq!(told(&captured.answer(Step::Refunded)), ["PaymentRefunded(timed_out)"]);
    let mut refused = capturing();
    assert_eq!(told(&refused.answer(Step::CaptureRefused(Reason::CardDeclined))), ["call void"]);
    assert_eq!(told(&refused.answer(Step::Voided)), ["PaymentVoided(timed_out)"]);
}

#[test]
fn a_refused_capture_is_said_and_then_voided() {
    let mut story = Story::of_a_card();
    let _ = story.on(Step::Authorize);
    let _ = story.answer(Step::Authorized);
    let _ = story.on(Step::Capture);
    let says = story.answer(Step::CaptureRefused(Reason::CardDeclined));
    assert_eq!(told(&says), ["PaymentCaptureFailed(card_declined)"]);
    assert_eq!(told(&story.on(Step::Cancel(Reason::CardDeclined))), ["call void"]);
    assert_eq!(told(&story.answer(Step::Voided)), ["PaymentVoided(card_declined)"]);
}

#[test]
fn an_answer_about_an_unknown_order_changes_nothing() {
    let mut story = Story::of_a_card();
    assert!(story.answer(Step::Captured).ignored.is_some());
    assert_eq!(story.phase(), None);
}

#[test]
fn what_the_provider_has_done_by_itself_is_undone_with_the_rest() {
    let mut collected = Story::of_a_card();
    let _ = collected.on(Step::Authorize);
    let _ = collected.answer(Step::Authorized);
    assert_eq!(told(&collected.on(TIMED_OUT)), ["call void"]);
    assert_eq!(told(&collected.answer(Step::CapturedElsewhere)), ["call refund-instead"]);
    assert_eq!(told(&collected.answer(Step::Refunded)), ["PaymentRefunded(timed_out)"]);

    let mut lapsed = Story::of_a_card();
    let _ = lapsed.on(Step::Authorize);
    let _ = lapsed.answer(Step::Authorized);
    let _ = lapsed.on(Step::Capture);
    let _ = lapsed.answer(Step::Captured);
    assert_eq!(told(&lapsed.on(TIMED_OUT)), ["call refund"]);
    assert_eq!(told(&lapsed.answer(Step::NotCaptured)), ["call void-instead"]);
    assert_eq!(told(&lapsed.answer(Step::Voided)), ["PaymentVoided(timed_out)"]);
}

#[test]
fn what_was_collected_after_giving_up_is_given_back_in_silence() {
    let mut story = Story::of_a_card();
    let _ = story.on(Step::Authorize);
    let _ = story.answer(Step::AuthorizeGaveUp);
    assert_eq!(told(&story.answer(Step::CapturedElsewhere)), ["call refund-instead"]);
    assert!(story.answer(Step::Refunded).ignored.is_some(), "the decline has been said");
    assert_eq!(story.phase(), Some(Phase::Declined(Reason::GatewayUnavailable)));
}
