//! Requests on the topic, by the buyer's token: where security is required, a request without one is a dead letter.

use std::time::{SystemTime, UNIX_EPOCH};

use access::{Caller, Refusal, Verifier};
use events::{UserId, envelope, request::ORDER_REQUESTED};
use saga::{record::Record, table::Verdict};
use serde::Deserialize;

use crate::api::{ANY, user_of};

/// Header of a request with the buyer's token, `Bearer …`.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Judges requests by their tokens.
#[derive(Debug, Clone)]
pub struct Requests {
    verifier: Verifier,
}

/// The part of a request that the token has to agree with.
#[derive(Deserialize)]
struct Asked {
    user_id: UserId,
}

impl Requests {
    pub fn new(verifier: Verifier) -> Self {
        Requests { verifier }
    }

    /// The verdict on a record, as of the time at which the broker appended it: the same on every delivery, and however long the
    /// record has waited. Where the topic has not the broker's time, the clock counts, because a sender could state any time.
    pub(crate) fn judge(&self, record: &Record, appended_ms: Option<u64>) -> Verdict {
        let mut tokens = record.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION));
        let (token, another) = (tokens.next(), tokens.next());
        let Some((_, token)) = token.filter(|_| another.is_none()) else {
            return Verdict::Refused(format!("it has not one header {AUTHORIZATION} with the buyer's token"));
        };
        match self.verifier.verify_as_of(token, appended_ms.unwrap_or_else(now_ms)) {
            Ok(caller) => of_caller(&caller, record),
            Err(Refusal::KeysAway) => Verdict::Later(Refusal::KeysAway.to_string()),
            Err(refusal) => Verdict::Refused(refusal.to_string()),
        }
    }
}

/// The verdict on a record whose token is this caller's.
fn of_caller(caller: &Caller, record: &Record) -> Verdict {
    let Some(user) = user_of(&caller.subject) else {
        return Verdict::Refused(access::Fault::Subject.to_string());
    };
    match asked(record) {
        Some(Asked { user_id }) if user_id != user && !caller.scopes.any_of(&[ANY]) => Verdict::Refused(format!(
            "its user_id is {user_id}, but the token is user {user}'s, without the scope {ANY}"
        )),
        // What is no request is told so when it is read.
        Some(_) | None => Verdict::Admitted,
    }
}

/// The buyer that a request is for, whom the token has to agree with.
pub(crate) fn owner(record: &Record) -> Option<String> {
    asked(record).map(|asked| asked.user_id.to_string())
}

/// Read as the table reads it: what is admitted here and understood there is the same request.
fn asked(record: &Record) -> Option<Asked> {
    record.with_raw(|raw| {
        let (envelope, data) = envelope::read(raw).ok()?;
        (envelope.event_type == ORDER_REQUESTED).then(|| serde_json::from_slice(&data).ok())?
    })
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use events::publisher;

    use super::*;

    fn caller(subject: &str, scopes: &[&str]) -> Caller {
        Caller { subject: subject.to_owned(), scopes: scopes.iter().copied().collect() }
    }

    fn record(value: &str) -> Record {
        Record { topic: publisher::CLIENT.topic().to_owned(), value: Some(value.into()), ..Record::default() }
    }

    const REQUEST: &str = r#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":1}]}"#;

    #[test]
    fn a_request_is_for_the_tokens_subject_unless_a_scope_allows_any() {
        assert_eq!(of_caller(&caller("1", &[]), &record(REQUEST)), Verdict::Admitted);
        assert_eq!(of_caller(&caller("2", &["orders:any"]), &record(REQUEST)), Verdict::Admitted);
        for (subject, scopes, why) in
            [("2", &["orders:read:any"][..], "user 2's"), ("alice", &["orders:any"], "user id in decimal")]
        {
            let Verdict::Refused(refused) = of_caller(&caller(subject, scopes), &record(REQUEST)) else {
                panic!("{subject}")
            };
            assert!(refused.contains(why), "{refused}");
        }
    }

    /// An envelope that hides another user's request, in any form that the table reads.
    #[test]
    fn a_request_is_found_in_every_form_of_envelope() {
        let structured =
            format!(r#"{{"specversion":"1.0","id":"x","type":"OrderRequested","source":"/c","data":{REQUEST}}}"#);
        let mut hidden = record(&structured);
        hidden.headers.push(("content-type".into(), b"application/cloudevents+json".into()));
        let mut binary = record(REQUEST);
        for (name, value) in
            [("ce_specversion", "1.0"), ("ce_id", "x"), ("ce_type", "OrderRequested"), ("ce_source", "/c")]
        {
            binary.headers.push((name.into(), value.into()));
        }
        for record in [record(REQUEST), hidden, binary] {
            assert_eq!(asked(&record).map(|asked| asked.user_id), Some(UserId(1)), "{record:?}");
            assert!(matches!(of_caller(&caller("2", &[]), &record), Verdict::Refused(_)));
        }
        assert_eq!(of_caller(&caller("2", &[]), &record("no request")), Verdict::Admitted);
    }
}
