//! Checks of a table. Each error says what to change.

use super::{Line, Occasion, Table, Trigger};
use crate::{
    Publisher,
    choreography::{Reaction, is_name},
};

impl<C> Table<C> {
    /// Checks the table. A program does this first.
    ///
    /// # Errors
    /// One sentence for each invalid line or name.
    pub fn check(&self) -> Result<(), String> {
        let own = self.service();
        let mut wrong: Vec<String> = own.check().err().into_iter().collect();
        if own.is_anyone() {
            wrong.push(format!(
                "`{own}` is a publisher of requests, for clients; a service publishes events, on `{own}.events`"
            ));
        }
        let lines: Vec<&Line> = self.lines().collect();
        if lines.is_empty() {
            wrong.push("it has no lines: a service that consumes nothing does nothing".to_owned());
        }
        for (place, line) in lines.iter().enumerate() {
            wrong.extend(strangers(own, line));
            wrong.extend(unheard_of(own, line, &lines));
            wrong.extend(repeated(line, &lines[..place]));
            wrong.extend(versionless(line));
            wrong.extend(Reaction::from(*line).check().err());
            wrong.extend(nameless(line));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("the table of `{own}`: {}", wrong.join("; "))) }
    }
}

/// Events of other publishers that a decision lists.
fn strangers(own: Publisher, line: &Line) -> Option<String> {
    let other = line.says.iter().find(|saying| saying.publisher != own)?;
    Some(format!(
        "`{}` says `{}`, which only `{}` publishes, on `{}`: use an event of `{own}` instead",
        line.decision.name,
        other.event_type,
        other.publisher,
        other.publisher.topic()
    ))
}

/// An event that nobody can publish: its publisher's name makes no topic, or it is our own and no decision publishes it.
fn unheard_of(own: Publisher, line: &Line, lines: &[&Line]) -> Option<String> {
    let Trigger::Event { event_type, publisher, .. } = line.trigger else { return None };
    if event_type.is_empty() {
        return Some(format!(
            "`{}` has a trigger without an event type: create its publisher with `Publisher::of_requests`, which names one",
            line.decision.name
        ));
    }
    if let Err(why) = publisher.check() {
        return Some(format!("nobody can publish `{event_type}`: {why}"));
    }
    let is_said = publisher != own || lines.iter().any(|other| other.may_say(event_type));
    (!is_said).then(|| {
        format!("nobody can publish `{event_type}`: it is an event of `{own}`, but no decision of `{own}` says it; add it to one, or remove the line")
    })
}

/// An event whose version cannot be written into an outbox.
fn versionless(line: &Line) -> Option<String> {
    let read = match line.trigger {
        Trigger::Event { event_type, version, .. } => Some((event_type, version)),
        Trigger::Occasion(_) => None,
    };
    let said = line.says.iter().map(|saying| (saying.event_type, saying.version));
    let (event_type, version) =
        read.into_iter().chain(said).find(|(_, version)| !(1..=MAX_VERSION).contains(version))?;
    Some(format!("`{event_type}` has version {version}: choose one from 1 to {MAX_VERSION}"))
}

/// Latest possible version of an event's schema.
const MAX_VERSION: u32 = i32::MAX.unsigned_abs();

/// A step or a call whose name tools could not show.
fn nameless(line: &Line) -> Option<String> {
    let answer = match line.trigger {
        Trigger::Occasion(Occasion::Answer(call)) => Some(call),
        Trigger::Occasion(_) | Trigger::Event { .. } => None,
    };
    let names = line.decision.asks.iter().copied().chain(line.decision.step).chain(answer);
    let odd = names.into_iter().find(|name| !is_name(name))?;
    Some(format!(
        "{odd:?} is no name of a step or a call: at most 100 letters, digits, `_`, `.` and `-` are, and an occasion may be any text"
    ))
}

/// A second line for the same event, which would never be used.
fn repeated(line: &Line, before: &[&Line]) -> Option<String> {
    let Trigger::Event { event_type, publisher, .. } = line.trigger else { return None };
    let is_the_same = |first: &&&Line| {
        let Trigger::Event { event_type: other, publisher: others, .. } = first.trigger else { return false };
        other == event_type && others.topic() == publisher.topic()
    };
    let first = before.iter().find(is_the_same)?;
    Some(format!(
        "two lines have the trigger `{event_type}` of `{publisher}`, `{}` and `{}`: only the first would count",
        first.decision.name, line.decision.name
    ))
}

#[cfg(test)]
mod tests {
    use crate::{Event, Publisher, SagaId, Table, publisher, says, table::tries};

    const HOTEL: Publisher = publisher!("hotel");

    macro_rules! event {
        ($name:ident, $publisher:expr) => {
            #[derive(serde::Serialize, serde::Deserialize)]
            struct $name {
                trip: SagaId,
            }

            impl Event for $name {
                const TYPE: &'static str = stringify!($name);
                const PUBLISHER: Publisher = $publisher;

                fn saga_id(&self) -> SagaId {
                    self.trip
                }
            }
        };
    }

    /// An event of this version.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Versioned<const VERSION: u32> {
        trip: SagaId,
    }

    impl<const VERSION: u32> Event for Versioned<VERSION> {
        const TYPE: &'static str = "Versioned";
        const PUBLISHER: Publisher = HOTEL;
        const VERSION: u32 = VERSION;

        fn saga_id(&self) -> SagaId {
            self.trip
        }
    }

    event!(RoomHeld, HOTEL);
    event!(CarHeld, publisher!("car"));
    event!(SeatHeld, publisher!("Air Line"));

    fn wrong(table: Table<SagaId>) -> String {
        table.check().expect_err("refused")
    }

    #[test]
    fn a_table_that_can_be_meant_is_taken() {
        let table = Table::of(HOTEL).on("hold", says![RoomHeld], |event: CarHeld| event.trip).on(
            "look again",
            says![],
            |event: RoomHeld| event.trip,
        );
        assert_eq!(table.check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_to_change() {
        let on_car = |table: Table<SagaId>| table.on("hold", says![RoomHeld], |event: CarHeld| event.trip);
        let claims = wrong(Table::of(HOTEL).when("at noon", "steal", says![RoomHeld, CarHeld]));
        assert!(claims.contains("only `car` publishes, on `car.events`"), "{claims}");
        let twice = wrong(on_car(on_car(Table::of(HOTEL))));
        assert!(twice.contains("only the first would count"), "{twice}");
        let unsaid = wrong(Table::of(HOTEL).on("look again", says![], |event: RoomHeld| event.trip));
        assert!(unsaid.contains("no decision of `hotel` says it"), "{unsaid}");
        let no_topic = wrong(on_car(Table::of(HOTEL)).on("hold", says![], |event: SeatHeld| event.trip));
        assert!(no_topic.contains("nobody can publish `SeatHeld`") && no_topic.contains("choose"), "{no_topic}");
        let nameless = wrong(Table::of(publisher!("Hotel California")));
        assert!(nameless.contains("makes no topic"), "{nameless}");
        let clients = wrong(Table::of(Publisher::of_requests("client", "trip.requests", "TripRequested")));
        assert!(clients.contains("a service publishes events"), "{clients}");
        let spare = wrong(on_car(Table::of(HOTEL)).when("noon", tries("hold").of("spare room"), says![RoomHeld]));
        assert!(spare.contains("no name of a step or a call"), "{spare}");
        const LONG: &str = "a-step-with-a-name-that-is-so-long-that-no-tool-takes-it-because-a-name-has-at-most-a-hundred-bytes-and-this-has-more";
        let long = wrong(on_car(Table::of(HOTEL)).when("noon", tries("hold").of(LONG), says![RoomHeld]));
        assert!(long.contains("no name of a step or a call"), "tools would refuse the table: {long}");
        let zero = wrong(Table::of(HOTEL).when("noon", "hold", says![Versioned<0>]));
        assert!(zero.contains("`Versioned` has version 0: choose one from 1 to 2147483647"), "{zero}");
        let table = Table::of(HOTEL).when("noon", "hold", says![Versioned<7>]);
        let read = wrong(table.on("look", says![], |event: Versioned<2_147_483_648>| event.trip));
        assert!(read.contains("`Versioned` has version 2147483648"), "{read}");
        let empty = wrong(Table::of(HOTEL));
        assert!(empty.contains("consumes nothing"), "{empty}");
        // Two names for one topic: the second of two lines for the same event would never be used.
        let other = Publisher::of_events("auto", "car.events");
        let alias = on_car(Table::of(HOTEL)).on_data("CarHeld", other, "again", says![], |trip: SagaId, _, _| trip);
        assert!(wrong(alias).contains("only the first would count"));
        // Otherwise anyone could publish on a service's topic and be trusted.
        let open = Publisher::of_requests("car", "car.events", "CarHeld");
        let open = wrong(Table::of(HOTEL).on_request(open, "hold", says![RoomHeld], |trip: SagaId| trip));
        assert!(open.contains("`car.events` is a topic on which only its service may publish"), "{open}");
    }
}
