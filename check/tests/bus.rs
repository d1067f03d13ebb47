//! The bus is as weak as Kafka, and no weaker: services that rely on more break, and those that rely on what Kafka promises do
//! not.

use chrono::{DateTime, Utc};
use saga::{Facts, Publisher, Rows, SagaId, Says, StoreError, Table, publisher, says};
use saga_check::{Check, Report, Service};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Matter {
    matter: SagaId,
}

impl Facts for Matter {
    fn saga_id(&self) -> SagaId {
        self.matter
    }
}

mod front {
    saga::events! { saga::publisher!("front"), matter: super::Matter, Opened { time: usize } Closed {} }
}
mod back {
    saga::events! { saga::publisher!("back"), matter: super::Matter, Answered { time: usize } }
}
use back::Answered;
use front::{Closed, Opened};

const CLIENTS: Publisher = Publisher::of_requests("client", "matter.requests", "MatterRaised");

/// What a service has heard of each matter, in order.
type Heard = Rows<SagaId, Vec<&'static str>>;
type Command = (Matter, &'static str);

/// A service that notes what it hears and then decides by all that it has heard.
macro_rules! service {
    ($name:ident, $publisher:expr, $table:expr, $decide:expr) => {
        struct $name;

        impl saga::Service for $name {
            type Command = Command;
            type Rows = Heard;

            const PUBLISHER: Publisher = $publisher;

            fn table() -> Table<Command> {
                $table
            }

            fn saga_of((matter, _): &Command) -> SagaId {
                matter.matter
            }

            async fn load(&self, _: &mut PgConnection, _: &[&Command]) -> Result<Heard, StoreError> {
                unreachable!("nothing is loaded here")
            }

            fn decide(&self, heard: &mut Heard, (matter, what): &Command, _: DateTime<Utc>) -> Says {
                let mut all = heard.get(&matter.matter).cloned().unwrap_or_default();
                all.push(*what);
                heard.put(matter.matter, all.clone());
                let decide: fn(Matter, &[&str]) -> Says = $decide;
                decide(matter.clone(), &all)
            }

            async fn save(&self, _: &mut PgConnection, _: &Heard) -> Result<(), StoreError> {
                unreachable!("nothing is saved here")
            }
        }
    };
}

// Opens a matter with the first request only, and closes it at once.
service!(
    Front,
    publisher!("front"),
    Table::of(publisher!("front"))
        .on_request(CLIENTS, "open", says![Opened, completes Closed], |matter: Matter| (matter, "")),
    |matter, heard| match heard.len() {
        1 => Says::event(Opened { matter: matter.clone(), time: 1 }).and_event(Closed { matter }),
        _ => Says::ignored("open already"),
    }
);
// Opens a matter with every request: it takes each for a new one.
service!(
    Eager,
    publisher!("front"),
    Table::of(publisher!("front")).on_request(CLIENTS, "open", says![completes Opened], |matter: Matter| (matter, "")),
    |matter, heard| Says::event(Opened { matter, time: heard.len() })
);
// Answers whenever it hears of a matter: it relies on the inbox.
service!(
    Back,
    publisher!("back"),
    Table::of(publisher!("back")).on("answer", says![informs Answered], |event: Opened| (event.matter, "opened")).on(
        "file",
        says![],
        |event: Closed| (event.matter, "closed")
    ),
    |matter, heard| match heard {
        [.., "opened"] => Says::event(Answered { matter, time: heard.len() }),
        // Within a topic, nothing comes before what was said before it.
        ["closed", ..] => Says::impossible("closed before it was opened"),
        _ => Says::silence(),
    }
);
// Expects the answer after the opening, although another says it.
service!(
    Archive,
    publisher!("archive"),
    Table::of(publisher!("archive")).on("file", says![], |event: Opened| (event.matter, "opened")).on(
        "file the answer",
        says![],
        |event: Answered| (event.matter, "answered")
    ),
    |_, heard| match heard {
        ["answered", ..] => Says::impossible("answered before it was opened"),
        _ => Says::silence(),
    }
);

fn added<S: saga::Service<Rows = Heard>>(check: Check, service: S) -> Check {
    check.service(Service::new(service, Heard::default(), Heard::saved))
}

fn asked(check: Check) -> Check {
    check.request(CLIENTS, &Matter { matter: SagaId(uuid::Uuid::from_u128(1)) })
}

fn broken(report: &Report) -> &str {
    report.broken.as_ref().map_or("", |broken| broken.law)
}

#[test]
fn a_topic_is_read_in_order() {
    let report = asked(added(added(Check::new(), Front), Back)).explore();
    report.assert_holds();
    assert!(report.states > 5, "{report:?}");
}

#[test]
fn topics_of_two_publishers_overtake_each_other() {
    let report = asked(added(added(added(Check::new(), Front), Back), Archive)).explore();
    let broken = report.broken.expect("noticed");
    assert!(broken.how.contains("answered before it was opened"), "{broken}");
}

#[test]
fn a_client_sends_its_request_twice() {
    assert_eq!(broken(&asked(added(Check::new(), Eager)).explore()), "a saga ends once");
}

#[test]
fn without_an_inbox_an_event_comes_again() {
    let check = || {
        asked(added(added(Check::new(), Front), Back)).law("it is answered once", |view| {
            match view.said().filter(|event| event.event_type == "Answered").count() {
                0 | 1 => Ok(()),
                times => Err(format!("{times} times")),
            }
        })
    };
    check().explore().assert_holds();
    assert_eq!(broken(&check().forgetful().explore()), "it is answered once");
}

#[test]
#[should_panic(expected = "no service consumes `MatterRaised`")]
fn a_request_that_nobody_consumes_is_refused() {
    asked(added(Check::new(), Archive)).explore();
}

#[test]
#[should_panic(expected = "two services are called `front`")]
fn two_services_of_one_name_are_refused() {
    asked(added(added(Check::new(), Front), Eager)).explore();
}
