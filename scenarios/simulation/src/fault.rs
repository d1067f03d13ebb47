//! Faults in decisions: what the model notices has to do the same harm on the databases.

use account::{Account, Ask as AccountAsk};
use inventory::{Ask as InventoryAsk, Inventory};
use order::{Branch, Command as OrderCommand, Orders, Turn};
use payment::{Payment, phase::Phase};
use saga::barrier::Status;
use saga_check::{After, Before};
use serde::{Deserialize, Serialize};

/// Something wrong in one service's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The account debits although the money was given back.
    LateConfirm,
    /// The inventory takes back what is committed when a buyer cancels.
    LateCancel,
    /// The inventory says that it has reserved what is out of stock.
    Oversold,
    /// An order completes although one of its two sides refused.
    OneSideIsEnough,
    /// The payment forgets a cancellation that comes during the capture.
    ForgetsCancel,
    /// The account gives back what it has not said.
    SilentRefund,
}

/// What is done before and after each decision of a service.
pub(crate) type Hooks<S> = Option<(Before<S>, After<S>)>;

impl Fault {
    /// All faults.
    pub const ALL: [Fault; 6] = [
        Fault::LateConfirm,
        Fault::LateCancel,
        Fault::Oversold,
        Fault::OneSideIsEnough,
        Fault::ForgetsCancel,
        Fault::SilentRefund,
    ];

    pub(crate) fn of_order(self) -> Hooks<Orders> {
        let before: Before<Orders> = match self {
            Fault::OneSideIsEnough => |register, command| {
                let OrderCommand::Fulfil(id, _, Turn::Done) = command else { return };
                let Some(purchase) = register.purchases.get_mut(id) else { return };
                for branch in [&mut purchase.fulfilment.parcel, &mut purchase.fulfilment.unlock].into_iter().flatten() {
                    if *branch == Branch::Refused {
                        *branch = Branch::Done;
                    }
                }
            },
            _ => return None,
        };
        Some((before, |_, _, _| {}))
    }

    pub(crate) fn of_account(self) -> Hooks<Account> {
        match self {
            Fault::LateConfirm => Some((
                |books, command| {
                    let account::Command::About { order, ask } = command else { return };
                    if let (AccountAsk::Debit, Some(held)) = (*ask, books.reservations.get_mut(&order.order_id)) {
                        held.status = Status::Reserved;
                    }
                },
                |_, _, _| {},
            )),
            Fault::SilentRefund => Some((
                |_, _| {},
                |_, command, says| {
                    if matches!(command, account::Command::About { ask: AccountAsk::GiveBack(_), .. }) {
                        says.events.clear();
                    }
                },
            )),
            _ => None,
        }
    }

    pub(crate) fn of_inventory(self) -> Hooks<Inventory> {
        let before: Before<Inventory> = match self {
            Fault::LateCancel => |_, command| {
                if let InventoryAsk::Withdraw(reason) = command.ask {
                    command.ask = InventoryAsk::TakeBack(reason);
                }
            },
            Fault::Oversold => |warehouse, command| {
                if command.ask != InventoryAsk::Reserve {
                    return;
                }
                for item in &command.order.items {
                    if let Some(stock) = warehouse.stock.get_mut(&item.product_id) {
                        stock.quantity += item.quantity;
                    }
                }
            },
            _ => return None,
        };
        Some((before, |_, _, _| {}))
    }

    pub(crate) fn of_payment(self) -> Hooks<Payment> {
        if self != Fault::ForgetsCancel {
            return None;
        }
        let after: After<Payment> = |books, command, _| {
            let Some(known) = books.transactions.get_mut(&command.order_id()) else { return };
            if matches!(known.phase, Phase::Capturing { .. }) {
                known.phase = Phase::Capturing { cancel: None };
            }
        };
        Some((|_, _| {}, after))
    }
}
