//! The initial state: a shop, and wishes that are published and unread.

use saga::Said;

pub(crate) use simulation::shop::{BUYER, NEIGHBOUR, NOWHERE, PRICE, STRANGER, Shop, address};

use crate::{
    bus::{Cast, Databases, Shared, World},
    wish::Wish,
};

/// These wishes are published and unread.
pub(crate) fn open(shop: &Shop, wishes: &[Wish], cast: &Cast) -> World {
    let requests: Vec<Said> = wishes.iter().enumerate().map(|(nth, wish)| wish.said(nth)).collect();
    let rows = shop.rows();
    let databases = Databases {
        order: Shared::new(rows.order),
        account: Shared::new(rows.account),
        payment: Shared::new(rows.payment),
        inventory: Shared::new(rows.inventory),
        shipping: Shared::new(rows.shipping),
        entitlement: Shared::new(rows.entitlement),
        notification: Shared::new(rows.notification),
    };
    World::new(databases, requests, cast)
}
