use std::collections::BTreeMap;

use saga::outbox::Prefix;

use super::*;

type Position = (String, i32, i64);

/// Records by their positions.
struct Kept(BTreeMap<Position, Record>);

impl Topics for Kept {
    fn at(&self, topic: &str, partition: i32, offset: i64) -> Option<&Record> {
        self.0.get(&(topic.to_owned(), partition, offset))
    }
}

fn kept(records: &[&Record]) -> Kept {
    let place = |record: &Record| (record.topic.clone(), record.partition, record.offset);
    Kept(records.iter().map(|record| (place(record), (*record).clone())).collect())
}

fn header(name: &str, value: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), value.into())
}

fn record(topic: &str, offset: i64, headers: Vec<(String, Vec<u8>)>) -> Record {
    let (key, value) = (Some(b"key".to_vec()), Some(b"{\"order\": 1".to_vec()));
    Record { topic: topic.to_owned(), partition: 3, offset, timestamp_ms: 1_700_000_000_123, key, value, headers }
}

/// The letter that a service writes about a record.
fn letter(about: &Record) -> Record {
    let added = [
        header("kafka_dlt-original-topic", about.topic.as_str()),
        header("kafka_dlt-original-partition", about.partition.to_be_bytes()),
        header("kafka_dlt-original-offset", about.offset.to_be_bytes()),
        header("kafka_dlt-original-timestamp", about.timestamp_ms.to_be_bytes()),
        header("kafka_dlt-exception-message", "not JSON"),
    ];
    let headers = about.headers.iter().cloned().chain(added).collect();
    Record { topic: format!("{}-dlt", about.topic), partition: 1, offset: 7, headers, ..about.clone() }
}

fn verified(letter: &Record, topics: &Kept) -> Result<Vec<(String, String)>, Refusal> {
    let letter = Letter::of(letter.clone(), &Prefix::default());
    let publication = verify(&letter, topics)?;
    let text = |(name, value): &(String, Vec<u8>)| (name.clone(), String::from_utf8(value.clone()).expect("text"));
    Ok(publication.headers.iter().map(text).collect())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_bare_request_is_replayed_as_what_it_was_where_it_first_lay() {
    let request = record("order.requests", 41, vec![header("x-mine", "kept")]);
    let expected = [
        ("x-mine", "kept"),
        ("first-at", "order.requests/3/41"),
        ("first-timestamp", "1700000000123"),
        ("replay-of", "order.requests-dlt/1/7"),
    ];
    assert_eq!(verified(&letter(&request), &kept(&[&request])), Ok(pairs(&expected)));
    // No other topic has bare records.
    let event = record("account.events", 41, vec![header("x-mine", "kept")]);
    let expected = [("x-mine", "kept"), ("replay-of", "account.events-dlt/1/7")];
    assert_eq!(verified(&letter(&event), &kept(&[&event])), Ok(pairs(&expected)));
}

#[test]
fn the_replay_of_a_failed_replay_refers_to_the_first_original() {
    let first = record("order.requests", 41, vec![]);
    let again = vec![
        header("first-at", "order.requests/3/41"),
        header("first-timestamp", "1700000000123"),
        header("replay-of", "order.requests-dlt/1/7"),
    ];
    let again = Record { timestamp_ms: 1_800_000_000_000, ..record("order.requests", 99, again) };
    let headers = verified(&letter(&again), &kept(&[&first, &again])).expect("both are there");
    assert_eq!(headers[..2], pairs(&[("first-at", "order.requests/3/41"), ("first-timestamp", "1700000000123")]));
    let at = "order.requests/3/41".to_owned();
    assert_eq!(verified(&letter(&again), &kept(&[&again])), Err(Refusal::Gone { at }));
}

/// A service removes credentials from its letters, in whatever case they are written; a replay comes with those of its sender
/// alone.
#[test]
fn a_request_that_came_with_a_token_is_replayed_without_it() {
    let lay =
        vec![header("x-mine", "kept"), header("Authorization", "Bearer old"), header("authorization", "Bearer a")];
    let request = record("order.requests", 41, lay);
    let mut letter = letter(&request);
    letter.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    let names = |headers: Vec<(String, String)>| headers.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let replayed = verified(&letter, &kept(&[&request])).expect("the letter agrees");
    assert_eq!(names(replayed), ["x-mine", "first-at", "first-timestamp", "replay-of"]);
    // It fails again, and is replayed once more.
    let again = vec![
        header("x-mine", "kept"),
        header("first-at", "order.requests/3/41"),
        header("first-timestamp", "1700000000123"),
        header("replay-of", "order.requests-dlt/1/7"),
        header("authorization", "Bearer the operator's"),
    ];
    let again = record("order.requests", 99, again);
    let mut letter = self::letter(&again);
    letter.headers.retain(|(name, _)| name != "authorization");
    assert!(verified(&letter, &kept(&[&request, &again])).is_ok());
    // On any other topic it is a header like all others.
    let event = record("account.events", 41, vec![header("authorization", "x")]);
    let mut letter = self::letter(&event);
    letter.headers.remove(0);
    assert!(matches!(verified(&letter, &kept(&[&event])), Err(Refusal::Differs { .. })));
}

/// It may have come with headers that look like those of a letter.
#[test]
fn a_record_with_headers_of_a_letter_keeps_them() {
    let request = record("order.requests", 41, vec![header("kafka_dlt-mine", "kept")]);
    let headers = verified(&letter(&request), &kept(&[&request])).expect("the letter agrees");
    assert_eq!(headers[0], ("kafka_dlt-mine".to_owned(), "kept".to_owned()));
}

/// An attacker who may write the dead-letter topic: nothing of his is published.
#[test]
fn a_forged_letter_publishes_nothing() {
    let request = record("order.requests", 41, vec![header("x-mine", "kept")]);
    let true_letter = letter(&request);
    let without = |name: &str| {
        let mut letter = true_letter.clone();
        letter.headers.retain(|(other, _)| other != name);
        letter
    };
    let with = |at: usize, header| {
        let mut letter = true_letter.clone();
        letter.headers.insert(at, header);
        letter
    };
    let forged = [
        ("another value", Record { value: Some(b"{}".to_vec()), ..true_letter.clone() }),
        ("no value", Record { value: None, ..true_letter.clone() }),
        ("another key", Record { key: Some(b"other".to_vec()), ..true_letter.clone() }),
        ("another header", with(0, header("ce_type", "OrderRequested"))),
        ("an operator's event", with(1, header("ce_source", "/operators/eve"))),
        ("its own first position", with(1, header("first-at", "order.requests/0/1"))),
        ("its own time", with(1, header("first-timestamp", "17"))),
        ("a header less", without("x-mine")),
        ("no position", without("kafka_dlt-original-offset")),
        ("another position", letter(&Record { offset: 42, ..request.clone() })),
        ("another time", letter(&Record { timestamp_ms: 17, ..request.clone() })),
        ("another topic's letters", Record { topic: "account.events-dlt".to_owned(), ..true_letter.clone() }),
        ("letters of letters", letter(&Record { topic: "order.requests-dlt".to_owned(), ..request.clone() })),
    ];
    let other = Record { value: Some(b"another".to_vec()), ..record("order.requests", 42, vec![]) };
    let topics = kept(&[&request, &other]);
    assert!(verified(&true_letter, &topics).is_ok());
    for (what, letter) in forged {
        assert!(verified(&letter, &topics).is_err(), "{what}");
    }
}

/// A client who may write requests claims the position of another's, to use up its id.
#[test]
fn a_record_that_claims_anothers_first_position_is_not_replayed() {
    let theirs = record("order.requests", 41, vec![]);
    let claims = vec![header("first-at", "order.requests/3/41"), header("first-timestamp", "1700000000123")];
    let mine = Record { value: Some(b"mine".to_vec()), ..record("order.requests", 50, claims.clone()) };
    let refused = verified(&letter(&mine), &kept(&[&theirs, &mine]));
    assert!(matches!(refused, Err(Refusal::Differs { in_what: "first position is", .. })), "{refused:?}");
    // Another topic's position counts for nothing, and does not stay either.
    let elsewhere = vec![header("first-at", "account.events/3/41")];
    let mine = record("order.requests", 50, elsewhere);
    let headers = verified(&letter(&mine), &kept(&[&mine])).expect("its own position");
    assert_eq!(headers[0], ("first-at".to_owned(), "order.requests/3/50".to_owned()));
}

#[test]
fn what_was_too_large_for_the_letter_comes_from_the_original() {
    let request = record("order.requests", 41, vec![header("x-mine", "kept")]);
    let value = request.value.clone().expect("a value");
    let lacking = |without: &str, sha256: String| {
        let mut letter = letter(&request);
        letter.value = None;
        if without.contains("key") {
            letter.key = None;
            letter.headers.retain(|(name, _)| name != "x-mine");
        }
        letter.headers.push(header("kafka_dlt-without", without));
        letter.headers.push(header("kafka_dlt-value-size", (value.len() as u64).to_be_bytes()));
        letter.headers.push(header("kafka_dlt-value-sha256", sha256));
        letter
    };
    let topics = kept(&[&request]);
    for without in ["value", "value, key, headers"] {
        let headers = verified(&lacking(without, hash(&value)), &topics).expect("the digest agrees");
        assert_eq!(headers[0], ("x-mine".to_owned(), "kept".to_owned()), "{without}");
        assert!(verified(&lacking(without, hash(b"another")), &topics).is_err(), "{without}");
    }
}
