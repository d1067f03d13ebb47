//! Mutants that do the right thing but publish or store something else.

use account::Ask as Account;
use entitlement::Ask as Entitlement;
use events::{Kind, Reason};
use inventory::Ask as Inventory;
use order::{Branch, Command as Order, Money, Settlement, Turn};
use saga::{Said, Says};
use serde_json::{Value, json};

use super::{Mutant, by_card, by_wallet};
use crate::{
    bus::Cast,
    laws::{AT_REST, BRANCHES, CONTENTS, ENDS_LAST, MONEY, REASONS, TOLD},
    shop::{NEIGHBOUR, NOWHERE, Shop},
    wish::{Pay, Wish},
};

fn mixed() -> Wish {
    Wish::of(1, 1, Pay::Wallet)
}

fn unshippable() -> Wish {
    Wish { ship_to: NOWHERE.into(), ..mixed() }
}

/// A shop in which everything digital is discontinued.
fn discontinued() -> Shop {
    Shop { unlocks: Some(false), ..Shop::default() }
}

/// Changes the data of an event.
fn forge(says: &mut Says, event_type: &str, forge: impl Fn(&mut Value)) {
    for Said { payload, .. } in says.events.iter_mut().filter(|said| said.event_type == event_type) {
        let mut content = serde_json::from_str(payload).expect("an event is JSON");
        forge(&mut content);
        *payload = content.to_string();
    }
}

#[test]
fn refunded_is_always_0() {
    let mutant = |lacks| Mutant::of(unshippable(), lacks);
    let in_the_event = |cast: &mut Cast| {
        cast.order.after = |_, _, says| forge(says, "OrderCancelled", |said| said["refunded"] = json!(0))
    };
    mutant(in_the_event).breaks(&TOLD, "order hears BalanceRefunded -> OrderCancelled");
    // Even if the order service itself uses it.
    let everywhere = |cast: &mut Cast| {
        cast.order.before = |_, command| {
            if let Order::Settle(_, Settlement::Refunded { amount, .. }) = command {
                *amount = 0;
            }
        };
    };
    mutant(everywhere).breaks(&TOLD, "order hears BalanceRefunded -> OrderCancelled");
}

#[test]
fn what_was_held_counts_as_given_back() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.order.before = |_, command| {
            if let Order::Settle(order, settlement @ Settlement::Released { .. }) = command {
                *settlement = Settlement::Refunded { reason: settlement.reason(), amount: order.total };
            }
        };
    });
    mutant.caught_by(&TOLD);
}

#[test]
fn the_reasons_of_a_cancel_and_of_a_time_out_are_swapped() {
    let at_inventory = |cast: &mut Cast| {
        cast.inventory.before = |_, command| {
            command.ask = match command.ask {
                Inventory::Withdraw(Reason::CancelledByUser) => Inventory::Withdraw(Reason::TimedOut),
                Inventory::Withdraw(Reason::TimedOut) => Inventory::Withdraw(Reason::CancelledByUser),
                other => other,
            };
        };
    };
    Mutant::of(by_wallet(), at_inventory).caught_by(&REASONS);
    let at_payment = |cast: &mut Cast| {
        cast.payment.before = |_, command| {
            let payment::Command::Pay { step: payment::lifecycle::Step::Cancel(reason), .. } = command else { return };
            *reason = match *reason {
                Reason::CancelledByUser => Reason::TimedOut,
                Reason::TimedOut => Reason::CancelledByUser,
                other => other,
            };
        };
    };
    Mutant::of(by_card(), at_payment).caught_by(&REASONS);
}

/// The buyer cancels, but the balance was insufficient, which came first.
#[test]
fn an_order_keeps_its_first_reason() {
    let poor = || Shop { deposit: 1, ..Shop::default() };
    // In the event and in the row.
    let everywhere = |cast: &mut Cast| {
        cast.order.before = |register, command| {
            let Order::Settle(order, settlement) = command else { return };
            let Some(first) = register.purchases.get(&order.order_id).and_then(|known| known.reason) else { return };
            match settlement {
                Settlement::Rejected { reason } | Settlement::Released { reason } => *reason = first,
                Settlement::Refunded { reason, .. } => *reason = first,
            }
        };
    };
    Mutant::of(by_wallet(), everywhere).in_shop(poor()).caught_by(&REASONS);
    // In the row alone.
    let in_the_row = |cast: &mut Cast| {
        cast.order.decide = |orders, register, command| {
            let id = command.order_id();
            let first = register.purchases.get(&id).and_then(|known| known.reason);
            let says = crate::bus::own(orders, register, command);
            if let (Some(first), Some(known)) = (first, register.purchases.get_mut(&id)) {
                known.reason = Some(first);
            }
            says
        };
    };
    Mutant::of(by_wallet(), in_the_row).in_shop(poor()).caught_by(&REASONS);
}

#[test]
fn a_branch_answers_for_another() {
    // Each answer is recorded for the other branch.
    let swapped = |cast: &mut Cast| {
        cast.order.before = |_, command| {
            if let Order::Fulfil(_, kind, _) = command {
                *kind = match kind {
                    Kind::Physical => Kind::Digital,
                    Kind::Digital => Kind::Physical,
                };
            }
        };
    };
    for wish in [mixed(), unshippable()] {
        Mutant::of(wish, swapped).caught_by(&BRANCHES);
    }
    // The outcome of one branch is recorded for both.
    let for_both = |cast: &mut Cast| {
        cast.order.before = |register, command| {
            let Order::Fulfil(id, _, Turn::Done) = command else { return };
            let Some(purchase) = register.purchases.get_mut(id) else { return };
            for branch in [&mut purchase.fulfilment.parcel, &mut purchase.fulfilment.unlock].into_iter().flatten() {
                if *branch == Branch::Open {
                    *branch = Branch::Done;
                }
            }
        };
    };
    Mutant::of(mixed(), |cast| {
        cast.order.decide = |orders, register, command| {
            let says = crate::bus::own(orders, register, command);
            let Order::Fulfil(id, kind, Turn::Refused(_)) = command else { return says };
            let other = if *kind == Kind::Physical { Kind::Digital } else { Kind::Physical };
            let Some(purchase) = register.purchases.get_mut(id) else { return says };
            // A refusal is recorded for both branches: the order does not wait for the other one.
            if let Some(branch) = purchase.fulfilment.branch_mut(other) {
                *branch = Branch::Undone;
            }
            says
        };
    })
    .in_shop(discontinued())
    .caught_by(&BRANCHES);
    let broken = Mutant::of(mixed(), for_both).explored().broken.expect("a mutant is noticed");
    assert!([BRANCHES.name, ENDS_LAST.name].contains(&broken.law), "{broken}");
}

#[test]
fn another_pays() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.account.before = |_, command| {
            if let account::Command::About { order, ask: Account::Reserve } = command {
                order.user_id = NEIGHBOUR;
            }
        };
    });
    mutant.breaks(&CONTENTS, "account hears OrderCreated -> BalanceReserved");
}

#[test]
fn less_is_taken_than_was_ordered() {
    let mutant = Mutant::of(Wish::of(2, 0, Pay::Wallet), |cast| {
        cast.inventory.before = |_, command| {
            for item in &mut command.order.items {
                item.quantity = 1;
            }
        };
    });
    mutant.caught_by(&CONTENTS);
}

#[test]
fn another_is_given_the_goods() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.entitlement.decide = |service, shelf, command| {
            let says = crate::bus::own(service, shelf, command);
            if let (Entitlement::Grant, Some(unlock)) = (command.ask, shelf.unlocks.get_mut(&command.order.order_id)) {
                unlock.user_id = NEIGHBOUR;
            }
            says
        };
    });
    mutant.breaks(&CONTENTS, "entitlement hears StockCommitted -> EntitlementGranted");
}

#[test]
fn a_card_is_charged_more() {
    let mutant = Mutant::of(by_card(), |cast| {
        cast.payment.after = |_, _, says| {
            for call in says.attempts.iter_mut().filter(|call| call.kind == "authorize") {
                call.request["amount"] = json!(1_000_000);
            }
        };
    });
    mutant.breaks(&CONTENTS, "payment hears BalanceReserved -> calls authorize");
}

#[test]
fn less_is_given_back_than_was_taken() {
    let mutant = Mutant::of(unshippable(), |cast| {
        cast.account.after = |_, _, says| forge(says, "BalanceRefunded", |said| said["amount"] = json!(1));
    });
    mutant.caught_by(&CONTENTS);
    let silently = Mutant::of(unshippable(), |cast| {
        cast.account.decide = |service, books, command| {
            let says = crate::bus::own(service, books, command);
            let account::Command::About { order, .. } = command else { return says };
            if says.events.iter().any(|said| said.event_type == "BalanceRefunded") {
                books.balances.get_mut(&(order.user_id, order.currency)).expect("the buyer's").balance -= 1;
            }
            says
        };
    });
    silently.caught_by(&MONEY);
}

#[test]
fn one_line_of_two_for_the_same_product_is_lost() {
    let wish = Wish { piecemeal: true, ..Wish::of(2, 0, Pay::Wallet) };
    let mutant = Mutant::of(wish, |cast| {
        cast.order.before = |_, command| {
            if let Order::Place(placement) = command {
                placement.request.items.dedup();
            }
        };
    });
    mutant.caught_by(&CONTENTS);
}

#[test]
fn the_mail_says_something_else() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.notification.before = |_, command| {
            if let notification::Command::Tell { ending: notification::Ending::Cancelled { refunded, .. }, .. } =
                command
            {
                *refunded = 1;
            }
        };
    });
    mutant.caught_by(&TOLD);
    let misdirected = Mutant::of(by_wallet(), |cast| {
        cast.notification.before = |_, command| {
            if let notification::Command::Tell { order, .. } = command {
                order.user_id = NEIGHBOUR;
            }
        };
    });
    misdirected.caught_by(&TOLD);
}

#[test]
fn an_order_forgets_that_its_money_came_back() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.order.after = |register, command, _| {
            if let Some(known) = register.purchases.get_mut(&command.order_id()) {
                known.money = Money::Open;
            }
        };
    });
    mutant.caught_by(&TOLD);
}

#[test]
fn all_parcels_have_one_number() {
    let mutant = Mutant::of(Wish::of(0, 1, Pay::Wallet), |cast| {
        cast.shipping.after = |depot, command, _| {
            if let Some(shipment) = depot.shipments.get_mut(&command.order_id()) {
                shipment.tracking_no = Some("PP-0000-0000-0000".to_owned());
            }
        };
    });
    mutant.caught_by(&CONTENTS);
}

#[test]
fn a_lost_mail_is_noticed() {
    let mutant = Mutant::of(by_wallet(), |cast| cast.notification.after = |_, _, says| says.attempts.clear());
    mutant.caught_by(&AT_REST);
}
