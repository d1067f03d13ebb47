//! Checks that stock is conserved.

use super::{Finding, Invariant, ledgers::Ledgers};

/// Whatever is held of a product is held by reservations.
pub(super) fn nothing_held(ledgers: &Ledgers) -> Invariant {
    let findings = ledgers
        .stock
        .iter()
        .filter(|row| row.reserved_quantity != row.held)
        .map(|row| {
            let (product, reserved, held) = (row.product_id, row.reserved_quantity, row.held);
            Finding::general(format!("product {product} has {reserved} reserved, but reservations hold {held}"))
        })
        .collect();
    Invariant {
        what: "nothing is left reserved of the stock",
        looked_at: format!("{} products", ledgers.stock.len()),
        findings,
    }
}

/// Stock plus sold equals received.
pub(super) fn conserved(ledgers: &Ledgers) -> Invariant {
    let findings = ledgers
        .stock
        .iter()
        .filter(|row| row.stock_quantity + row.taken != row.received)
        .map(|row| {
            Finding::general(format!(
                "product {}: {} received, {} in stock, {} sold",
                row.product_id, row.received, row.stock_quantity, row.taken
            ))
        })
        .collect();
    let sum =
        |of: fn(&super::ledgers::StockRow) -> i64| ledgers.stock.iter().map(|row| i128::from(of(row))).sum::<i128>();
    Invariant {
        what: "Σ stock + Σ sold is what was received",
        looked_at: format!(
            "{} + {} = {}",
            sum(|row| row.stock_quantity),
            sum(|row| row.taken),
            sum(|row| row.received)
        ),
        findings,
    }
}
