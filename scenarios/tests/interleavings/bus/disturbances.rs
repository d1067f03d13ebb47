//! What may happen beside the ordinary: each exploration allows some of it, so that it ends.

use payment_gateway::payment::Operation;
use saga::Said;

use super::{change::Change, reconcile::Part};

/// All of it happens at most once in each order's life, unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disturbances {
    pub(crate) changes: Vec<Change>,
    /// What the payment provider may do of its own accord, each once.
    pub(crate) provider: Vec<Operation>,
    /// Another request under the name of the first order.
    pub(crate) other_request: Option<Said>,
    /// A service may put an event aside, until an operator has it tried again.
    pub(crate) parks: bool,
    /// A call may use up its retries, and then operators have it made again or say how they have settled it.
    pub(crate) calls_park: bool,
    /// An event may fail to reach a service.
    pub(crate) loses: bool,
    /// Reconcile repairs what has come to a standstill, as often as it finds something; and operators may drop parked events.
    pub(crate) repairs: bool,
    /// Reconcile reads the services in this order while everything goes on, and then acts.
    pub(crate) torn: Option<&'static [Part]>,
    /// What reconcile says counts however the order stands by then. Only a mutant does that.
    pub(crate) says_blindly: bool,
    /// A parked call may be dropped, although its payment waits for the answer. Only a mutant allows that.
    pub(crate) drops_calls: bool,
}
