//! Requests on the topic, by the buyer's token: where security is required, a request without one is a dead letter.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use access::{Caller, Refusal, Verifier};
use events::{UserId, envelope, request::ORDER_REQUESTED};
use saga::{record::Record, table::Verdict};
use serde::Deserialize;

use crate::{
    api::{ANY, user_of},
    denials::{Attempt, Denied},
};

/// Header of a request with the buyer's token, `Bearer …`.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Judges requests by their tokens.
#[derive(Debug, Clone)]
pub struct Requests {
    verifier: Verifier,
    denied: Denied,
    seen: Seen,
}

/// The last record of each partition that had to wait for keys: its offset, and the time at which it was first seen.
type Seen = Arc<Mutex<HashMap<(String, i32), (i64, u64)>>>;

/// A request that is refused: the caller's subject if the token is valid, a reason that repeats nothing, and the reason for the
/// dead letter.
struct Refused {
    subject: Option<String>,
    why: String,
    said: String,
}

/// The part of a request that the token has to agree with.
#[derive(Deserialize)]
struct Asked {
    user_id: UserId,
}

impl Requests {
    pub fn new(verifier: Verifier) -> Self {
        Requests { verifier, denied: Denied::default(), seen: Seen::default() }
    }

    /// The same judge, which counts refusals there.
    #[must_use]
    pub fn counting(self, denied: Denied) -> Self {
        Requests { denied, ..self }
    }

    /// The verdict on a record, as of the time at which the broker appended it: the same on every delivery, and however long the
    /// record has waited. Where the topic has not the broker's time, the clock counts, because a sender could state any time.
    /// A token of an unknown key waits until the keys have been read once since it was first seen.
    pub(crate) fn judge(&self, record: &Record, appended_ms: Option<u64>) -> Verdict {
        let mut tokens = record.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION));
        let (token, another) = (tokens.next(), tokens.next());
        let judged = match token.filter(|_| another.is_none()) {
            None => Err(Refused::nobodys(format!("it has not one header {AUTHORIZATION} with the buyer's token"))),
            Some((_, token)) => match self.caller(record, token, appended_ms) {
                Ok(caller) => of_caller(caller, record),
                Err(Refusal::KeysAway) => return Verdict::Later(Refusal::KeysAway.to_string()),
                Err(refusal) => Err(Refused::nobodys(refusal.to_string())),
            },
        };
        let Err(Refused { subject, why, said }) = judged else { return Verdict::Admitted };
        let object = ("topic", record.topic.as_str());
        self.denied.count(Attempt { subject: subject.as_deref(), object, why: &why, order: None });
        Verdict::Refused(said)
    }

    fn caller(&self, record: &Record, token: &[u8], appended_ms: Option<u64>) -> Result<Caller, Refusal> {
        let (now, place) = (now_ms(), (record.topic.clone(), record.partition));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(&place).filter(|(offset, _)| *offset == record.offset).map(|(_, at)| *at);
        let judged = self.verifier.verify_as_of(token, appended_ms.unwrap_or(now), known.unwrap_or(now));
        if known.is_none() && judged == Err(Refusal::KeysAway) {
            seen.insert(place, (record.offset, now));
        }
        judged
    }
}

impl Refused {
    fn nobodys(why: String) -> Self {
        Refused { subject: None, said: why.clone(), why }
    }
}

/// The verdict on a record whose token is this caller's.
fn of_caller(caller: Caller, record: &Record) -> Result<(), Refused> {
    let Caller { subject, scopes } = caller;
    let Some(user) = user_of(&subject) else {
        let why = access::Fault::Subject.to_string();
        return Err(Refused { subject: Some(subject), said: why.clone(), why });
    };
    match asked(record) {
        Some(Asked { user_id }) if user_id != user && !scopes.any_of(&[ANY]) => Err(Refused {
            subject: Some(subject),
            why: "for another user".to_owned(),
            said: format!("its user_id is {user_id}, but the token is user {user}'s, without the scope {ANY}"),
        }),
        // What is no request is told so when it is read.
        Some(_) | None => Ok(()),
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
        assert!(of_caller(caller("1", &[]), &record(REQUEST)).is_ok());
        assert!(of_caller(caller("2", &["orders:any"]), &record(REQUEST)).is_ok());
        for (subject, scopes, why) in
            [("2", &["orders:read:any"][..], "user 2's"), ("alice", &["orders:any"], "user id in decimal")]
        {
            let Err(refused) = of_caller(caller(subject, scopes), &record(REQUEST)) else { panic!("{subject}") };
            assert!(refused.said.contains(why) && refused.subject.as_deref() == Some(subject), "{}", refused.said);
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
            assert!(of_caller(caller("2", &[]), &record).is_err());
        }
        assert!(of_caller(caller("2", &[]), &record("no request")).is_ok());
    }
}
