//! Expected end of an order: its events, their causes, and the resulting rows in each database.

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
    /// In each chain every event is caused by the one before it; the first may have any cause. Together the chains contain all
    /// expected events, each once.
    pub chains: Vec<&'static [&'static str]>,
    /// Optional events: two services that react to the same event do so in any order.
    pub perhaps: Vec<&'static str>,
    pub reason: Option<Reason>,
    /// The refund in `OrderCancelled`.
    pub refunded: Option<i64>,
    pub rows: Rows,
    /// Text that the mail must contain.
    pub mail_says: Vec<String>,
}

/// From the request to the committed stock: the path of every order that is fulfilled, or refused only then.
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

/// The successful end, whatever completed the order last.
pub const COMPLETED: &[&str] = &["OrderCompleted", "NotificationSent"];

/// The compensation of an order that its buyer cancelled before any of it was final.
pub const BUYER_STOPPED: &[&str] = &[
    "OrderCancelRequested",
    "StockReleased",
    "PaymentVoided",
    "BalanceReleased",
    "OrderCancelled",
    "NotificationSent",
];

impl Ending {
    /// Success; `rows` says which fulfilment there was.
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

    /// Success, with all items unlocked.
    pub fn unlocked(mail: &'static str) -> Self {
        Self::completed(mail)
            .because(TO_COMMITTED)
            .because(&["StockCommitted", "EntitlementGranted", "OrderCompleted", "NotificationSent"])
            .rows(|rows| rows.entitlement = Some("CONFIRMED"))
    }

    /// Cancelled for `reason`, with `refunded` paid back; `rows` says which steps had been taken.
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

    /// Cancelled for `reason`: account, payment and inventory have processed the compensation in `way_back`, and hold nothing.
    pub fn stopped(reason: Reason, way_back: &'static [&'static str]) -> Self {
        Self::cancelled(reason, 0).because(way_back).rows(|rows| {
            (rows.account, rows.payment, rows.inventory) = (Some("CANCELLED"), Some("CANCELLED"), Some("CANCELLED"));
        })
    }

    /// Rejected before it began.
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

    /// Adds an optional event.
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

    /// The events of all chains, without duplicates, sorted.
    pub fn events(&self) -> Vec<&'static str> {
        let mut events: Vec<_> = self.chains.iter().flat_map(|chain| chain.iter().copied()).collect();
        events.sort_unstable();
        events.dedup();
        events
    }
}
