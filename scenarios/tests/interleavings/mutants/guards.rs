//! Mutants with one guard removed.

use account::Ask as Account;
use events::{
    order::OrderCancelRequested,
    payment::{PaymentRefunded, PaymentVoided},
};
use inventory::Ask as Inventory;
use order::{Branch, Command as Order, Turn};
use payment::{Payment, lifecycle::Step, phase::Phase};
use saga::{Rows, Service, barrier::Status, says};

use super::{Mutant, by_card, by_wallet};
use crate::{
    bus::Cast,
    laws::{AT_REST, ENDS_LAST, IN_ORDER, MONEY, REASONS, SAID_ONCE},
    shop::NOWHERE,
    wish::{Pay, Wish},
};

fn without<K: Ord + Clone, V: Clone>(rows: &Rows<K, V>, key: &K) -> Rows<K, V> {
    Rows::loaded(rows.iter().filter(|(other, _)| *other != key).map(|(key, row)| (key.clone(), row.clone())))
}

#[test]
fn a_try_that_hangs_is_accepted() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.inventory.before = |warehouse, command| {
            let id = command.order.order_id;
            let cancelled = warehouse.reservations.get(&id).is_some_and(|held| held.status == Status::Cancelled);
            if command.ask == Inventory::Reserve && cancelled {
                warehouse.reservations = without(&warehouse.reservations, &id);
            }
        };
    });
    mutant.breaks(&REASONS, "inventory hears PaymentAuthorized -> StockReserved");
}

#[test]
fn a_cancel_of_nothing_is_not_remembered() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.payment.after = |books, command, _| {
            let id = command.order_id();
            if books.transactions.get(&id).is_some_and(|known| matches!(known.phase, Phase::Cancelled(_))) {
                books.transactions = without(&books.transactions, &id);
            }
        };
    });
    mutant.breaks(&ENDS_LAST, "order hears BalanceReleased -> OrderCancelled");
}

#[test]
fn a_late_confirm_debits() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.account.before = |books, command| {
            let account::Command::About { order, ask } = command else { return };
            if let (Account::Debit, Some(held)) = (*ask, books.reservations.get_mut(&order.order_id)) {
                held.status = Status::Reserved;
            }
        };
    });
    mutant.breaks(&MONEY, "account hears StockReserved -> BalanceDebited");
}

#[test]
fn a_cancel_after_the_commit_is_obeyed() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.inventory.before = |_, command| {
            if let Inventory::Withdraw(reason) = command.ask {
                command.ask = Inventory::TakeBack(reason);
            }
        };
    });
    mutant.breaks(&IN_ORDER, "inventory hears OrderCancelRequested -> StockReleased");
}

#[test]
fn an_order_completes_although_one_side_refused() {
    let wish = Wish { ship_to: NOWHERE.into(), ..Wish::of(1, 1, Pay::Wallet) };
    let mutant = Mutant::of(wish, |cast| {
        cast.order.before = |register, command| {
            let Order::Fulfil(id, _, Turn::Done) = command else { return };
            let Some(purchase) = register.purchases.get_mut(id) else { return };
            for branch in [&mut purchase.fulfilment.parcel, &mut purchase.fulfilment.unlock].into_iter().flatten() {
                if *branch == Branch::Refused {
                    *branch = Branch::Done;
                }
            }
        };
    });
    mutant.breaks(&ENDS_LAST, "order hears EntitlementGranted -> OrderCompleted");
}

#[test]
fn an_order_does_not_wait_for_both_sides() {
    let wish = Wish { ship_to: NOWHERE.into(), ..Wish::of(1, 1, Pay::Wallet) };
    let mutant = Mutant::of(wish, |cast| {
        cast.order.before = |register, command| {
            let Order::Settle(order, _) = command else { return };
            let Some(purchase) = register.purchases.get_mut(&order.order_id) else { return };
            purchase.fulfilment.unlock = None;
        };
    });
    mutant.breaks(&ENDS_LAST, "order hears BalanceRefunded -> OrderCancelled");
}

#[test]
fn a_cancel_during_the_capture_is_not_noted() {
    let mutant = Mutant::of(by_card(), |cast| {
        cast.payment.after = |books, command, _| {
            let Some(known) = books.transactions.get_mut(&command.order_id()) else { return };
            if matches!(known.phase, Phase::Capturing { .. }) {
                known.phase = Phase::Capturing { cancel: None };
            }
        };
    });
    mutant.breaks(&AT_REST, "inventory hears PaymentCaptured");
}

#[test]
fn what_was_given_up_is_not_voided() {
    let mutant = Mutant::of(by_card(), |cast| {
        cast.payment.after = |_, command, says| {
            if command.step() == Some(Step::AuthorizeGaveUp) {
                says.attempts.clear();
            }
        };
    });
    mutant.breaks(&AT_REST, "mail is answered -> NotificationSent");
}

#[test]
fn a_compensation_is_forgotten() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.payment.table = Payment::table().without("StockReleased").expect("it reacts to it");
    });
    mutant.breaks(&AT_REST, "inventory hears PaymentAuthorized");
}

#[test]
fn the_payment_is_undone_before_the_stock() {
    let mutant = Mutant::of(by_wallet(), |cast| {
        cast.payment.table =
            Payment::table().on("cancel", says![PaymentVoided, PaymentRefunded], |e: OrderCancelRequested| {
                payment::Command::asked(e.order, Step::Cancel(events::Reason::CancelledByUser))
            });
    });
    mutant.breaks(&IN_ORDER, "payment hears OrderCancelRequested -> PaymentVoided");
}

/// Makes the account refund again what it has already refunded: its barrier is removed.
fn gives_back_again(cast: &mut Cast) {
    cast.account.before = |books, command| {
        let account::Command::About { order, ask } = command else { return };
        let Some(held) = books.reservations.get_mut(&order.order_id) else { return };
        match (*ask, held.status) {
            (Account::GiveBack(_), Status::Cancelled) => held.status = Status::Reserved,
            (Account::GiveBack(_), Status::Refunded) => held.status = Status::Confirmed,
            _ => {}
        }
    };
}

#[test]
fn a_repetition_is_kept_out_by_the_inbox_or_by_the_barrier() {
    Mutant::of(by_wallet(), gives_back_again).breaks_nothing();
    Mutant::of(by_wallet(), |_| {}).forgetful().breaks_nothing();
}

#[test]
fn a_repetition_is_kept_out_by_nobody() {
    Mutant::of(by_wallet(), gives_back_again)
        .forgetful()
        .breaks(&SAID_ONCE, "account hears PaymentVoided again -> BalanceReleased");
}
