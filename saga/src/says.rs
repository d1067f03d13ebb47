//! What a decision has to say: events, calls to the outside, or why it says nothing. Publishing is the unit of work's business.

use std::borrow::Cow;

use outbox::Outgoing;
use serde_json::Value;

use crate::{Event, EventId, SagaId};

/// An event to be said, already in its wire form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    /// The wire name, `ce_type`.
    pub event_type: &'static str,
    /// The version of its schema, `ce_dataversion`.
    pub version: u32,
    /// The publisher's name; the relay makes the topic from it.
    pub aggregatetype: &'static str,
    /// The saga that it belongs to.
    pub saga_id: SagaId,
    /// JSON.
    pub payload: String,
}

impl Said {
    fn new<E: Event>(event: &E) -> Self {
        Said {
            event_type: E::TYPE,
            version: E::VERSION,
            aggregatetype: E::PUBLISHER.name(),
            saga_id: event.saga_id(),
            payload: serde_json::to_string(event)
                .expect("an event has string keys and finite numbers: it is always JSON"),
        }
    }

    /// The event on its way out, for what caused it.
    pub fn outgoing(&self, causation_id: Option<EventId>, traceparent: String) -> Outgoing<'_> {
        Outgoing {
            event_type: self.event_type,
            version: self.version,
            aggregatetype: self.aggregatetype,
            aggregateid: Cow::Owned(self.saga_id.to_string()),
            payload: Cow::Borrowed(&self.payload),
            causation_id,
            traceparent: Some(traceparent),
        }
    }
}

/// A call to the outside, to be made after the commit, as often as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewAttempt {
    /// What is called. Together with the saga, and with `part` if there is one, it is the idempotency key.
    pub kind: &'static str,
    /// The saga that it belongs to.
    pub saga_id: SagaId,
    /// What to call with; the worker gets it as it is.
    pub request: Value,
    /// A Try gives up after its retries; a Confirm or a Cancel does not.
    pub gives_up: bool,
    /// Tells calls of one kind for one saga apart: the second of two rooms. None where there is only one.
    pub part: Option<String>,
}

impl NewAttempt {
    /// A call that does not give up: of a Confirm or a Cancel.
    pub fn new(kind: &'static str, saga_id: SagaId, request: Value) -> Self {
        NewAttempt { kind, saga_id, request, gives_up: false, part: None }
    }

    /// The call of a Try, which gives up after its retries.
    #[must_use]
    pub fn giving_up(self) -> Self {
        NewAttempt { gives_up: true, ..self }
    }

    /// One of several calls of its kind for its saga.
    #[must_use]
    pub fn part(self, part: impl Into<String>) -> Self {
        NewAttempt { part: Some(part.into()), ..self }
    }

    /// The same on every try, and another one for each saga, kind and part.
    pub fn idempotency_key(&self) -> String {
        let NewAttempt { kind, saga_id, part, .. } = self;
        part.as_ref().map_or_else(|| format!("{saga_id}:{kind}"), |part| format!("{saga_id}:{kind}:{part}"))
    }
}

/// The outcome of one decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "what a decision says must be said"]
pub struct Says {
    /// What is said, in this order.
    pub events: Vec<Said>,
    /// What is to be called.
    pub attempts: Vec<NewAttempt>,
    /// What has become of the saga here, for the log: `PENDING`.
    pub becomes: Option<&'static str>,
    /// Why nothing was done.
    pub ignored: Option<&'static str>,
    /// Why the event itself is wrong: it goes to the dead letters.
    pub refused: Option<String>,
    /// Why it cannot be decided: a row is missing that has to be there. Nothing is written, and the event is parked.
    pub impossible: Option<String>,
}

impl Says {
    /// Something was done, and nobody needs to hear of it yet.
    pub fn silence() -> Self {
        Says::default()
    }

    /// Says one event.
    pub fn event<E: Event>(event: E) -> Self {
        Says::default().and_event(event)
    }

    /// Asks for one call.
    pub fn attempt(attempt: NewAttempt) -> Self {
        Says::default().and_attempt(attempt)
    }

    /// Does nothing, for this reason.
    pub fn ignored(why: &'static str) -> Self {
        Says { ignored: Some(why), ..Says::default() }
    }

    /// The event cannot be meant: it goes to the dead letters, for this reason.
    pub fn refused(why: impl Into<String>) -> Self {
        Says { refused: Some(why.into()), ..Says::default() }
    }

    /// It cannot be decided, since a row is missing that has to be there: the event is parked, for this reason.
    pub fn impossible(why: impl Into<String>) -> Self {
        Says { impossible: Some(why.into()), ..Says::default() }
    }

    /// And tells the log what has become of the saga.
    pub fn becomes(mut self, status: &'static str) -> Self {
        self.becomes = Some(status);
        self
    }

    /// And one event more.
    pub fn and_event<E: Event>(mut self, event: E) -> Self {
        if event.saga_id().0.is_nil() {
            // Events of all such sagas would share one key, and wait for one another.
            self.impossible = Some(format!("the event {} names no saga: the id in its facts is nil", E::TYPE));
        }
        self.events.push(Said::new(&event));
        self
    }

    /// And one call more.
    pub fn and_attempt(mut self, attempt: NewAttempt) -> Self {
        let key = attempt.idempotency_key();
        if self.attempts.iter().any(|other| other.idempotency_key() == key) {
            // Only one of them would be made.
            self.impossible = Some(format!("asks for the call {key} twice: give each a part of its own"));
        } else if attempt.kind.contains(':') {
            self.impossible = Some(format!("asks for a call of the kind `{}`: a kind contains no colon", attempt.kind));
        }
        self.attempts.push(attempt);
        self
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{Publisher, publisher};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Held {
        trip: SagaId,
    }

    impl Event for Held {
        const TYPE: &'static str = "Held";
        const PUBLISHER: Publisher = publisher!("hotel");

        fn saga_id(&self) -> SagaId {
            self.trip
        }
    }

    #[test]
    fn each_call_of_a_saga_has_a_key_of_its_own() {
        let saga = SagaId(Uuid::nil());
        let hold = || NewAttempt::new("hold", saga, Value::Null);
        assert_eq!(hold().idempotency_key(), format!("{saga}:hold"));
        let keys = [hold(), hold().part("1"), hold().part("2"), NewAttempt::new("book", saga, Value::Null)];
        let keys: std::collections::BTreeSet<String> = keys.iter().map(NewAttempt::idempotency_key).collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
        assert!(hold().giving_up().gives_up && !hold().gives_up);
        let two = |second: NewAttempt| Says::attempt(hold()).and_attempt(second);
        assert_eq!(two(hold().part("2")).impossible, None);
        assert!(two(hold()).impossible.is_some_and(|why| why.contains("twice")));
        let odd = Says::attempt(NewAttempt::new("hold:2", saga, Value::Null)).impossible;
        assert!(odd.is_some_and(|why| why.contains("no colon")), "it could be the second part of another kind");
    }

    #[test]
    fn an_event_without_a_saga_is_not_said() {
        assert_eq!(Says::event(Held { trip: SagaId(Uuid::now_v7()) }).impossible, None);
        let nil = Says::event(Held { trip: SagaId(Uuid::nil()) });
        assert!(nil.impossible.is_some_and(|why| why.contains("Held names no saga")));
    }
}
