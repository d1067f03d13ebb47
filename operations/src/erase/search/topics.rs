//! Every record of every topic: key, value and headers.

use events::publisher::{self, dead_letter_topic};
use saga::record::Record;

use super::{Found, Needles, Searched};
use crate::{Environment, archive};

pub(super) async fn look(environment: &Environment, needles: &Needles, searched: &mut Searched) {
    let brokers = environment.brokers.clone();
    let topics = match tokio::task::spawn_blocking(move || archive::readable_topics(&brokers)).await {
        Ok(Ok(topics)) => topics,
        Ok(Err(why)) => return searched.unseen("Kafka's topics", &why),
        Err(why) => return searched.unseen("Kafka's topics", &why.into()),
    };
    let named = publisher::all().map(|publisher| publisher.topic().to_owned());
    for topic in named.filter(|topic| !topics.contains(topic)) {
        searched.unseen.push(format!("the topic {topic}: it is not there, or may not be described"));
    }
    // Kafka's own topics hold offsets.
    for topic in topics.into_iter().filter(|topic| !topic.starts_with("__")) {
        let (brokers, needles, topics) = (environment.brokers.clone(), needles.clone(), [topic.clone()]);
        let reading = tokio::task::spawn_blocking(move || {
            let mut searched = Searched::default();
            let read = archive::read(&brokers, &topics, |record| look_at(&record, &needles, &mut searched));
            (searched, read)
        });
        let read = match reading.await {
            Ok((there, read)) => {
                searched.add(there);
                read
            }
            Err(why) => Err(why.into()),
        };
        if let Err(why) = read {
            searched.unseen(format!("the topic {topic}"), &why);
        }
    }
}

fn look_at(record: &Record, needles: &Needles, searched: &mut Searched) {
    searched.records += 1;
    let headers = record.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_slice()]);
    let parts = headers.chain(record.key.as_deref()).chain(record.value.as_deref());
    let mut whats: Vec<&'static str> = parts.flat_map(|part| needles.find(part)).collect();
    whats.sort_unstable();
    whats.dedup();
    for what in whats {
        let Record { topic, partition, offset, .. } = record;
        searched.note(Found {
            what: what.to_owned(),
            place: format!("the record {topic}/{partition}/{offset}"),
            remedy: remedy(topic, *partition, *offset),
        });
    }
}

fn remedy(topic: &str, partition: i32, offset: i64) -> String {
    let is_letter = publisher::all().any(|publisher| dead_letter_topic(publisher.topic()) == topic);
    let removing = format!(
        "remove the partition's records up to it: kafka-delete-records, {{\"topic\":\"{topic}\",\"partition\":{partition},\"offset\":{}}}",
        offset + 1
    );
    if is_letter {
        format!(
            "see `scenarios dlt show {topic}/{partition}/{offset}`; replay or write down the letters before it, then {removing}"
        )
    } else if topic == publisher::CLIENT.topic() {
        "it was not handled when this ran: run it again".to_owned()
    } else {
        format!("it goes with the topic's retention; sooner: {removing}")
    }
}
