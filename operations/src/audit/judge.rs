//! Judgements of single orders from what was read about them. Pure: independent of the sources.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use events::{Order, OrderId, Publisher, publisher};
use saga::table::Trigger;
use uuid::Uuid;

use super::{
    Booking, Invariant, OrderRow, Places, Steps, agreement,
    delivered::{self, MailRetention},
    dossier::{Dossier, Logged},
    erased, gateway,
    ledgers::Ledgers,
    mails, money,
    requests::Requests,
    retrace::{self, Buyers, Case},
    said::{self, Kept},
    tables::Table,
};
use crate::choreography;

/// Invariant that reports an event that is on Kafka and that no service published.
pub(super) const SAID: &str = "Kafka has what the outboxes have, as they have it, and nothing else";
pub(super) const LED_TO: &str = "the services' decisions lead to every row and every event";

/// What is known beyond the orders' dossiers.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub kept: Kept,
    pub buyers: Buyers,
    /// Events that operators resolved by hand, by service.
    pub resolved: Arc<HashSet<(Publisher, Uuid)>>,
    /// Positions up to which each service has read; None at rest, when all have read everything.
    pub places: Option<Places>,
    /// What the mail system retains; None if it cannot be read.
    pub mails: Option<MailRetention>,
    /// Digests of requests that became dead letters.
    pub letters: Arc<HashSet<String>>,
}

/// Quiet time after which an ended order should receive nothing more.
const MARGIN: TimeDelta = TimeDelta::seconds(30);

/// The reason why an order cannot be judged yet: something about it is too recent, or a service involved has records left to
/// read. None if the order has come to rest, rightly or wrongly.
pub fn on_its_way(dossier: &Dossier, known: &Known, now: DateTime<Utc>) -> Option<String> {
    let written = dossier.written.iter().map(|row| (row.at, &row.event_type));
    let logged = dossier.log.iter().filter_map(|event| {
        let at = DateTime::from_timestamp_millis(i64::try_from(event.timestamp_ms).ok()?)?;
        Some((at, &event.event_type))
    });
    if let Some((at, event_type)) = written.chain(logged).max_by_key(|(at, _)| *at)
        && now - at < MARGIN
    {
        return Some(format!("{event_type} is {} s old", (now - at).num_seconds()));
    }
    if known.kept.has_more_of(dossier) {
        return Some("an event of it is not published yet".to_owned());
    }
    unread(dossier, known.places.as_ref()?)
}

fn unread(dossier: &Dossier, places: &Places) -> Option<String> {
    for event in dossier.log.iter().filter(|event| event.is_believed()) {
        let reads = |line: &saga::table::Line| match line.trigger {
            Trigger::Event { event_type, publisher, .. } => event_type == event.event_type && publisher == event.topic,
            Trigger::Occasion(_) => false,
        };
        for part in choreography::parts().iter().filter(|part| part.lines.iter().any(reads)) {
            let Logged { topic, partition, offset, event_type, .. } = event;
            if !places.has_read(part.service, topic.topic(), *partition, *offset) {
                return Some(format!("{} has yet to read {event_type}", part.service));
            }
        }
    }
    None
}

/// Judges orders. In a system that is not at rest, orders in flight are deferred.
pub fn files(dossiers: Vec<Dossier>, known: &Known, now: DateTime<Utc>) -> Judgement {
    let rests = |dossier: &Dossier| known.places.is_none() || on_its_way(dossier, known, now).is_none();
    let (dossiers, under_way): (Vec<_>, Vec<_>) = dossiers.into_iter().partition(rests);
    let facts = dossiers.iter().map(Dossier::facts).collect::<Vec<_>>();
    let steps = Steps::of(&dossiers);
    let bookings: Vec<Booking> = dossiers.iter().flat_map(|dossier| dossier.bookings.iter().cloned()).collect();
    let none = Ledgers::default();
    let mut invariants = vec![
        agreement::every_order_ends(&steps),
        agreement::steps_agree(&steps),
        agreement::nothing_without_an_order(&steps),
        money::nothing_held(&steps, &none),
        mails::one_each(&steps),
        gateway::agrees(&steps, &bookings),
        gateway::is_lawful(&bookings),
        gateway::is_asked(&dossiers, &steps),
    ];
    invariants.extend(events(&dossiers, known));
    invariants.push(again(&dossiers, &facts, known));
    invariants.extend(known.mails.map(|retention| delivered_mails(&dossiers, &facts, (known, retention))));
    let mut requests = Requests::default();
    dossiers.iter().for_each(|dossier| requests.note(dossier, &known.letters));
    let doubted: HashSet<OrderId> =
        invariants.iter().flat_map(|invariant| &invariant.findings).filter_map(|finding| finding.order).collect();
    let has_settled = |dossier: &Dossier| {
        !doubted.contains(&dossier.order)
            && (steps.orders.get(&dossier.order).is_some_and(OrderRow::is_finished) || erased::is_erasure(dossier))
            && dossier.is_past()
            && !known.kept.has_more_of(dossier)
    };
    let open = dossiers.into_iter().filter(|dossier| !has_settled(dossier)).collect();
    Judgement { invariants, steps, requests, under_way, open }
}

/// Findings about some orders, and their share of the totals.
pub struct Judgement {
    pub invariants: Vec<Invariant>,
    pub(super) steps: Steps,
    pub(super) requests: Requests,
    /// Dossiers of deferred orders.
    pub under_way: Vec<Dossier>,
    /// Dossiers of judged orders that expect more, or with which something is wrong.
    pub open: Vec<Dossier>,
}

fn events(dossiers: &[Dossier], known: &Known) -> [Invariant; 2] {
    let rows: usize = dossiers.iter().map(|dossier| dossier.written.len()).sum();
    let records: usize = dossiers.iter().map(|dossier| dossier.log.iter().filter(|event| event.is_own()).count()).sum();
    [
        Invariant {
            what: SAID,
            looked_at: format!("{rows} rows, {records} records"),
            findings: dossiers.iter().flat_map(|dossier| said::differences(dossier, &known.kept)).collect(),
        },
        Invariant {
            what: "every event is said once",
            looked_at: format!("{rows} rows"),
            findings: dossiers.iter().flat_map(said::repetitions).collect(),
        },
    ]
}

fn again(dossiers: &[Dossier], facts: &[Option<Order>], known: &Known) -> Invariant {
    let (mut looked_at, mut too_old, mut findings) = (0, 0, Vec::new());
    for (dossier, facts) in dossiers.iter().zip(facts) {
        if dossier.order == OrderId(Uuid::nil()) {
            continue;
        }
        if erased::is_erasure(dossier) {
            findings.extend(erased::findings(dossier, &known.buyers));
            continue;
        }
        if !known.kept.has_all_of(dossier) {
            too_old += 1;
            continue;
        }
        looked_at += 1;
        let case = Case {
            dossier,
            facts: facts.clone(),
            buyers: &known.buyers,
            requests_since: known.kept.logged_since.get(&publisher::CLIENT).copied(),
            places: known.places.as_ref(),
            resolved: &known.resolved,
        };
        findings.extend(retrace::findings(&case));
    }
    Invariant {
        what: LED_TO,
        looked_at: format!("{looked_at} orders, {too_old} older than what Kafka keeps"),
        findings,
    }
}

fn delivered_mails(
    dossiers: &[Dossier],
    facts: &[Option<Order>],
    (known, retention): (&Known, MailRetention),
) -> Invariant {
    let findings = dossiers.iter().zip(facts).flat_map(|(dossier, facts)| {
        // Kafka may no longer retain the facts; the row still has the text.
        let written =
            || dossier.rows_of(Table::Orders).next().and_then(|row| serde_json::from_str::<Facts>(row.get()).ok());
        let facts = facts.clone().or_else(|| written().map(|row| row.facts));
        delivered::findings(dossier, facts.as_ref(), &known.buyers, retention)
    });
    Invariant {
        what: "the mail system has every mail once, as it was written",
        looked_at: format!("{} mails", dossiers.iter().map(|dossier| dossier.mails.len()).sum::<usize>()),
        findings: findings.collect(),
    }
}

/// The part of an `orders` row that says what was ordered.
#[derive(serde::Deserialize)]
struct Facts {
    facts: Order,
}

/// Merges the findings of one part into those of the others.
pub(super) fn add(all: &mut Vec<Invariant>, part: Vec<Invariant>) {
    for invariant in part {
        match all.iter_mut().find(|other| other.what == invariant.what) {
            None => all.push(invariant),
            Some(other) => {
                other.looked_at = sum(&other.looked_at, &invariant.looked_at);
                other.findings.extend(invariant.findings);
            }
        }
    }
}

/// The sum of two counts that are worded alike.
fn sum(one: &str, other: &str) -> String {
    let number = |word: &str| word.parse::<u64>().ok();
    let words = one.split(' ').zip(other.split(' ')).map(|(one, other)| match (number(one), number(other)) {
        (Some(one), Some(other)) => (one + other).to_string(),
        _ => one.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_parts_add_up() {
        assert_eq!(
            sum("3 orders, 1 of them under way", "40 orders, 2 of them under way"),
            "43 orders, 3 of them under way"
        );
    }
}
