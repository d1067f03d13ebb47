//! Checks that money is conserved.

use std::collections::BTreeMap;

use anyhow::Context;
use saga::barrier::Status;
use sqlx::PgConnection;

use super::{Finding, Invariant, Steps, ledgers::Ledgers};

/// Whatever is held of a balance is held for an order in flight.
pub(super) fn nothing_held(steps: &Steps, ledgers: &Ledgers) -> Invariant {
    let finished_holders = steps
        .reservations
        .iter()
        .filter(|(order, row)| {
            row.status.parse() == Ok(Status::Reserved)
                && steps.orders.get(order).is_some_and(|order| order.is_finished())
        })
        .map(|(order, row)| Finding::of(*order, format!("has ended, but still holds {} {}", row.amount, row.currency)));
    let differences = ledgers.balances.iter().filter(|row| row.reserved_balance != row.held).map(|row| {
        Finding::general(format!(
            "user {} has {} {} reserved, but reservations hold {}",
            row.user_id, row.reserved_balance, row.currency, row.held
        ))
    });
    Invariant {
        what: "nothing is left reserved of a balance",
        looked_at: format!("{} balances", ledgers.balances.len()),
        findings: finished_holders.chain(differences).collect(),
    }
}

/// Σ balances + Σ captured − Σ refunded equals what was put in, for every user and, where `paid` is known, in every currency.
pub(super) fn conserved(paid: Option<&Paid>, ledgers: &Ledgers) -> Invariant {
    let by_user = ledgers.balances.iter().filter(|row| row.balance + row.taken != row.deposited).map(|row| {
        Finding::general(format!(
            "user {} put in {} {}, has {} and spent {}: {} too {}",
            row.user_id,
            row.deposited,
            row.currency,
            row.balance,
            row.taken,
            (row.balance + row.taken - row.deposited).abs(),
            if row.balance + row.taken > row.deposited { "much" } else { "little" },
        ))
    });
    let mut sums = paid.cloned().unwrap_or_default();
    for row in &ledgers.balances {
        let sums = sums.0.entry(row.currency.clone()).or_default();
        sums.deposited += i128::from(row.deposited);
        sums.balances += i128::from(row.balance);
    }
    let in_sum = sums
        .0
        .iter()
        .filter(|(_, sums)| paid.is_some() && sums.balances + sums.captured - sums.refunded != sums.deposited)
        .map(|(currency, sums)| {
            Finding::general(format!(
                "{currency}: balances {} + captured {} − refunded {} = {}, but {} was put in",
                sums.balances,
                sums.captured,
                sums.refunded,
                sums.balances + sums.captured - sums.refunded,
                sums.deposited
            ))
        });
    let looked_at: Vec<String> = sums
        .0
        .iter()
        .map(|(currency, sums)| {
            format!("{currency} {} + {} − {} = {}", sums.balances, sums.captured, sums.refunded, sums.deposited)
        })
        .collect();
    let findings = by_user.chain(in_sum).collect();
    Invariant {
        what: "Σ balances + Σ captured − Σ refunded is what was put in",
        looked_at: looked_at.join("; "),
        findings,
    }
}

/// Sums captured and refunded, by currency, beside what was put in.
#[derive(Debug, Clone, Default)]
pub(super) struct Paid(BTreeMap<String, Sums>);

impl Paid {
    /// The total of all payments, ignoring that some may be in flight.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(super) async fn read(payments: &mut PgConnection) -> anyhow::Result<Self> {
        let sums: Vec<(String, String, String)> = sqlx::query_as(
            "select currency, status, sum(amount)::text from payment_transactions group by currency, status",
        )
        .fetch_all(payments)
        .await
        .context("adding up the payments")?;
        let mut paid = Paid::default();
        for (currency, status, amount) in sums {
            let amount = amount.parse().with_context(|| format!("{amount} is not a sum of amounts"))?;
            paid.count(&currency, &status, amount);
        }
        Ok(paid)
    }

    /// Adds what these orders have paid.
    pub(super) fn add(&mut self, steps: &Steps) {
        for payment in steps.payments.values() {
            self.count(&payment.currency, &payment.status, i128::from(payment.amount));
        }
        self.set_right(steps);
    }

    /// For those of these orders that are in flight, replaces what was paid with what was taken from the balance: a payment may
    /// be debited but not yet captured, or refunded by one service but not yet by the other.
    pub(super) fn set_right(&mut self, steps: &Steps) {
        let under_way = |order| steps.orders.get(order).is_none_or(|order| !order.is_finished());
        for (order, payment) in steps.payments.iter().filter(|(order, _)| under_way(order)) {
            self.count(&payment.currency, &payment.status, -i128::from(payment.amount));
            let taken = steps.reservations.get(order).filter(|row| row.status.parse() == Ok(Status::Confirmed));
            let taken = taken.map_or(0, |row| row.amount);
            self.count(&payment.currency, Status::Confirmed.as_str(), i128::from(taken));
        }
    }

    fn count(&mut self, currency: &str, status: &str, amount: i128) {
        let sums = self.0.entry(currency.to_owned()).or_default();
        match status.parse() {
            Ok(Status::Confirmed) => sums.captured += amount,
            Ok(Status::Refunded) => {
                sums.captured += amount;
                sums.refunded += amount;
            }
            _ => {}
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Sums {
    deposited: i128,
    balances: i128,
    captured: i128,
    refunded: i128,
}
