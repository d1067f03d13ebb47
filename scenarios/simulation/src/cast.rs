//! The seven services as the model checker runs them.

use std::{collections::BTreeMap, fmt::Debug, hash::Hash, time::Duration};

use account::Account;
use chrono::{DateTime, TimeDelta, Utc};
use entitlement::Entitlement;
use events::{OrderId, Reason, publisher};
use inventory::Inventory;
use notification::{Mail, Notification};
use order::{DEADLINE_PASSED, Orders, POST_CANCEL};
use payment::{Payment, calls::Call, lifecycle::Step};
use saga::{NewAttempt, table::Trigger};
use saga_check::{Check, Service};
use serde::Deserialize;
use shipping::Shipping;

use crate::{
    books::{self, Stores},
    case::Line,
    fault::{Fault, Hooks},
    shop::{FirstRows, Shop},
    wish::Wish,
};

/// Time until an order is overdue.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A check of the shop: these wishes are sent, each buyer may cancel at any moment, and each deadline may pass. A service may
/// lack a line.
pub(crate) fn check(shop: &Shop, wishes: &[Wish], without: Option<&Line>, fault: Option<Fault>) -> Check {
    let requests: Vec<_> = wishes.iter().enumerate().map(|(nth, wish)| wish.request(nth)).collect();
    let orders: Vec<OrderId> = requests.iter().map(|(order, _)| *order).collect();
    let services = services(shop.rows(), &orders, &Lacking(without), fault);
    let check = requests.iter().fold(services, |check, (_, request)| check.request(publisher::CLIENT, request));
    laws(shop.clone(), check)
}

/// Every event that some service reacts to, with the service.
pub fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    fn of<S: saga::Service>() -> Vec<(&'static str, &'static str)> {
        let table = S::table();
        let events = table.lines().filter_map(|line| match line.trigger {
            Trigger::Event { event_type, .. } => Some((S::NAME, event_type)),
            Trigger::Occasion(_) => None,
        });
        events.collect()
    }
    let all = [
        of::<Orders>(),
        of::<Account>(),
        of::<Payment>(),
        of::<Inventory>(),
        of::<Shipping>(),
        of::<Entitlement>(),
        of::<Notification>(),
    ];
    all.into_iter().flatten()
}

/// Takes a line away from the service that lacks it.
struct Lacking<'a>(Option<&'a Line>);

impl Lacking<'_> {
    fn of<S: saga::Service>(&self, service: Service<S>) -> Service<S>
    where
        S::Rows: Debug + Clone + Eq + Hash + 'static,
    {
        match self.0 {
            Some(line) if line.service == S::NAME => service.without(&line.event),
            Some(_) | None => service,
        }
    }
}

/// Adds a service, or a mutant of it.
fn with<S: saga::Service<Command: Clone>>(check: Check, service: Service<S>, hooks: Hooks<S>) -> Check
where
    S::Rows: Debug + Clone + Eq + Hash + 'static,
{
    match hooks {
        Some((before, after)) => check.service(service.mutated(before, after)),
        None => check.service(service),
    }
}

/// Returns whether each of these entries is among all.
fn among<K: Ord, V: PartialEq>(some: &BTreeMap<K, V>, all: &BTreeMap<K, V>) -> bool {
    some.iter().all(|(key, value)| all.get(key) == Some(value))
}

fn services(rows: FirstRows, orders: &[OrderId], lacking: &Lacking<'_>, fault: Option<Fault>) -> Check {
    let overdue: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
    let order = Service::new(Orders { timeout: TIMEOUT, ..Orders::default() }, rows.order, |rows| order::Register {
        // The timeline is append-only, and no decision depends on it.
        purchases: rows.purchases.saved(),
        history: Vec::new(),
        ..rows
    });
    let order = orders.iter().fold(order, |order, id| {
        let cancelled = order.may(POST_CANCEL, order::Command::RequestCancel(*id));
        cancelled.at(DEADLINE_PASSED, overdue, order::Command::TimeOut(*id))
    });
    let order = order.compared(|all, some| some.purchases == all.purchases && among(&some.catalogue, &all.catalogue));
    let account = Service::new(Account, rows.account, |rows| account::Books {
        balances: rows.balances.saved(),
        reservations: rows.reservations.saved(),
        ..rows
    });
    let account = account.compared(|all, some| {
        some.reservations == all.reservations
            && some.balances.is_part_of(&all.balances)
            && some.users.is_subset(&all.users)
    });
    let payment =
        Service::new(Payment, rows.payment, |rows| payment::Books { transactions: rows.transactions.saved(), ..rows });
    let payment =
        payment.compared(|all, some| some.transactions == all.transactions && among(&some.methods, &all.methods));
    let inventory = Service::new(Inventory, rows.inventory, |rows| inventory::Warehouse {
        stock: rows.stock.saved(),
        reservations: rows.reservations.saved(),
    });
    let inventory =
        inventory.compared(|all, some| some.reservations == all.reservations && some.stock.is_part_of(&all.stock));
    let shipping = Service::new(Shipping::default(), rows.shipping, |rows| shipping::Depot {
        shipments: rows.shipments.saved(),
        ..rows
    });
    let entitlement = Service::new(Entitlement, rows.entitlement, |rows| entitlement::Shelf {
        unlocks: rows.unlocks.saved(),
        ..rows
    });
    let entitlement =
        entitlement.compared(|all, some| some.unlocks == all.unlocks && among(&some.catalogue, &all.catalogue));
    let notification = Service::new(Notification::default(), rows.notification, |rows| notification::Correspondence {
        notices: rows.notices.saved(),
        ..rows
    });
    let notification =
        notification.compared(|all, some| some.notices == all.notices && among(&some.contacts, &all.contacts));
    let check = with(Check::new(), lacking.of(order), fault.and_then(Fault::of_order));
    let check = with(check, lacking.of(account), fault.and_then(Fault::of_account));
    let check = with(check, lacking.of(payment.answers(answers)), fault.and_then(Fault::of_payment));
    with(check, lacking.of(inventory), fault.and_then(Fault::of_inventory))
        .service(lacking.of(shipping))
        .service(lacking.of(entitlement))
        .service(lacking.of(notification.answers(delivered)))
}

/// Answers of a gateway that is of one mind with itself: what it has authorized can be captured, and undone.
fn answers(call: &NewAttempt) -> Vec<(&'static str, payment::Command)> {
    let answered = |step| payment::Command::answered(call.saga_id, step);
    match call.kind.parse() {
        Ok(Call::Authorize) => vec![
            ("authorized", answered(Step::Authorized)),
            ("declined", answered(Step::AuthorizeDeclined(Reason::CardDeclined))),
            ("given up", answered(Step::AuthorizeGaveUp)),
        ],
        Ok(Call::Capture) => vec![
            ("captured", answered(Step::Captured)),
            ("refused", answered(Step::CaptureRefused(Reason::CardDeclined))),
        ],
        Ok(Call::Void | Call::VoidInstead) => vec![("voided", answered(Step::Voided))],
        Ok(Call::Refund | Call::RefundInstead) => vec![("refunded", answered(Step::Refunded))],
        Err(_) => Vec::new(),
    }
}

/// A mail system that takes every letter.
fn delivered(call: &NewAttempt) -> Vec<(&'static str, notification::Command)> {
    let mail = Mail::deserialize(&call.request);
    mail.into_iter().map(|mail| ("taken", notification::Command::NoteSent { order: mail.order })).collect()
}

fn laws(shop: Shop, check: Check) -> Check {
    let received = shop.clone();
    check
        .law("money is conserved, and never negative", move |view| {
            books::money_is_conserved(&shop, view.rows::<Account>())
        })
        .law("stock is conserved, and never negative", move |view| {
            books::stock_is_conserved(&received, 0, view.rows::<Inventory>())
        })
        .at_rest("every step fits its order's end", |view| {
            let stores = Stores {
                order: view.rows::<Orders>(),
                account: view.rows::<Account>(),
                payment: view.rows::<Payment>(),
                inventory: view.rows::<Inventory>(),
                shipping: view.rows::<Shipping>(),
                entitlement: view.rows::<Entitlement>(),
                notification: view.rows::<Notification>(),
            };
            let findings = operations::audit::steps_agree(&books::steps(stores)).findings;
            findings.into_iter().next().map_or(Ok(()), |finding| Err(finding.what))
        })
        .at_rest("the buyer is told how the order has ended", |view| {
            let notices = &view.rows::<Notification>().notices;
            let is_told = |order: &OrderId| notices.get(order).is_some_and(|notice| notice.sent_at.is_some());
            let untold = view.rows::<Orders>().purchases.iter().find(|(order, _)| !is_told(order));
            untold.map_or(Ok(()), |(order, _)| Err(format!("nobody was told of {order}")))
        })
}
