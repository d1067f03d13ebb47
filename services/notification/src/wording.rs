//! The sentences of the letters, by version. Letters that have been written keep theirs: the audit writes every letter again, in
//! the wording that it was written in.

use events::Reason;

/// What the letters of one version say, apart from figures, names and addresses.
#[derive(Debug)]
pub struct Wording {
    pub(crate) thanks: &'static str,
    pub(crate) welcome_subject: &'static str,
    pub(crate) welcome: &'static str,
    /// The reason follows on the next line.
    pub(crate) cancelled: &'static str,
    pub(crate) cancelled_items: &'static str,
    pub(crate) rejected: &'static str,
    pub(crate) rejected_items: &'static str,
    pub(crate) not_charged: &'static str,
    pub(crate) returned: fn(amount: &str) -> String,
    pub(crate) no_items: &'static str,
    /// In place of so many more items.
    pub(crate) more: fn(items: usize) -> String,
    /// The address follows.
    pub(crate) destination: &'static str,
    pub(crate) reason: fn(Reason) -> &'static str,
}

impl Wording {
    /// That of new letters.
    pub const NOW: &'static Wording = &NOW;

    /// That of letters that versions before 0.2 have written.
    pub const FIRST: &'static Wording = &FIRST;

    /// The wording in which a letter's body has been written, by how it begins; a letter that is none counts as a new one.
    pub fn of(body: &str) -> &'static Wording {
        let text = body.strip_prefix("Hello,\n\n").unwrap_or_default();
        let openings = [Self::FIRST.thanks, Self::FIRST.welcome, Self::FIRST.cancelled, Self::FIRST.rejected];
        if openings.iter().any(|opening| text.starts_with(opening)) { Self::FIRST } else { Self::NOW }
    }
}

static NOW: Wording = Wording {
    thanks: "Thank you for your purchase. Your order is complete and paid for.",
    welcome_subject: "Welcome! Your order is complete",
    welcome: "Welcome! What you bought with your points is now yours.",
    cancelled: "We have cancelled your order because",
    cancelled_items: "You ordered:",
    rejected: "We are sorry, but we could not accept your order because",
    rejected_items: "You ordered:",
    not_charged: "You have not been charged.",
    returned: |amount| format!("We have returned {amount} to your balance."),
    no_items: "    no items",
    more: |items| format!("    and {items} more"),
    destination: "Your parcel is on its way to:",
    reason: |reason| match reason {
        Reason::InsufficientBalance => "your balance does not cover the total",
        Reason::UnknownUser => "we could not find your account",
        Reason::InvalidPaymentMethod => "the payment method cannot be used for this order",
        Reason::CardDeclined => "your card was declined",
        Reason::GatewayUnavailable => "the payment provider could not be reached",
        Reason::OutOfStock => "we do not have enough in stock",
        Reason::UnknownProduct => "one of the products does not exist",
        Reason::UnshippableAddress => "we cannot deliver to your address",
        Reason::Discontinued => "one of the items is no longer available",
        Reason::InvalidRequest => "the request was not valid",
        Reason::CancelledByUser => "you asked us to",
        Reason::TimedOut => "it could not be completed in time",
        // From a newer version of some service; the word itself follows in brackets.
        Reason::Other(_) => "it could not be completed",
    },
};

static FIRST: Wording = Wording {
    thanks: "thank you for your purchase. It is complete, and paid.",
    welcome_subject: "Welcome: it is yours",
    welcome: "welcome! What you chose for your points is yours from now on.",
    cancelled: "your order was cancelled:",
    cancelled_items: "This is what you had ordered:",
    rejected: "we are sorry, we could not accept your order:",
    rejected_items: "This is what you asked for:",
    not_charged: "There is nothing to give back: nothing had been taken.",
    returned: |amount| format!("{amount} are back on your balance."),
    no_items: "    nothing at all",
    more: |items| format!("    and {items} products more"),
    destination: "What has to travel is on its way to",
    reason: |reason| match reason {
        Reason::InsufficientBalance => "your balance does not cover the total",
        Reason::UnknownUser => "we have no account for you",
        Reason::InvalidPaymentMethod => "the payment method cannot be used for this order",
        Reason::CardDeclined => "the card was declined",
        Reason::GatewayUnavailable => "the payment provider could not be reached",
        Reason::OutOfStock => "we do not have enough in stock",
        Reason::UnknownProduct => "we do not know one of the products",
        Reason::UnshippableAddress => "we cannot deliver to the address",
        Reason::Discontinued => "one of the items is no longer available",
        Reason::InvalidRequest => "it asked for something that cannot be ordered like that",
        Reason::CancelledByUser => "you asked us to",
        Reason::TimedOut => "it could not be completed in time",
        Reason::Other(_) => "it could not be completed",
    },
};
