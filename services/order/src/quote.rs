//! From a request to an order: checked, merged to one item per product, and priced from the catalogue.

use std::collections::BTreeMap;

use events::{
    Currency, Item, Kind, Order, OrderId, ProductId,
    request::{OrderRequested, RequestedItem},
};

/// Maximum number of lines of a request.
const MAX_LINES: usize = 100;
/// Maximum number of pieces of a product.
const MAX_QUANTITY: i64 = 1_000_000;
/// Maximum length of a text in characters.
const MAX_TEXT: usize = 500;

/// A product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Product {
    /// Price of one piece, in minor units of `currency`. Never negative.
    pub price: i64,
    pub currency: Currency,
    pub kind: Kind,
}

/// The products that a batch asks for, as far as they exist.
pub type Catalogue = BTreeMap<ProductId, Product>;

/// The reason why there is no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request is not a valid order; the text is for the client.
    Invalid(String),
    UnknownProduct(ProductId),
    /// Physical goods without an address.
    NoAddress,
}

/// The order for a request, at today's prices.
pub(crate) fn quote(order_id: OrderId, request: &OrderRequested, catalogue: &Catalogue) -> Result<Order, Refusal> {
    plain("ship_to", request.ship_to.as_deref())?;
    plain("idempotency_key", request.idempotency_key.as_deref())?;
    let mut currencies = Vec::new();
    let mut items = Vec::new();
    for (product_id, quantity) in quantities(&request.items)? {
        let product = catalogue.get(&product_id).ok_or(Refusal::UnknownProduct(product_id))?;
        currencies.push(product.currency);
        items.push(Item { product_id, quantity, unit_price: product.price, kind: product.kind });
    }
    let order = Order {
        order_id,
        user_id: request.user_id,
        payment_method_id: request.payment_method_id,
        currency: one_currency(&currencies)?,
        total: total(&items)?,
        items,
        ship_to: None,
    };
    let ship_to = request.ship_to.clone().filter(|_| order.has(Kind::Physical));
    // Refused here rather than by shipping, which would find it only after the debit.
    if order.has(Kind::Physical) && ship_to.as_deref().is_none_or(|address| address.trim().is_empty()) {
        return Err(Refusal::NoAddress);
    }
    Ok(Order { ship_to, ..order })
}

fn quantities(lines: &[RequestedItem]) -> Result<BTreeMap<ProductId, i64>, Refusal> {
    match lines.len() {
        0 => return Err(invalid("items is empty")),
        1..=MAX_LINES => {}
        more => return Err(invalid(format!("items has {more} lines; at most {MAX_LINES} are allowed"))),
    }
    let mut quantities = BTreeMap::<ProductId, i64>::new();
    for RequestedItem { product_id, quantity } in lines {
        if *quantity < 1 {
            return Err(invalid(format!("the quantity of product {product_id} is {quantity}; it must be at least 1")));
        }
        let sum = quantities.entry(*product_id).or_default();
        *sum = sum.saturating_add(*quantity);
        if *sum > MAX_QUANTITY {
            return Err(invalid(format!(
                "the quantity of product {product_id} is {sum}; at most {MAX_QUANTITY} are allowed"
            )));
        }
    }
    Ok(quantities)
}

fn one_currency(currencies: &[Currency]) -> Result<Currency, Refusal> {
    let first = *currencies.first().ok_or_else(|| invalid("items is empty"))?;
    match currencies.iter().find(|currency| **currency != first) {
        None => Ok(first),
        Some(other) => Err(invalid(format!("items has prices in {first} and in {other}; an order has one currency"))),
    }
}

fn total(items: &[Item]) -> Result<i64, Refusal> {
    items
        .iter()
        .try_fold(0_i64, |total, item| total.checked_add(item.quantity.checked_mul(item.unit_price)?))
        .ok_or_else(|| invalid("the total is too large"))
}

/// Refuses line breaks and control characters: the text is for a single line.
fn plain(field: &str, text: Option<&str>) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    if text.chars().any(char::is_control) {
        return Err(invalid(format!("{field} contains control characters")));
    }
    match text.chars().count() {
        ..=MAX_TEXT => Ok(()),
        more => Err(invalid(format!("{field} has {more} characters; at most {MAX_TEXT} are allowed"))),
    }
}

fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::Invalid(why.into())
}
