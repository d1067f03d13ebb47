//! Disturbances: each exploration allows some of them, so that it stays finite.

use payment_gateway::payment::Operation;
use saga::Said;

use super::{change::Change, reconcile::Part};

/// Each happens at most once per order, unless stated otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disturbances {
    pub(crate) changes: Vec<Change>,
    /// What the payment provider may do on its own, each once.
    pub(crate) provider: Vec<Operation>,
    /// Another request under the id of the first order.
    pub(crate) other_request: Option<Said>,
    /// A service may park an event, until an operator retries it.
    pub(crate) parks: bool,
    /// A call may use up its retries; then operators retry it, or answer it by hand.
    pub(crate) calls_park: bool,
    /// An event may fail to reach a service.
    pub(crate) loses: bool,
    /// Reconcile repairs orders that are stuck, as often as it finds any; and operators may resolve parked events.
    pub(crate) repairs: bool,
    /// Reconcile reads the services in this order while the system runs, and acts afterwards.
    pub(crate) torn: Option<&'static [Part]>,
    /// Reconcile's events count in whatever state the order is by then. Only a mutant does this.
    pub(crate) says_blindly: bool,
    /// A parked call may be dropped although its payment waits for the answer. Only a mutant allows this.
    pub(crate) drops_calls: bool,
}
