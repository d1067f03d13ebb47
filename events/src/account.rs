//! What the account service says.

use crate::{Order, Reason, publisher};

saga::events! { publisher::ACCOUNT, order: Order,
    /// The total is held on the buyer's balance.
    BalanceReserved {}
    /// Nothing is held.
    BalanceRejected { reason: Reason }
    /// What was held has been taken.
    BalanceDebited {}
    /// What was held is free again, or nothing had been held.
    BalanceReleased { reason: Reason }
    /// What was taken has been given back.
    BalanceRefunded {
        reason: Reason,
        /// Minor units of the order's currency.
        amount: i64,
    }
}
