//! Decisions about parcels, without I/O.

use events::{
    Kind, Order, OrderId, Reason,
    erasure::{Scrubs, UserErased},
    shipping::{ShipmentArranged, ShipmentCancelled, ShipmentRejected},
};
use personal_data::PersonKeys;
use saga::{
    Rows, Says,
    barrier::{Move, Status, Step, pass},
};

#[cfg(test)]
mod tests;

/// A command about one order, or about a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    About {
        order: Order,
        ask: Ask,
    },
    /// The user's personal data has to go.
    Scrub(UserErased),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Book a parcel with the physical items.
    Arrange,
    /// The order's digital items were refused: cancel the parcel.
    Cancel(Reason),
}

impl Command {
    pub fn new(order: Order, ask: Ask) -> Self {
        Command::About { order, ask }
    }

    /// The order; of a user, the id that stands in its place.
    pub fn order_id(&self) -> OrderId {
        match self {
            Command::About { order, .. } => order.order_id,
            Command::Scrub(event) => event.erasure.erasure_id,
        }
    }
}

/// One order's parcel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shipment {
    /// As it came, sealed where addresses are.
    pub ship_to: Option<String>,
    /// Never `Reserved` or `Refunded`: a parcel is booked at once, and a cancelled one is simply not sent.
    pub status: Status,
    pub tracking_no: Option<String>,
    pub reason: Option<Reason>,
}

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Depot {
    pub shipments: Rows<OrderId, Shipment>,
    /// Places without delivery, in lower case.
    pub no_service: Vec<String>,
    /// Keys of the buyers whose addresses are needed.
    pub keys: PersonKeys,
    /// Users whose data this batch removes.
    pub scrubs: Scrubs,
}

pub(crate) fn decide(depot: &mut Depot, command: &Command) -> Says {
    match command {
        Command::About { order, ask } => book(depot, order, *ask),
        Command::Scrub(event) => {
            depot.scrubs.add(event);
            Says::silence()
        }
    }
}

fn book(depot: &mut Depot, order: &Order, ask: Ask) -> Says {
    let step = match ask {
        Ask::Arrange if !order.has(Kind::Physical) => return Says::ignored("nothing in the order travels"),
        Ask::Cancel(_) if !order.is_mixed() => return Says::ignored("no mixed order: no parcel to cancel"),
        Ask::Arrange => Step::Try,
        Ask::Cancel(reason) => Step::Cancel(reason),
    };
    let status = depot.shipments.get(&order.order_id).map(|shipment| shipment.status);
    match pass(status, step) {
        Move::Reserve => arrange(depot, order),
        Move::Forbid(reason) | Move::GiveBack(reason) | Move::Release(reason) => {
            depot.note(order, Status::Cancelled, Some(reason));
            Says::event(ShipmentCancelled { order: order.clone(), reason })
        }
        Move::Confirm => Says::ignored("a parcel is booked at once: there is nothing to confirm"),
        Move::Nothing(why) => Says::ignored(why),
    }
}

fn arrange(depot: &mut Depot, order: &Order) -> Says {
    // An address that does not open is one that nobody can deliver to: the buyer has been erased, or it is another order's.
    if !depot.address(order).is_some_and(|address| depot.delivers_to(&address)) {
        let reason = Reason::UnshippableAddress;
        depot.note(order, Status::Rejected, Some(reason));
        return Says::event(ShipmentRejected { order: order.clone(), reason });
    }
    depot.note(order, Status::Confirmed, None);
    Says::event(ShipmentArranged { order: order.clone(), tracking_no: tracking_no(order.order_id) })
}

/// The digits of a tracking number: Crockford's base32, without letters that look like digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The carrier's number for an order's parcel, always the same: `PP-` and the whole id in 26 digits. Clients may choose order
/// ids, so a part of one could collide: the whole id keeps the numbers unique.
pub fn tracking_no(order: OrderId) -> String {
    let id = order.0.as_u128();
    let digits = (0..26).rev().map(|place| char::from(DIGITS[(id >> (5 * place)) as usize & 31]));
    format!("PP-{}", digits.collect::<String>())
}

impl Depot {
    fn address(&self, order: &Order) -> Option<String> {
        let place = events::personal::ship_to(order.order_id);
        self.keys.open(order.user_id.0, &place, order.ship_to.as_deref()?).ok()
    }

    fn delivers_to(&self, address: &str) -> bool {
        let address = address.trim().to_lowercase();
        !address.is_empty() && !self.no_service.iter().any(|place| address.contains(place))
    }

    fn note(&mut self, order: &Order, status: Status, reason: Option<Reason>) {
        let booked = self.shipments.get(&order.order_id).and_then(|shipment| shipment.tracking_no.clone());
        let tracking_no = if status == Status::Confirmed { Some(tracking_no(order.order_id)) } else { booked };
        let row = Shipment { ship_to: order.ship_to.clone(), status, tracking_no, reason };
        self.shipments.put(order.order_id, row);
    }
}
