//! Interprets the gateway's replies.

use events::Reason;
use reqwest::StatusCode;
use saga::attempts::Answer;
use serde::Deserialize;

use crate::{calls::Call, lifecycle::Step};

/// The relevant parts of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: StatusCode,
    pub problem: Problem,
}

/// RFC 9457 problem, if the gateway refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub reason: Option<String>,
}

/// A business "no" is an answer like any other. Anything that is neither yes nor no is retried, unless the mistake is ours.
pub fn meaning(call: Call, reply: &Reply) -> Answer<Step> {
    let Reply { status, problem } = reply;
    match *status {
        status if status.is_success() => Answer::Done(done(call)),
        StatusCode::PAYMENT_REQUIRED => refused(call, reply),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Answer::Transient(status.to_string()),
        status if status.is_server_error() => Answer::Transient(status.to_string()),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::GONE => {
            definite(call, &problem.kind).map_or_else(|| unexpected(reply), Answer::Done)
        }
        _ => unexpected(reply),
    }
}

fn done(call: Call) -> Step {
    match call {
        Call::Authorize => Step::Authorized,
        Call::Capture => Step::Captured,
        Call::Void | Call::VoidInstead => Step::Voided,
        Call::Refund | Call::RefundInstead => Step::Refunded,
    }
}

/// The meaning of a definite no: the state of the payment at the gateway is an answer, whatever led to it. None if the reply does
/// not show it, as with a proxy's error page, or contradicts an earlier one.
fn definite(call: Call, kind: &str) -> Option<Step> {
    match (call, kind) {
        // Our own void overtook the authorization, and handles the rest.
        (Call::Authorize, "payment-voided") => Some(Step::AuthorizeDeclined(Reason::CardDeclined)),
        (Call::Capture, "payment-captured") => Some(Step::Captured),
        // Lapsed, voided or unknown: nothing will be captured. If anything is held all the same, the void that follows releases
        // it.
        (Call::Capture, kind) if kind.starts_with("payment-") => Some(Step::CaptureRefused(Reason::CardDeclined)),
        (Call::Void, "payment-captured") => Some(Step::CapturedElsewhere),
        (
            Call::Void | Call::VoidInstead,
            "payment-unknown" | "payment-voided" | "payment-expired" | "payment-declined" | "payment-refunded",
        ) => Some(Step::Voided),
        (Call::Refund | Call::RefundInstead, "payment-refunded") => Some(Step::Refunded),
        (
            Call::Refund,
            "payment-unknown" | "payment-voided" | "payment-expired" | "payment-declined" | "payment-not-captured",
        ) => Some(Step::NotCaptured),
        (Call::Authorize | Call::Capture | Call::Void | Call::VoidInstead | Call::Refund | Call::RefundInstead, _) => {
            None
        }
    }
}

fn refused(call: Call, reply: &Reply) -> Answer<Step> {
    // A reason that we know; other text of the provider is for people, not for the saga.
    let reason = reply.problem.reason.as_deref().and_then(|reason| reason.parse().ok());
    let reason = reason.filter(|reason| Reason::ALL.contains(reason)).unwrap_or(Reason::CardDeclined);
    match call {
        Call::Authorize => Answer::Done(Step::AuthorizeDeclined(reason)),
        Call::Capture => Answer::Done(Step::CaptureRefused(reason)),
        // These calls charge nothing that a card could refuse.
        Call::Void | Call::Refund | Call::VoidInstead | Call::RefundInstead => unexpected(reply),
    }
}

fn unexpected(Reply { status, problem }: &Reply) -> Answer<Step> {
    let kind = if is_a_kind(&problem.kind) { &problem.kind } else { "no kind of problem that is known here" };
    Answer::NeedsPerson(format!("{status}: {kind}"))
}

/// Tells a kind of problem from any other text of the provider, which may quote what it was sent: such a kind is of words alone.
fn is_a_kind(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    text.len() <= 40 && text.contains('-') && text.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning_of(call: Call, status: u16, problem: &str) -> Answer<Step> {
        let problem = serde_json::from_str(problem).expect("a problem");
        meaning(call, &Reply { status: StatusCode::from_u16(status).expect("a status"), problem })
    }

    #[test]
    fn a_yes_is_a_yes_to_what_was_asked() {
        let yes = Call::ALL.map(|call| meaning_of(call, 200, "{}"));
        let steps = [Step::Authorized, Step::Captured, Step::Voided, Step::Refunded, Step::Voided, Step::Refunded];
        assert_eq!(yes, steps.map(Answer::Done));
    }

    #[test]
    fn a_business_no_has_a_reason() {
        let declined = Step::AuthorizeDeclined(Reason::CardDeclined);
        assert_eq!(meaning_of(Call::Authorize, 402, r#"{"reason":"card_declined"}"#), Answer::Done(declined));
        assert_eq!(meaning_of(Call::Authorize, 402, r#"{"reason":"full_moon"}"#), Answer::Done(declined));
        let refused = Step::CaptureRefused(Reason::CardDeclined);
        assert_eq!(meaning_of(Call::Capture, 402, "{}"), Answer::Done(refused));
    }

    #[test]
    fn a_failing_gateway_is_tried_again() {
        for call in Call::ALL {
            for status in [408, 429, 500, 502, 503, 504] {
                assert!(matches!(meaning_of(call, status, "{}"), Answer::Transient(_)), "{call} {status}");
            }
        }
    }

    #[test]
    fn an_authorization_after_its_void_is_declined() {
        let voided = r#"{"type":"payment-voided"}"#;
        assert!(matches!(meaning_of(Call::Authorize, 409, voided), Answer::Done(Step::AuthorizeDeclined(_))));
    }

    #[test]
    fn a_definite_no_is_an_answer() {
        let no = |call, status, kind: &str| meaning_of(call, status, &format!(r#"{{"type":"{kind}"}}"#));
        let refused = Answer::Done(Step::CaptureRefused(Reason::CardDeclined));
        for (status, kind) in [
            (404, "payment-unknown"),
            (409, "payment-voided"),
            (409, "payment-expired"),
            (410, "payment-lapsed-last-night"),
            (409, "payment-refunded"),
        ] {
            assert_eq!(no(Call::Capture, status, kind), refused, "{kind}");
        }
        assert_eq!(no(Call::Capture, 409, "payment-captured"), Answer::Done(Step::Captured));
        for kind in ["payment-unknown", "payment-voided", "payment-expired", "payment-declined", "payment-refunded"] {
            assert_eq!(no(Call::Void, 409, kind), Answer::Done(Step::Voided), "{kind}");
            assert_eq!(no(Call::VoidInstead, 409, kind), Answer::Done(Step::Voided), "{kind}");
        }
        assert_eq!(no(Call::Void, 409, "payment-captured"), Answer::Done(Step::CapturedElsewhere));
        for kind in ["payment-unknown", "payment-voided", "payment-expired", "payment-declined", "payment-not-captured"]
        {
            assert_eq!(no(Call::Refund, 409, kind), Answer::Done(Step::NotCaptured), "{kind}");
        }
        assert_eq!(no(Call::Refund, 409, "payment-refunded"), Answer::Done(Step::Refunded));
    }

    #[test]
    fn a_gateway_that_contradicts_itself_is_for_a_person() {
        for (call, kind) in [
            (Call::VoidInstead, "payment-captured"),
            (Call::RefundInstead, "payment-not-captured"),
            (Call::RefundInstead, "payment-voided"),
        ] {
            let problem = format!(r#"{{"type":"{kind}"}}"#);
            assert!(matches!(meaning_of(call, 409, &problem), Answer::NeedsPerson(_)), "{call} {kind}");
        }
    }

    #[test]
    fn what_retrying_cannot_mend_is_for_a_person() {
        for call in Call::ALL {
            for status in [301, 400, 401, 403, 404, 409, 413, 422] {
                assert!(matches!(meaning_of(call, status, "{}"), Answer::NeedsPerson(_)), "{call} {status}");
            }
        }
        assert!(matches!(meaning_of(Call::Refund, 402, "{}"), Answer::NeedsPerson(_)));
        let told = meaning_of(Call::Void, 409, r#"{"type":"payment-frozen","title":"Ask the bank"}"#);
        assert_eq!(told, Answer::NeedsPerson("409 Conflict: payment-frozen".into()));
    }

    #[test]
    fn a_provider_that_quotes_what_it_was_sent_is_not_repeated() {
        for kind in ["tok_visa", "tok-4242", "4242424242424242", "card", "https://provider.test/tok_visa", "", "a--b"] {
            let problem = serde_json::json!({ "type": kind, "title": "The card tok_visa", "detail": "tok_visa" });
            let told = meaning_of(Call::Authorize, 422, &problem.to_string());
            let why = "422 Unprocessable Entity: no kind of problem that is known here";
            assert_eq!(told, Answer::NeedsPerson(why.into()), "{kind}");
        }
    }
}
