//! How an order is expected to end: which events, which of them because of which, and what is then in each database.

use events::Reason;

/// The statuses of one order in the seven databases; `None` where there must be no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub order: Option<&'static str>,
    pub account: Option<&'static str>,
    pub payment: Option<&'static str>,
    pub inventory: Option<&'static str>,
    pub shipping: Option<&'static str>,
    pub entitlement: Option<&'static str>,
    /// The kind of the mail.
    pub mail: Option<&'static str>,
}

/// An expected end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In each chain every event is caused by the one before it; what begins a chain may have any cause. All of them
    /// together are all the events there are, each once.
    pub chains: Vec<&'static [&'static str]>,
    /// Events that may come or not: two services that react to the same event do so in any order.
    pub perhaps: Vec<&'static str>,
    pub reason: Option<Reason>,
    /// What `OrderCancelled` says was given back.
    pub refunded: Option<i64>,
    pub rows: Rows,
    /// Words that the mail must contain.
    pub mail_says: Vec<String>,
}

/// From the request to the committed stock: the way of every order that is fulfilled, or refused only then.
pub const TO_COMMITTED: &[&str] = &[
    "OrderRequested",
    "OrderCreated",
    "BalanceReserved",
    "PaymentAuthorized",
    "StockReserved",
    "BalanceDebited",
    "PaymentCaptured",
    "StockCommitted",
];

/// The good end, whatever it was that completed the order last.
pub const COMPLETED: &[&str] = &["OrderCompleted", "NotificationSent"];

/// The way back of an order that its buyer stopped before anything of it was final.
pub const BUYER_STOPPED: &[&str] = &[
    "OrderCancelRequested",
    "StockReleased",
    "PaymentVoided",
    "BalanceReleased",
    "OrderCancelled",
    "NotificationSent",
];

impl Ending {
    /// Everything went well; which fulfilment there was is in `rows`.
    pub fn completed(mail: &'static str) -> Self {
        Ending {
            chains: Vec::new(),
            perhaps: Vec::new(),
            reason: None,
            refunded: None,
            rows: Rows {
                order: Some("COMPLETED"),
                account: Some("CONFIRMED"),
                payment: Some("CONFIRMED"),
                inventory: Some("CONFIRMED"),
                shipping: None,
                entitlement: None,
                mail: Some(mail),
            },
            mail_says: Vec::new(),
        }
    }

    /// Everything went well, and all of it was unlocked.
    pub fn unlocked(mail: &'static str) -> Self {
        Self::completed(mail)
            .because(TO_COMMITTED)
            .because(&["StockCommitted", "EntitlementGranted", "OrderCompleted", "NotificationSent"])
            .rows(|rows| rows.entitlement = Some("CONFIRMED"))
    }

    /// Cancelled for `reason`, with `refunded` given back; which steps had been taken is in `rows`.
    pub fn cancelled(reason: Reason, refunded: i64) -> Self {
        Ending {
            chains: Vec::new(),
            perhaps: Vec::new(),
            reason: Some(reason),
            refunded: Some(refunded),
            rows: Rows {
                order: Some("CANCELLED"),
                account: None,
                payment: None,
                inventory: None,
                shipping: None,
                entitlement: None,
                mail: Some("cancellation"),
            },
            mail_says: vec![reason.to_string()],
        }
    }

    /// Cancelled for `reason`: account, payment and inventory have each heard of it on the `way_back`, and hold nothing.
    pub fn stopped(reason: Reason, way_back: &'static [&'static str]) -> Self {
        Self::cancelled(reason, 0).because(way_back).rows(|rows| {
            (rows.account, rows.payment, rows.inventory) = (Some("CANCELLED"), Some("CANCELLED"), Some("CANCELLED"));
        })
    }

    /// Not even begun.
    pub fn rejected(reason: Reason) -> Self {
        let mut ending = Self::cancelled(reason, 0);
        ending.refunded = None;
        ending.rows = Rows { order: Some("REJECTED"), mail: Some("rejection"), ..ending.rows };
        ending.because(&["OrderRequested", "OrderRejected", "NotificationSent"])
    }

    /// Adds a chain of causes.
    #[must_use]
    pub fn because(mut self, chain: &'static [&'static str]) -> Self {
        self.chains.push(chain);
        self
    }

    /// Adds an event that may come or not.
    #[must_use]
    pub fn perhaps(mut self, event: &'static str) -> Self {
        self.perhaps.push(event);
        self
    }

    #[must_use]
    pub fn rows(mut self, change: impl FnOnce(&mut Rows)) -> Self {
        change(&mut self.rows);
        self
    }

    #[must_use]
    pub fn mail_says(mut self, words: impl Into<String>) -> Self {
        self.mail_says.push(words.into());
        self
    }

    /// The events of all chains, each once, sorted.
    pub fn events(&self) -> Vec<&'static str> {
        let mut events: Vec<_> = self.chains.iter().flat_map(|chain| chain.iter().copied()).collect();
        events.sort_unstable();
        events.dedup();
        events
    }
}
