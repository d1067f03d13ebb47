//! Events of the account service.

use crate::{Order, Reason, publisher};

saga::events! { publisher::ACCOUNT, order: Order,
    /// The total is held on the buyer's balance.
    BalanceReserved {}
    /// Nothing is held: the order is refused.
    BalanceRejected { reason: Reason }
    /// The held amount has been taken.
    BalanceDebited {}
    /// The held amount is free again, or nothing was held.
    BalanceReleased { reason: Reason }
    /// The taken amount has been given back.
    BalanceRefunded {
        reason: Reason,
        /// Minor units of the order's currency.
        amount: i64,
    }
}
