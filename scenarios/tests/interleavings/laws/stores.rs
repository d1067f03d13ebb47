//! Balances and stock: conserved, and never negative.

use simulation::books;

use crate::{bus::World, rows, shop::Shop};

pub(super) fn money(shop: &Shop, world: &World) -> Result<(), String> {
    books::money_is_conserved(shop, &world.databases.account)
}

pub(super) fn stock(shop: &Shop, world: &World) -> Result<(), String> {
    books::stock_is_conserved(shop, rows::restocked(world), &world.databases.inventory)
}
