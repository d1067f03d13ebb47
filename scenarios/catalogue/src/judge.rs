//! Compares the observed events and rows with the expected ones.

use events::{OrderId, Reason};
use operations::{choreography::Choreography, databases::Databases, heard::Heard, listener::Listener, timeline};
use personal_data::Sealed;
use testbed::Database;

use crate::{
    check::Check,
    ending::{Ending, Rows},
    stage::Stage,
};

/// Waits for the order's end and judges it.
pub async fn order(stage: &Stage, order: OrderId, ending: &Ending) -> anyhow::Result<Vec<Check>> {
    let whole = |listener: &Listener| {
        let events = listener.of(order);
        timeline::has_ended(&events) && missing(&events, ending).is_empty()
    };
    stage.listener.wait(stage.patience, whole).await;
    let events = stage.listener.of(order);
    let ended = timeline::has_ended(&events);
    let mut checks = vec![Check {
        what: "the saga ends, with a mail".into(),
        failure: (!ended).then(|| unfinished(&events, stage.patience.as_secs())),
    }];
    checks.push(same_events(&events, ending));
    checks.push(causes(&events, ending));
    checks.push(reasons(&events, ending.reason));
    checks.push(refunded(&events, ending.refunded));
    checks.extend(rows(&stage.databases, order, ending).await?);
    Ok(checks)
}

fn unfinished(events: &[Heard], seconds: u64) -> String {
    let missing = timeline::missing(&Choreography::of_the_shop(), events);
    let missing = if missing.is_empty() { vec!["nothing was heard of it".to_owned()] } else { missing };
    format!("no end within {seconds} s; {}", missing.join("; "))
}

/// Expected events not observed yet. One that does not lead to the mail may arrive after it.
fn missing(events: &[Heard], ending: &Ending) -> Vec<&'static str> {
    let came = |wanted: &str| events.iter().any(|event| event.event_type == wanted);
    ending.events().into_iter().filter(|wanted| !came(wanted)).collect()
}

/// Exactly the expected events, each once.
fn same_events(events: &[Heard], ending: &Ending) -> Check {
    let expected = ending.events();
    let mut came: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    // A request may have been published several times; the client is free to do so.
    came.sort_unstable();
    came.dedup_by(|a, b| a == b && *a == "OrderRequested");
    let missing = missing(events, ending);
    let mut surplus = came.clone();
    for event in expected.iter().chain(&ending.perhaps) {
        if let Some(place) = surplus.iter().position(|came| came == event) {
            surplus.remove(place);
        }
    }
    let mut failures = Vec::new();
    if !missing.is_empty() {
        failures.push(format!("did not come: {}", missing.join(", ")));
    }
    if !surplus.is_empty() {
        failures.push(format!("came without being expected: {}", surplus.join(", ")));
    }
    Check {
        what: format!("{} events, each once", expected.len()),
        failure: (!failures.is_empty()).then(|| failures.join("; ")),
    }
}

/// Every event of a chain was caused by the one before it, and published after it.
fn causes(events: &[Heard], ending: &Ending) -> Check {
    let find = |name: &str| events.iter().find(|event| event.event_type == name);
    let failures: Vec<String> = ending
        .chains
        .iter()
        .flat_map(|chain| chain.windows(2))
        .filter_map(|pair| {
            // Missing events are reported elsewhere.
            let effect = find(pair[1])?;
            let causes: Vec<&Heard> = events.iter().filter(|event| event.event_type == pair[0]).collect();
            if causes.iter().any(|cause| effect.causation_id == Some(cause.id) && cause.at <= effect.at) {
                return None;
            }
            let came = timeline::cause_of(effect, events).map_or("something unheard", |cause| &cause.event_type);
            Some(format!("{} should follow from {}, but follows from {came}", pair[1], pair[0]))
        })
        .collect();
    Check {
        what: "in their order, each from its cause".into(),
        failure: (!failures.is_empty()).then(|| failures.join("; ")),
    }
}

/// Every event with a reason has this one.
fn reasons(events: &[Heard], expected: Option<Reason>) -> Check {
    let expected = expected.as_ref().map(Reason::as_str);
    let wrong: Vec<String> = events
        .iter()
        .filter_map(|event| Some((event, event.reason()?)))
        .filter(|(_, reason)| Some(*reason) != expected)
        .map(|(event, reason)| format!("{} says {reason}", event.event_type))
        .collect();
    Check {
        what: format!("the reason all the way is {}", expected.unwrap_or("none")),
        failure: (!wrong.is_empty()).then(|| wrong.join("; ")),
    }
}

fn refunded(events: &[Heard], expected: Option<i64>) -> Check {
    let came = events
        .iter()
        .find(|event| event.event_type == "OrderCancelled")
        .and_then(|event| event.data.get("refunded")?.as_i64());
    Check {
        what: expected.map_or("nothing is said of a refund".into(), |amount| {
            format!("OrderCancelled tells of {amount} given back")
        }),
        failure: (came != expected).then(|| format!("expected {expected:?}, came {came:?}")),
    }
}

async fn rows(databases: &Databases, order: OrderId, ending: &Ending) -> anyhow::Result<Vec<Check>> {
    let Rows { order: order_status, account, payment, inventory, shipping, entitlement, mail } = ending.rows;
    let lookups: [(Database, &'static str, Option<&str>); 7] = [
        (Database::ORDERS, "select status from orders where id = $1", order_status),
        (Database::ACCOUNTS, "select status from balance_reservations where order_id = $1", account),
        (Database::PAYMENTS, "select status from payment_transactions where order_id = $1", payment),
        (
            Database::INVENTORY,
            "select string_agg(distinct status, ' and ') from stock_reservations where order_id = $1 having count(*) > 0",
            inventory,
        ),
        (Database::SHIPPING, "select status from shipments where order_id = $1", shipping),
        (
            Database::ENTITLEMENTS,
            "select string_agg(distinct status, ' and ') from entitlements where order_id = $1 having count(*) > 0",
            entitlement,
        ),
        (Database::NOTIFICATIONS, "select kind from notifications where order_id = $1 and sent_at is not null", mail),
    ];
    let mut failures = Vec::new();
    for (database, query, expected) in lookups {
        let came: Option<String> =
            sqlx::query_scalar(query).bind(order.0).fetch_optional(databases.of_service(database)).await?;
        if came.as_deref() != expected {
            failures.push(format!("{database}: expected {}, came {}", word(expected), word(came.as_deref())));
        }
    }
    let mut checks = vec![Check {
        what: "the rows in all seven databases".into(),
        failure: (!failures.is_empty()).then(|| failures.join("; ")),
    }];
    checks.extend(mail_says(databases, order, &ending.mail_says).await?);
    Ok(checks)
}

async fn mail_says(databases: &Databases, order: OrderId, words: &[String]) -> anyhow::Result<Option<Check>> {
    if words.is_empty() {
        return Ok(None);
    }
    let body: Option<String> = sqlx::query_scalar("select body from notifications where order_id = $1")
        .bind(order.0)
        .fetch_optional(databases.of_service(Database::NOTIFICATIONS))
        .await?;
    let body = body.unwrap_or_default();
    let body = match body.parse::<Sealed>() {
        Ok(sealed) => databases.vault().keys_of(&[sealed.person()]).await?.shown(&body),
        Err(_) => body,
    };
    let missing: Vec<&str> = words.iter().map(String::as_str).filter(|word| !body.contains(word)).collect();
    let failure = (!missing.is_empty()).then(|| format!("the mail does not say {}: {body:?}", missing.join(", ")));
    Ok(Some(Check { what: format!("the mail says {}", words.join(", ")), failure }))
}

fn word(status: Option<&str>) -> &str {
    status.unwrap_or("no row")
}
