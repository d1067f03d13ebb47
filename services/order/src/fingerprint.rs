//! Distinguishes a repeated request from a different one under the same id.

use events::{ProductId, request::OrderRequested};
use sha2::{Digest, Sha256};

/// A hash of a request's content, independent of its ids and of the order of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    pub fn of(request: &OrderRequested) -> Self {
        // Destructured in full, so that a new field cannot be forgotten here.
        let OrderRequested { user_id, payment_method_id, items, order_id: _, idempotency_key: _, ship_to } = request;
        let mut lines: Vec<(ProductId, i64)> = items.iter().map(|item| (item.product_id, item.quantity)).collect();
        lines.sort_unstable();
        let content = serde_json::json!([user_id, payment_method_id, lines, ship_to]);
        Fingerprint(Sha256::digest(content.to_string()).into())
    }
}

#[cfg(test)]
mod tests {
    use events::{OrderId, PaymentMethodId, UserId, request::RequestedItem};

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
