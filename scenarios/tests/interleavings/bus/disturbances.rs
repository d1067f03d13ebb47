//! What may happen beside the ordinary: each exploration allows some of it, so that it ends.

use kit::says::Said;
use payment_gateway::payment::Operation;

use super::change::Change;

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
    /// A parked call may be dropped, although its payment waits for the answer. Only a mutant allows that.
    pub(crate) drops_calls: bool,
}
