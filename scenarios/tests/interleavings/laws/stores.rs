//! Balances and stock: conserved, and never negative.

use scenarios::audit::{BalanceRow, StockRow};

use crate::{bus::World, rows, shop::Shop};

pub(super) fn money(shop: &Shop, world: &World) -> Result<(), String> {
    let rows = rows::ledgers(shop, world).balances;
    let right = |row: &&BalanceRow| {
        let in_bounds = 0 <= row.reserved_balance && row.reserved_balance <= row.balance;
        in_bounds && row.reserved_balance == row.held && row.balance + row.taken == row.deposited
    };
    rows.iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}

pub(super) fn stock(shop: &Shop, world: &World) -> Result<(), String> {
    let rows = rows::ledgers(shop, world).stock;
    let right = |row: &&StockRow| {
        let in_bounds = 0 <= row.reserved_quantity && row.reserved_quantity <= row.stock_quantity;
        in_bounds && row.reserved_quantity == row.held && row.stock_quantity + row.taken == row.received
    };
    rows.iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}
