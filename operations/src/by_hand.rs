//! What operators may settle by hand without leaving a saga waiting forever.

use events::{Order, envelope};
use order::Status;
use saga::{
    parked::desk::{Content, Details},
    record::Record,
};
use serde::Deserialize;

use crate::{Database, databases::Databases};

/// The reason why work cannot be resolved, and what to do instead; None if it can.
///
/// # Errors
/// If the state of its order cannot be determined.
pub async fn resolve_objection(
    databases: &Databases,
    database: Database,
    details: &Details,
) -> sqlx::Result<Option<String>> {
    let Details { work, content, .. } = details;
    if !matches!(work.status.as_str(), "parked" | "waiting" | "retry") {
        // Nothing is left to resolve; the caller reports that.
        return Ok(None);
    }
    let (id, order) = (work.id, work.saga_id);
    let record = match content {
        Content::Call { .. } => {
            let answers = match answers(database, &work.what) {
                Some(answers) => answers.join("|"),
                None => "WORD".to_owned(),
            };
            return Ok(Some(format!(
                "is the call `{}`, and order {order} waits for its answer: settle it with the other side, then `scenarios parked answer {id} --as {answers}`",
                work.what
            )));
        }
        Content::Event(record) => record,
    };
    if !database.is_of_the_shop() {
        // No order of the shop waits for another program's service.
        return Ok(None);
    }
    let status: Option<String> = sqlx::query_scalar("select status from orders where id = $1")
        .bind(order)
        .fetch_optional(databases.of_service(Database::ORDERS))
        .await?;
    let has_letter: bool = sqlx::query_scalar("select exists (select from notifications where order_id = $1)")
        .bind(order)
        .fetch_one(databases.of_service(Database::NOTIFICATIONS))
        .await?;
    let untold = database == Database::NOTIFICATIONS && !has_letter;
    let waits = waits_for_event(record, status.as_deref(), untold);
    Ok(waits.map(|why| {
        format!("is needed: order {order} {why}. Mend what its error tells of, then `scenarios parked retry {id}`")
    }))
}

/// The reason why a call cannot be answered with this word; None if it can.
pub fn answer_objection(database: Database, details: &Details, word: &str) -> Option<String> {
    let Details { work, content, .. } = details;
    match content {
        Content::Event(_) => Some("is an event, and only calls have an answer: `scenarios parked retry` it".to_owned()),
        Content::Call { .. } => {
            let answers = answers(database, &work.what)?;
            let known = answers.contains(&word);
            (!known).then(|| format!("is the call `{}`, whose answers are {}", work.what, answers.join(", ")))
        }
    }
}

/// The possible answers to a call of this kind. None if only its service knows them; it parks the call again if the answer is not
/// one.
fn answers(database: Database, kind: &str) -> Option<Vec<&'static str>> {
    let answers = match database {
        Database::PAYMENTS => {
            let words = kind.parse().map(payment::by_hand::answers).unwrap_or_default();
            words.iter().map(|(word, _)| *word).collect()
        }
        Database::NOTIFICATIONS => vec![notification::post::SETTLED],
        other if other.is_of_the_shop() => Vec::new(),
        _ => return None,
    };
    Some(answers)
}

/// The reason why an order needs what follows from an event. An unreadable event leads to nothing, and an event that no service
/// published is a repetition or forged: both may be resolved, and `reconcile` finds anything missing afterwards.
fn waits_for_event(record: &Record, status: Option<&str>, untold: bool) -> Option<String> {
    match status.map(str::parse) {
        _ if !is_told_by_a_service(record) => None,
        Some(Ok(status @ (Status::Pending | Status::Cancelling))) => {
            Some(format!("is {status}, and waits for what follows from it"))
        }
        Some(_) if untold => Some("has ended, and its buyer has no mail".to_owned()),
        // The order does not exist, or it has ended.
        None | Some(_) => None,
    }
}

fn is_told_by_a_service(record: &Record) -> bool {
    #[derive(Deserialize)]
    struct Facts {
        #[expect(dead_code, reason = "only whether it is there counts")]
        order: Order,
    }
    record.with_raw(|raw| {
        envelope::read(raw).is_ok_and(|(envelope, data)| {
            // The facts of a later version may be of another form: they count as facts.
            let has_facts = || envelope.version > 1 || serde_json::from_slice::<Facts>(&data).is_ok();
            envelope.source.starts_with("/services/") && has_facts()
        })
    })
}

#[cfg(test)]
mod tests {
    use events::{Event, account::BalanceReleased};
    use serde_json::json;

    use super::*;

    fn record(source: &str, value: &serde_json::Value) -> Record {
        let headers =
            [("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_type", BalanceReleased::TYPE), ("ce_source", source)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let value = Some(value.to_string().into_bytes());
        Record { topic: "account.events".into(), value, headers: headers.into(), ..Record::default() }
    }

    #[test]
    fn an_event_that_a_running_order_needs_cannot_be_resolved_and_one_that_nobody_can_read_can() {
        let order = json!({"order_id": uuid::Uuid::nil(), "user_id": 1, "payment_method_id": 1, "currency": "JPY",
                           "total": 1, "items": []});
        let data = json!({"order": order, "reason": "timed_out"});
        let good = record("/services/account", &data);
        let others = [record("/services/account", &json!({"order": 7})), record("/operators/reconcile", &data)];
        for running in ["PENDING", "CANCELLING"] {
            let why = waits_for_event(&good, Some(running), false).expect("it is needed");
            assert!(why.contains(running), "{why}");
            assert!(others.iter().all(|other| waits_for_event(other, Some(running), false).is_none()));
        }
        for ended in [None, Some("COMPLETED"), Some("CANCELLED"), Some("REJECTED")] {
            assert_eq!(waits_for_event(&good, ended, false), None);
        }
        assert!(waits_for_event(&good, Some("COMPLETED"), true).is_some(), "the buyer has no mail");
        let mut newer = record("/services/account", &json!({"order": "of another form"}));
        newer.headers.push(("ce_dataversion".to_owned(), b"2".to_vec()));
        assert!(waits_for_event(&newer, Some("PENDING"), false).is_some(), "a newer program reads it");
    }

    #[test]
    fn every_call_to_the_provider_and_every_mail_can_be_answered() {
        for call in payment::calls::Call::ALL {
            assert!(answers(Database::PAYMENTS, call.as_str()).is_some_and(|answers| !answers.is_empty()), "{call}");
        }
        assert_eq!(answers(Database::NOTIFICATIONS, "mail"), Some(vec!["sent"]));
    }
}
