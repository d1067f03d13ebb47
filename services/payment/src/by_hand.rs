//! Settlements by hand: for a call without a useful answer from the gateway, which an operator has settled with the provider.
//!
//! | call | `authorized` | `refused` | `captured` | `voided` | `refunded` |
//! |---|---|---|---|---|---|
//! | authorize | authorized | declined | | declined | |
//! | capture | | refused | captured | refused | |
//! | void | | | to be refunded | voided | refunded |
//! | refund | | | | voided | refunded |
//!
//! The provider's books have to agree: the audit compares them with ours.

use events::Reason;

use crate::{calls::Call, lifecycle::Step};

/// The valid words for a call, with the meaning of each.
pub fn answers(call: Call) -> &'static [(&'static str, Step)] {
    const NO: Reason = Reason::CardDeclined;
    match call {
        Call::Authorize => &[
            ("authorized", Step::Authorized),
            ("refused", Step::AuthorizeDeclined(NO)),
            ("voided", Step::AuthorizeDeclined(NO)),
        ],
        Call::Capture => {
            &[("captured", Step::Captured), ("refused", Step::CaptureRefused(NO)), ("voided", Step::CaptureRefused(NO))]
        }
        Call::Void | Call::VoidInstead => {
            &[("voided", Step::Voided), ("refunded", Step::Refunded), ("captured", Step::CapturedElsewhere)]
        }
        Call::Refund | Call::RefundInstead => &[("refunded", Step::Refunded), ("voided", Step::Voided)],
    }
}

/// The meaning of `word` as the answer to a call of this kind.
///
/// # Errors
/// If the word is no answer to this call; the error lists the valid words.
pub fn meaning(kind: &str, word: &str) -> Result<Step, String> {
    let call: Call = kind.parse()?;
    let known = answers(call);
    known.iter().find(|(known, _)| *known == word).map(|(_, step)| *step).ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        format!("`{word}` is no answer to {call}: say where the money is, {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lifecycle::{Move, pass},
        phase::Phase,
    };

    const WHY: Reason = Reason::TimedOut;

    /// The phases in which a call of this kind may still be without an answer.
    fn waiting(call: Call) -> &'static [Phase] {
        match call {
            Call::Authorize => &[Phase::Authorizing],
            Call::Capture => &[Phase::Capturing { cancel: None }, Phase::Capturing { cancel: Some(WHY) }],
            Call::Void | Call::VoidInstead => &[Phase::Voiding(WHY)],
            Call::Refund | Call::RefundInstead => &[Phase::Refunding(WHY)],
        }
    }

    #[test]
    fn every_answer_moves_every_payment_that_waits_for_it() {
        for call in Call::ALL {
            for phase in waiting(call) {
                for (word, step) in answers(call) {
                    let next = pass(Some(*phase), *step);
                    assert!(!matches!(next, Move::Nothing(_)), "{call} as {word} in {phase:?}: {next:?}");
                }
            }
        }
    }

    #[test]
    fn a_word_that_does_not_fit_is_refused_with_those_that_do() {
        assert_eq!(meaning("capture", "captured"), Ok(Step::Captured));
        let why = meaning("refund", "captured").expect_err("no answer");
        assert_eq!(why, "`captured` is no answer to refund: say where the money is, refunded, voided");
        assert!(meaning("void", "Voided").is_err() && meaning("steal", "captured").is_err());
    }
}
