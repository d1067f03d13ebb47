//! Admission of clients' records: by whom a record was sent, judged before what it says.

use std::sync::Arc;

use crate::{Publisher, record::Record, table::Table};

/// Judgement of a client's record by its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is read like any other.
    Admitted,
    /// It becomes a dead letter, for this reason.
    Refused(String),
    /// It cannot be judged now, for this reason. It is read again later, and so is its partition from there on.
    Later(String),
}

/// Judges a record, given the time at which the broker appended it, in milliseconds since 1970; `None` if the topic keeps the
/// time that its sender states.
type Judge = Arc<dyn Fn(&Record, Option<u64>) -> Verdict + Send + Sync>;

/// The client on whose behalf a record was sent, if it says so.
pub(super) type Owner = Arc<dyn Fn(&Record) -> Option<String> + Send + Sync>;

/// How records of a clients' topic enter.
pub(super) struct Entrance {
    topic: &'static str,
    /// Header with credentials. It is removed before the record is stored anywhere.
    secret: &'static str,
    judge: Option<Judge>,
}

impl<C> Table<C> {
    /// Removes a header with credentials from the records of a clients' topic before they are stored anywhere: parked, or as dead
    /// letters.
    #[must_use]
    pub fn with_secret(mut self, clients: Publisher, secret: &'static str) -> Self {
        self.entrances.push(Entrance { topic: clients.topic(), secret, judge: None });
        self
    }

    /// As [`with_secret`](Self::with_secret), and lets `judge` decide on each record before. A retry of a parked record is not
    /// judged again: it was admitted, and has lost its credentials.
    #[must_use]
    pub fn guarded(
        mut self,
        clients: Publisher,
        secret: &'static str,
        judge: impl Fn(&Record, Option<u64>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.entrances.push(Entrance { topic: clients.topic(), secret, judge: Some(Arc::new(judge)) });
        self
    }

    /// Tells on whose behalf a client's record was sent, by what a judge compares with its credentials. Clients choose their
    /// events' ids and sources themselves: with the owner, an event with the id of another client's is remembered as another one,
    /// so nobody can use up an id before its owner does.
    #[must_use]
    pub fn owned(
        mut self,
        clients: Publisher,
        owner: impl Fn(&Record) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.owners.push((clients.topic(), Arc::new(owner)));
        self
    }

    /// The client on whose behalf a record was sent, if the table can tell.
    #[cfg(feature = "runtime")]
    pub(crate) fn owner_of(&self, record: &Record) -> Option<String> {
        let (_, owner) = self.owners.iter().find(|(topic, _)| *topic == record.topic)?;
        owner(record)
    }

    /// Judges a record, which loses its credentials.
    pub fn enter(&self, record: &mut Record, appended_ms: Option<u64>) -> Verdict {
        let mut verdict = Verdict::Admitted;
        for entrance in self.entrances.iter().filter(|entrance| entrance.topic == record.topic) {
            if let (Some(judge), Verdict::Admitted) = (&entrance.judge, &verdict) {
                verdict = judge(record, appended_ms);
            }
            record.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(entrance.secret));
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENTS: Publisher = Publisher::of_requests("client", "trip.requests", "TripRequested");

    fn record(topic: &str) -> Record {
        let headers = [("authorization", "Bearer a.b.c"), ("Authorization", "x"), ("kept", "1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into();
        Record { topic: topic.to_owned(), headers, ..Record::default() }
    }

    fn names(record: &Record) -> Vec<&str> {
        record.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_record_is_judged_by_its_credentials_and_loses_them_whatever_the_verdict() {
        for verdict in [Verdict::Admitted, Verdict::Refused("forged".into()), Verdict::Later("no keys".into())] {
            let given = verdict.clone();
            let table: Table<()> = Table::of(CLIENTS).guarded(CLIENTS, "authorization", move |record, appended| {
                assert_eq!((record.text("authorization"), appended), (Some("Bearer a.b.c"), Some(7)));
                given.clone()
            });
            let mut record = record("trip.requests");
            assert_eq!(table.enter(&mut record, Some(7)), verdict);
            assert_eq!(names(&record), ["kept"]);
        }
    }

    #[test]
    fn records_of_other_topics_are_left_alone() {
        let table: Table<()> = Table::of(CLIENTS).guarded(CLIENTS, "authorization", |_, _| Verdict::Refused("".into()));
        let mut other = record("hotel.events");
        assert_eq!(table.enter(&mut other, None), Verdict::Admitted);
        assert_eq!(names(&other).len(), 3);
        // Without a judge the record is admitted, and its credentials removed all the same.
        let table: Table<()> = Table::of(CLIENTS).with_secret(CLIENTS, "authorization");
        let mut own = record("trip.requests");
        assert_eq!((table.enter(&mut own, None), names(&own)), (Verdict::Admitted, vec!["kept"]));
    }
}
