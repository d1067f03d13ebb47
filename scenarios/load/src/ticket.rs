//! Order ids that encode the stage and the order's number, so that observing one requires no look-up.

use std::time::{SystemTime, UNIX_EPOCH};

use events::OrderId;
use uuid::Uuid;

/// The ids of one stage's orders: UUIDv7 whose last seven bytes are the stage's mark and the order's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tickets {
    mark: [u8; 3],
}

impl Tickets {
    /// A new stage's ids, with a random mark.
    pub fn draw() -> Self {
        Tickets { mark: rand::random() }
    }

    /// The id of the order with this number.
    pub fn order(self, number: u32) -> OrderId {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut rest: [u8; 10] = rand::random();
        rest[3..6].copy_from_slice(&self.mark);
        rest[6..].copy_from_slice(&number.to_be_bytes());
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        OrderId(uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid())
    }

    /// The number of the order in a record's key; `None` if the key is not of this stage.
    pub fn number(self, key: &[u8]) -> Option<u32> {
        let id = Uuid::try_parse_ascii(key).ok()?;
        match *id.as_bytes() {
            [.., a, b, c, n0, n1, n2, n3] if [a, b, c] == self.mark => Some(u32::from_be_bytes([n0, n1, n2, n3])),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_recognised_by_its_id_alone() {
        let (ours, others) = (Tickets { mark: [1, 2, 3] }, Tickets { mark: [1, 2, 4] });
        for number in [0, 1, 77_777, u32::MAX] {
            let order = ours.order(number);
            assert_eq!(order.0.get_version_num(), 7);
            assert_eq!(ours.number(order.to_string().as_bytes()), Some(number));
            assert_eq!(others.number(order.to_string().as_bytes()), None);
        }
        assert_eq!(ours.number(b"no id"), None);
    }
}
