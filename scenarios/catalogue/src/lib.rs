//! The scenarios. Each has its own people and goods, so all of them can run at once, also on a system in use.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

pub mod check;
mod crowd;
pub mod ending;
mod fulfilment;
pub mod judge;
mod malformed;
mod mind_changed;
mod money;
pub mod play;
mod repetition;
pub mod report;
pub mod stage;
mod stock;

use futures::future::LocalBoxFuture;

use crate::play::Play;

/// A scenario: its name, a one-line description, and the play itself.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub story: &'static str,
    pub play: for<'a> fn(&'a mut Play) -> LocalBoxFuture<'a, anyhow::Result<()>>,
}

macro_rules! scenarios {
    ($( $name:literal: $story:literal => $play:path; )+) => {
        /// All scenarios, in the order in which they are listed.
        pub const ALL: &[Scenario] = &[
            $( Scenario { name: $name, story: $story, play: |play| Box::pin($play(play)) } ),+
        ];
    };
}

scenarios! {
    "purchase": "alice buys one Bitcoin; everything succeeds" => fulfilment::purchase;
    "parcel": "laura buys a hardware wallet; a parcel is booked" => fulfilment::parcel;
    "mixed": "sybil buys a postcard and a theme; both are fulfilled before the order is complete" => fulfilment::mixed;
    "points-mall": "frank pays 50 points, a character is unlocked, a welcome mail is sent" => fulfilment::points_mall;
    "insufficient-balance": "bob owns 500 and wants ten Bitcoins; nothing is taken" => money::insufficient_balance;
    "invalid-payment-method": "dave pays with alice's card; his balance is released" => money::invalid_payment_method;
    "card-declined": "peggy's card is declined" => money::card_declined;
    "bomb-9999": "a charge of exactly 9999 makes the gateway answer 500; after three retries everything is undone" => money::bomb;
    "capture-failed": "quentin's card is authorized, but the capture is refused; the debit is refunded" => money::capture_failed;
    "out-of-stock": "charlie can pay for fifteen Bitcoins, but there are ten; card and balance are released" => stock::out_of_stock;
    "discontinued": "grace's character is discontinued after she has paid; 50 points come back, with the reason" => fulfilment::discontinued;
    "unshippable": "heidi's mug cannot be shipped to Atlantis; captured money and stock are returned" => fulfilment::unshippable;
    "mixed-unshippable": "ivan's poster cannot be shipped, so his e-book is revoked too" => fulfilment::mixed_unshippable;
    "mixed-discontinued": "rupert's e-book is discontinued, so his lamp is not shipped either" => fulfilment::mixed_discontinued;
    "buyer-cancels": "judy cancels while her card is being authorized" => mind_changed::buyer_cancels;
    "deadline-passes": "ken's card takes too long, and the order's deadline passes" => mind_changed::deadline_passes;
    "cancel-too-late": "victor cancels after the order is complete; it stays complete" => mind_changed::cancel_too_late;
    "same-request-thrice": "niaj's request is published three times and becomes one order" => repetition::same_request_thrice;
    "key-reused": "olivia reuses an idempotency key for another request; it becomes a dead letter, and the first order stands" => repetition::key_reused;
    "compensation-first": "trent's cancellation arrives before his order; no step is taken afterwards" => repetition::compensation_first;
    "malformed": "requests of every malformed kind become dead letters or rejections; the partition goes on" => malformed::malformed;
    "hundred-at-once": "a hundred buyers at once with different outcomes; each order ends as it should" => crowd::hundred_at_once;
}

/// The scenarios with these names; `all` selects all of them.
///
/// # Errors
/// If a name is unknown; the error lists the known names.
pub fn chosen(names: &[String]) -> anyhow::Result<Vec<Scenario>> {
    if names.iter().any(|name| name == "all") {
        return Ok(ALL.to_vec());
    }
    let find = |name: &String| {
        ALL.iter().copied().find(|scenario| scenario.name == name).ok_or_else(|| {
            let known: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
            anyhow::anyhow!("there is no scenario `{name}`; there are: {}, and `all`", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let all = chosen(&["all".to_owned()]).expect("all");
        assert!(all.len() >= 15);
        for scenario in &all {
            let found = chosen(&[scenario.name.to_owned()]).expect("found");
            assert_eq!(found.len(), 1);
            assert_eq!(all.iter().filter(|other| other.name == scenario.name).count(), 1, "{}", scenario.name);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = chosen(&["purchace".to_owned()]).map(|_| ()).expect_err("unknown");
        assert!(error.to_string().contains("purchase"), "{error}");
    }
}
