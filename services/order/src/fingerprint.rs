//! Distinguishes a repeated request from a different one under the same id.

use events::{ProductId, request::OrderRequested};
use personal_data::{PersonKeys, Unsealed};
use sha2::{Digest, Sha256};

/// A hash of a request's content, independent of its ids and of the order of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// The fingerprints that a request may be known by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprints {
    /// The one that is stored: keyed, where addresses are sealed, so that nobody can find an address by hashing all that there
    /// are.
    pub(crate) now: Fingerprint,
    /// The one of requests that were stored before addresses were sealed.
    before: Fingerprint,
}

impl Fingerprints {
    /// # Errors
    /// If the buyer has been erased.
    pub(crate) fn of(request: &OrderRequested, keys: &PersonKeys) -> Result<Self, Unsealed> {
        Ok(Fingerprints { now: Fingerprint::under(request, keys)?, before: Fingerprint::of(request) })
    }

    pub(crate) fn has(self, known: Fingerprint) -> bool {
        known == self.now || known == self.before
    }
}

impl Fingerprint {
    pub fn of(request: &OrderRequested) -> Self {
        Fingerprint::with(request, request.ship_to.as_deref())
    }

    /// The fingerprint under the buyer's key: the one of [`of`](Self::of) where nothing is sealed.
    ///
    /// # Errors
    /// If the buyer has been erased, or his key is not there.
    pub fn under(request: &OrderRequested, keys: &PersonKeys) -> Result<Self, Unsealed> {
        let seal = |address: &String| keys.seal(request.user_id.0, "request/ship_to", address);
        let sealed = request.ship_to.as_ref().map(seal).transpose()?;
        Ok(Fingerprint::with(request, sealed.as_deref()))
    }

    fn with(request: &OrderRequested, ship_to: Option<&str>) -> Self {
        // Destructured in full, so that a new field cannot be forgotten here.
        let OrderRequested { user_id, payment_method_id, items, order_id: _, idempotency_key: _, ship_to: _ } = request;
        let mut lines: Vec<(ProductId, i64)> = items.iter().map(|item| (item.product_id, item.quantity)).collect();
        lines.sort_unstable();
        let content = serde_json::json!([user_id, payment_method_id, lines, ship_to]);
        Fingerprint(Sha256::digest(content.to_string()).into())
    }
}

#[cfg(test)]
mod tests {
    use events::{OrderId, PaymentMethodId, UserId, request::RequestedItem};
    use personal_data::{Held, PersonKey};

    use super::*;

    fn request(lines: &[(i64, i64)]) -> OrderRequested {
        OrderRequested {
            user_id: UserId(1),
            payment_method_id: PaymentMethodId(2),
            items: lines
                .iter()
                .map(|(product, quantity)| RequestedItem { product_id: ProductId(*product), quantity: *quantity })
                .collect(),
            order_id: None,
            idempotency_key: None,
            ship_to: None,
        }
    }

    #[test]
    fn names_and_the_order_of_lines_do_not_count() {
        let named = OrderRequested {
            order_id: Some(OrderId(uuid::Uuid::nil())),
            idempotency_key: Some("key".into()),
            ..request(&[(2, 1), (1, 3)])
        };
        assert_eq!(Fingerprint::of(&named), Fingerprint::of(&request(&[(1, 3), (2, 1)])));
    }

    #[test]
    fn a_stored_one_cannot_be_found_without_the_buyers_key_and_those_of_before_are_known() {
        let request = OrderRequested { ship_to: Some("Kyoto".into()), ..request(&[(1, 2)]) };
        let keys = |key: &PersonKey| PersonKeys::sealing([(1, Held::Key(key.clone()))]);
        let (key, another) = (PersonKey::generate(), PersonKey::generate());
        let with = |key| Fingerprints::of(&request, &keys(key)).expect("a key");
        assert!(with(&key).now != Fingerprint::of(&request) && with(&key).now != with(&another).now);
        assert!(with(&key).has(with(&key).now) && with(&key).has(Fingerprint::of(&request)));
        assert!(!with(&key).has(with(&another).now));
        let plain = Fingerprints::of(&request, &PersonKeys::default()).expect("no key needed");
        assert_eq!(plain.now, Fingerprint::of(&request));
        let erased = PersonKeys::sealing([(1, Held::Erased)]);
        assert!(Fingerprints::of(&request, &erased).is_err());
    }

    #[test]
    fn everything_else_counts() {
        let all = [
            request(&[(1, 2)]),
            request(&[(2, 1)]),
            request(&[(1, 1), (1, 1)]),
            OrderRequested { user_id: UserId(12), ..request(&[(1, 2)]) },
            OrderRequested { payment_method_id: PaymentMethodId(1), ..request(&[(1, 2)]) },
            OrderRequested { ship_to: Some(String::new()), ..request(&[(1, 2)]) },
            OrderRequested { ship_to: Some("here".into()), ..request(&[(1, 2)]) },
        ];
        let mut prints: Vec<_> = all.iter().map(Fingerprint::of).collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), all.len());
    }
}
