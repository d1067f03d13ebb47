//! A ticket office that charges by a durable call and has a deadline. And the same with one fault each.

use chrono::{DateTime, TimeDelta, Utc};
use saga::{
    Facts, NewAttempt, Publisher, Rows, SagaId, Says, StoreError, Table, publisher, says, table::answer, table::asks,
    table::deadline,
};
use saga_check::{Broken, Check, Report, Service};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    ticket: SagaId,
}

impl Facts for Ticket {
    fn saga_id(&self) -> SagaId {
        self.ticket
    }
}

mod office {
    saga::events! { saga::publisher!("office"), ticket: super::Ticket, Sold {} Refused {} Expired {} }
}
use office::{Expired, Refused, Sold};

const CLIENTS: Publisher = Publisher::of_requests("client", "ticket.requests", "TicketWanted");

/// What is wrong with the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It takes an answer although the ticket has expired.
    TakesLateAnswers,
    /// It gives up a ticket that is sold.
    ExpiresWhatIsSold,
    SaysWhatItsTableLacks,
    Panics,
    IsImpossible,
    SaysItTwice,
}

struct Office(Fault);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Open,
    Ended,
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Want,
    Charged,
    Declined,
    Expire,
}

impl saga::Service for Office {
    type Command = (SagaId, Ask);
    type Rows = Rows<SagaId, State>;

    const PUBLISHER: Publisher = publisher!("office");

    fn table() -> Table<Self::Command> {
        Table::of(Self::PUBLISHER)
            .on_request(CLIENTS, asks("sell", &["charge"]), says![], |ticket: Ticket| (ticket.ticket, Ask::Want))
            .when(answer("charge"), "settle", says![completes Sold, aborts Refused])
            .when(deadline("the ticket expires"), "expire", says![aborts Expired])
    }

    fn saga_of((ticket, _): &Self::Command) -> SagaId {
        *ticket
    }

    async fn load(&self, _: &mut PgConnection, _: &[&Self::Command]) -> Result<Self::Rows, StoreError> {
        unreachable!("nothing is loaded here")
    }

    fn decide(&self, rows: &mut Self::Rows, (id, ask): &Self::Command, _: DateTime<Utc>) -> Says {
        let (ticket, state) = (Ticket { ticket: *id }, rows.get(id).copied());
        match (ask, state, self.0) {
            (Ask::Want, None, Fault::Panics) => panic!("a bug"),
            (Ask::Want, None, Fault::IsImpossible) => Says::impossible("a row is missing"),
            (Ask::Want, None, Fault::SaysWhatItsTableLacks) => Says::event(Expired { ticket }),
            (Ask::Want, None, _) => {
                rows.put(*id, State::Open);
                Says::attempt(NewAttempt::new("charge", *id, serde_json::Value::Null).giving_up())
            }
            (Ask::Charged, Some(State::Ended), Fault::TakesLateAnswers) => Says::event(Sold { ticket }),
            (Ask::Charged, Some(State::Open), fault) => {
                rows.put(*id, State::Ended);
                let sold = Says::event(Sold { ticket: ticket.clone() });
                if fault == Fault::SaysItTwice { sold.and_event(Sold { ticket }) } else { sold }
            }
            (Ask::Declined, Some(State::Open), _) => {
                rows.put(*id, State::Ended);
                Says::event(Refused { ticket })
            }
            (Ask::Expire, Some(State::Ended), Fault::ExpiresWhatIsSold) | (Ask::Expire, Some(State::Open), _) => {
                rows.put(*id, State::Ended);
                Says::event(Expired { ticket })
            }
            (Ask::Want | Ask::Charged | Ask::Declined | Ask::Expire, _, _) => Says::ignored("too late, or too early"),
        }
    }

    async fn save(&self, _: &mut PgConnection, _: &Self::Rows) -> Result<(), StoreError> {
        unreachable!("nothing is saved here")
    }
}

fn explored(fault: Fault) -> Report {
    let id = SagaId(uuid::Uuid::from_u128(1));
    let office = Service::new(Office(fault), Rows::default(), Rows::saved)
        .at("the ticket expires", DateTime::UNIX_EPOCH + TimeDelta::hours(1), (id, Ask::Expire))
        .answers(|call| vec![("charged", (call.saga_id, Ask::Charged)), ("declined", (call.saga_id, Ask::Declined))]);
    Check::new().service(office).request(CLIENTS, &Ticket { ticket: id }).explore()
}

fn broken(fault: Fault) -> Broken {
    explored(fault).broken.unwrap_or_else(|| panic!("{fault:?} is not noticed"))
}

#[test]
fn a_ticket_is_sold_refused_or_expires_and_all_three_happen() {
    let report = explored(Fault::None);
    report.assert_holds();
    let endings: Vec<&Vec<&str>> = report.endings.keys().collect();
    assert_eq!(endings, [&vec!["Expired"], &vec!["Refused"], &vec!["Sold"]]);
}

#[test]
fn an_answer_that_comes_after_the_deadline_is_tried() {
    let late = broken(Fault::TakesLateAnswers);
    assert_eq!(late.law, "a saga ends once");
    assert_eq!(
        late.story,
        [
            "TicketWanted → office (sell)",
            "the ticket expires → office (the ticket expires) → Expired",
            "the answer to charge → office (charge: charged) → Sold",
        ]
    );
}

#[test]
fn each_general_law_is_noticed() {
    assert_eq!(broken(Fault::ExpiresWhatIsSold).law, "a saga ends once");
    assert_eq!(broken(Fault::SaysItTwice).law, "nothing is said twice");
    for (fault, how) in [
        (Fault::SaysWhatItsTableLacks, "says `Expired`, which its line does not list"),
        (Fault::Panics, "panics"),
        (Fault::IsImpossible, "is impossible: a row is missing"),
    ] {
        let broken = broken(fault);
        assert_eq!(broken.law, "every decision is possible, and says what its table lists");
        assert!(broken.how.contains(how), "{broken}");
        assert_eq!(broken.story, ["TicketWanted → office"]);
    }
}
