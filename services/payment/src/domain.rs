//! Decisions of the payment service: its moves, and the events and calls that follow from them.

use std::collections::BTreeMap;

use events::{
    Order, OrderId, PaymentMethodId, Reason,
    erasure::{Scrubs, UserErased},
    payment::{
        PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided,
    },
};
use saga::{Rows, Says};

use crate::{
    calls::{self, Call},
    lifecycle::{Move, Step, pass},
    method::{Means, Method, MethodType},
    phase::Phase,
};

/// A command from an order's event, an answer of the gateway, or a command about a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    Pay {
        about: About,
        step: Step,
    },
    /// The user's personal data has to go.
    Scrub(UserErased),
}

/// Events carry the order's facts; the gateway's answers only its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum About {
    Facts(Order),
    Known(OrderId),
}

impl Command {
    /// A command from an event.
    pub fn asked(order: Order, step: Step) -> Self {
        Command::Pay { about: About::Facts(order), step }
    }

    /// An answer of the gateway.
    pub fn answered(order_id: OrderId, step: Step) -> Self {
        Command::Pay { about: About::Known(order_id), step }
    }

    /// The order; of a user, the id that stands in its place.
    pub fn order_id(&self) -> OrderId {
        match self {
            Command::Pay { about: About::Facts(order), .. } => order.order_id,
            Command::Pay { about: About::Known(order_id), .. } => *order_id,
            Command::Scrub(event) => event.erasure.erasure_id,
        }
    }

    /// What it does to the order's payment, if it is about an order.
    pub fn step(&self) -> Option<Step> {
        match self {
            Command::Pay { step, .. } => Some(*step),
            Command::Scrub(_) => None,
        }
    }

    pub(crate) fn facts(&self) -> Option<&Order> {
        match self {
            Command::Pay { about: About::Facts(order), .. } => Some(order),
            Command::Pay { about: About::Known(_), .. } | Command::Scrub(_) => None,
        }
    }
}

/// One order's payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// The order's facts from its first event.
    pub order: Order,
    /// The payment method; None if it was never authorized.
    pub method_type: Option<MethodType>,
    pub phase: Phase,
}

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Books {
    pub methods: BTreeMap<PaymentMethodId, Method>,
    pub transactions: Rows<OrderId, Transaction>,
    /// Users whose data this batch removes.
    pub scrubs: Scrubs,
}

pub(crate) fn decide(books: &mut Books, command: &Command) -> Says {
    match command {
        Command::Pay { step, .. } => pay(books, command, *step),
        Command::Scrub(event) => {
            books.scrubs.add(event);
            Says::silence()
        }
    }
}

/// Makes the move for the command.
fn pay(books: &mut Books, command: &Command, step: Step) -> Says {
    let known = books.transactions.get(&command.order_id());
    let Some(order) = known.map(|known| &known.order).or(command.facts()).cloned() else {
        return Says::ignored("an answer about an order that nobody knows");
    };
    let method_type = known.and_then(|known| known.method_type);
    let card = method_type == Some(MethodType::Card);
    let next = pass(known.map(|known| known.phase), step);
    let phase = match next {
        Move::Nothing(why) => return Says::ignored(why),
        Move::Hold => return hold(books, order),
        Move::Forbid(reason) => Phase::Cancelled(reason),
        Move::Held => Phase::Authorized,
        Move::Decline(reason) | Move::GiveUp(reason) => Phase::Declined(reason),
        Move::Collect if card => Phase::Capturing { cancel: None },
        Move::Collect | Move::Collected => Phase::Captured,
        Move::NoteCancel(reason) => Phase::Capturing { cancel: Some(reason) },
        Move::CollectFailed(reason) => Phase::CaptureFailed(reason),
        Move::Release(reason) if card => Phase::Voiding(reason),
        Move::Release(reason) | Move::Released(reason) => Phase::Voided(reason),
        Move::GiveBack(reason) if card => Phase::Refunding(reason),
        Move::GiveBack(reason) | Move::GivenBack(reason) => Phase::Refunded(reason),
        Move::GiveBackInstead(reason) => Phase::Refunding(reason),
        Move::ReleaseInstead(reason) => Phase::Voiding(reason),
        Move::Recover(reason) => Phase::Declined(reason),
    };
    let says = match next {
        // The authorization may have been carried out although its answer was lost.
        Move::GiveUp(_) => entering(phase, &order).and_attempt(Call::Void.attempt(order.order_id)),
        Move::GiveBackInstead(_) | Move::Recover(_) => Says::attempt(Call::RefundInstead.attempt(order.order_id)),
        Move::ReleaseInstead(_) => Says::attempt(Call::VoidInstead.attempt(order.order_id)),
        _ => entering(phase, &order),
    };
    books.transactions.put(order.order_id, Transaction { order, method_type, phase });
    says
}

fn hold(books: &mut Books, order: Order) -> Says {
    let means = books.methods.get(&order.payment_method_id).and_then(|method| method.means(&order));
    let (method_type, phase, says) = match means {
        Some(Means::Card(sealed_details)) => {
            let call = calls::authorize(&order, sealed_details);
            (Some(MethodType::Card), Phase::Authorizing, Says::attempt(call))
        }
        Some(Means::Within(method_type)) => (Some(method_type), Phase::Authorized, entering(Phase::Authorized, &order)),
        None => {
            let declined = Phase::Declined(Reason::InvalidPaymentMethod);
            (None, declined, entering(declined, &order))
        }
    };
    books.transactions.put(order.order_id, Transaction { order, method_type, phase });
    says
}

/// The events and calls on entering a phase.
fn entering(phase: Phase, order: &Order) -> Says {
    let (order_id, order) = (order.order_id, order.clone());
    match phase {
        // Requested by `hold`, which has the card's details.
        Phase::Authorizing => Says::silence(),
        Phase::Authorized => Says::event(PaymentAuthorized { order }),
        Phase::Declined(reason) => Says::event(PaymentDeclined { order, reason }),
        Phase::Capturing { cancel: None } => Says::attempt(Call::Capture.attempt(order_id)),
        // Requested already.
        Phase::Capturing { cancel: Some(_) } => Says::silence(),
        Phase::Captured => Says::event(PaymentCaptured { order }),
        Phase::CaptureFailed(reason) => Says::event(PaymentCaptureFailed { order, reason }),
        Phase::Voiding(_) => Says::attempt(Call::Void.attempt(order_id)),
        Phase::Voided(reason) | Phase::Cancelled(reason) => Says::event(PaymentVoided { order, reason }),
        Phase::Refunding(_) => Says::attempt(Call::Refund.attempt(order_id)),
        Phase::Refunded(reason) => Says::event(PaymentRefunded { order, reason }),
    }
}
