//! The reduced search against the full one, on random systems: services that say and share whatever a seed says. Both must
//! find the same states at rest and agree on whether a law holds.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    rc::Rc,
};

use chrono::{DateTime, TimeDelta, Utc};
use saga::{
    NewAttempt, Publisher, Rows, SagaId, Said, Says, StoreError, Table, publisher,
    table::{Decision, Saying, answer, deadline},
};
use saga_check::{Check, Report, Service, View};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

const CLIENTS: Publisher = Publisher::of_requests("client", "client.requests", "Begin");
const SERVICES: usize = 4;
/// Two kinds of events for each service.
const TYPES: [[&str; 2]; SERVICES] = [["A0", "A1"], ["B0", "B1"], ["C0", "C1"], ["D0", "D1"]];
const LATE: &str = "it is late";
const CALL: &str = "call";
const OTHERWISE: &str = "otherwise";
const PERSON: &str = "a person insists";

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// A number below `bound`, for this seed and whatever it is asked for.
fn chance(of: impl Hash, bound: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (SEED.get(), of).hash(&mut hasher);
    hasher.finish() % bound
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Fact {
    saga: SagaId,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Command {
    saga: SagaId,
    on: &'static str,
}

/// State of each saga, and a number that all share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Stores {
    sagas: Rows<SagaId, u64>,
    shared: u64,
}

/// Service number `N` of the seed's system.
struct Any<const N: usize>;

const PUBLISHERS: [Publisher; SERVICES] = [publisher!("a"), publisher!("b"), publisher!("c"), publisher!("d")];

/// Events that a decision may say: none, one or both kinds.
fn says<const N: usize>(on: &str) -> &'static [Saying] {
    let listed = TYPES[N].iter().enumerate().filter(|(kind, _)| chance(("says", N, on, kind), 5) > 1);
    let saying = |event_type| Saying { event_type, publisher: PUBLISHERS[N], ..Saying::NOTHING };
    Vec::leak(listed.map(|(_, event_type)| saying(*event_type)).collect())
}

impl<const N: usize> saga::Service for Any<N> {
    type Command = Command;
    type Rows = Stores;

    const PUBLISHER: Publisher = PUBLISHERS[N];

    fn table() -> Table<Command> {
        let command = |on| move |fact: Fact| Command { saga: fact.saga, on };
        let mut table = Table::of(Self::PUBLISHER);
        if N == 0 {
            table = table.on_request(CLIENTS, "begin", says::<N>("Begin"), command("Begin"));
            table = table.when(deadline(LATE), "give up", says::<N>(LATE));
        }
        table = table.when(answer(CALL), "settle", says::<N>(CALL)).when(PERSON, "insist", says::<N>(PERSON));
        for (other, types) in TYPES.iter().enumerate().filter(|(other, _)| *other != N) {
            for on in types.iter().filter(|on| chance(("hears", N, on), 5) < 2) {
                let make = command(on);
                let decision: Decision = "decide".into();
                table =
                    table.on_data(on, PUBLISHERS[other], decision, says::<N>(on), move |fact: Fact, _, _| make(fact));
            }
        }
        table
    }

    fn saga_of(command: &Command) -> SagaId {
        command.saga
    }

    async fn load(&self, _: &mut PgConnection, _: &[&Command]) -> Result<Stores, StoreError> {
        unreachable!("nothing is loaded here")
    }

    fn decide(&self, rows: &mut Stores, command: &Command, _: DateTime<Utc>) -> Says {
        let Command { saga, on } = command;
        let state = rows.sagas.get(saga).copied().unwrap_or(0);
        // Each input counts once, as with a barrier.
        let bit = 1 << chance(("bit", on), 6);
        if state & bit != 0 {
            return Says::ignored("decided already");
        }
        // Some decisions depend on what sagas share, and some change it.
        let depends = chance(("depends", N, on), 4) == 0;
        let seen = if depends { rows.shared } else { 0 };
        if chance(("changes", N, on), 4) == 0 {
            rows.shared = (rows.shared + 1 + chance(("by", N, on, seen), 2)) % 5;
        }
        let kind = |saying: &Saying| TYPES[N].iter().position(|other| *other == saying.event_type).unwrap_or_default();
        // Nothing is said twice.
        let is_new = |saying: &&Saying| state >> (6 + kind(saying)) & 1 == 0;
        let said = says::<N>(on).iter().filter(is_new);
        let said: Vec<&Saying> =
            said.filter(|saying| chance(("now", N, on, saying.event_type, seen, state & 3), 3) > 0).collect();
        let said_bits = said.iter().fold(0, |bits, saying| bits | 1 << (6 + kind(saying)));
        rows.sagas.put(*saga, state | bit | said_bits);
        let event = |saying: &Saying| Said {
            event_type: saying.event_type,
            version: 1,
            aggregatetype: PUBLISHERS[N].name(),
            saga_id: *saga,
            payload: serde_json::to_string(&Fact { saga: *saga }).expect("JSON"),
        };
        let says = Says { events: said.into_iter().map(event).collect(), ..Says::silence() };
        // A call for each saga at most, whose answers differ.
        let asks = *on != CALL && chance(("asks", N, on), 6) == 0;
        if asks { says.and_attempt(NewAttempt::new(CALL, *saga, serde_json::Value::Null)) } else { says }
    }

    async fn save(&self, _: &mut PgConnection, _: &Stores) -> Result<(), StoreError> {
        unreachable!("nothing is saved here")
    }
}

fn added<const N: usize>(check: Check, sagas: &[SagaId]) -> Check {
    let service = Service::new(Any::<N>, Stores::default(), |rows| Stores { sagas: rows.sagas.saved(), ..rows });
    // A deadline of some sagas, so that these differ from the others.
    let late = sagas.iter().filter(|_| N == 0 && chance("late", 3) == 0).take(2);
    let at = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
    let service = late.fold(service, |service, saga| service.at(LATE, at, Command { saga: *saga, on: LATE }));
    let insists = sagas.iter().filter(|_| chance(("insists", N), 12) == 0).take(1);
    let service = insists.fold(service, |service, saga| service.may(PERSON, Command { saga: *saga, on: PERSON }));
    check.service(service.answers(|call| {
        let answers = [("yes", CALL), ("no", OTHERWISE)];
        answers.map(|(answer, on)| (answer, Command { saga: call.saga_id, on })).to_vec()
    }))
}

/// What sagas look like in all services, whichever is which.
fn signature(view: &View<'_>, sagas: &[SagaId]) -> (Vec<Vec<u64>>, Vec<u64>) {
    let stores = [view.rows::<Any<0>>(), view.rows::<Any<1>>(), view.rows::<Any<2>>(), view.rows::<Any<3>>()];
    let state = |saga: &SagaId| stores.iter().map(|store| store.sagas.get(saga).copied().unwrap_or(0)).collect();
    let mut all: Vec<Vec<u64>> = sagas.iter().map(state).collect();
    all.sort();
    (all, stores.iter().map(|store| store.shared).collect())
}

type Seen = BTreeSet<(Vec<Vec<u64>>, Vec<u64>)>;

/// The system of the seed; what it is at rest is noted in `seen`.
fn system(seen: &Rc<RefCell<Seen>>) -> Check {
    let count = 2 + u128::from(chance("three", 3) == 0);
    let sagas: Vec<SagaId> = (1..=count).map(|number| SagaId(uuid::Uuid::from_u128(number))).collect();
    let mut check = added::<3>(added::<2>(added::<1>(added::<0>(Check::new(), &sagas), &sagas), &sagas), &sagas);
    for saga in &sagas {
        check = check.request(CLIENTS, &Fact { saga: *saga });
    }
    let (noted, all) = (seen.clone(), sagas.clone());
    check = check.at_rest("what is at rest is noted", move |view| {
        noted.borrow_mut().insert(signature(view, &all));
        Ok(())
    });
    if chance("law", 3) > 0 {
        check = check.law("one service's number", |view| {
            if view.rows::<Any<1>>().shared == 2 { Err("it is 3".to_owned()) } else { Ok(()) }
        });
    }
    if chance("two", 3) == 0 {
        check = check.law("two services' numbers", |view| {
            let numbers = (view.rows::<Any<0>>().shared, view.rows::<Any<2>>().shared);
            if numbers == (1, 2) { Err("they are 1 and 2".to_owned()) } else { Ok(()) }
        });
    }
    check
}

fn searched(reduced: bool) -> (Report, Seen) {
    let seen = Rc::new(RefCell::new(Seen::new()));
    let check = system(&seen).at_most(20_000);
    let check = if chance("parks", 4) == 0 { check.parks() } else { check };
    let check = if chance("forgetful", 4) == 0 { check.forgetful() } else { check };
    let report = if reduced { check.reduced().explore() } else { check.explore() };
    let seen = seen.borrow().clone();
    (report, seen)
}

#[test]
fn random_systems_are_the_same_in_both_searches() {
    let (mut compared, mut broken, mut fewer, mut states) = (0, 0, 0, (0, 0));
    let seeds = std::env::var("SYSTEMS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(400);
    for seed in 0..seeds {
        SEED.set(seed);
        let (full, all) = searched(false);
        if !full.is_complete && full.broken.is_none() {
            continue;
        }
        let (few, some) = searched(true);
        if !few.is_complete && few.broken.is_none() {
            continue;
        }
        compared += 1;
        assert_eq!(full.broken.is_some(), few.broken.is_some(), "seed {seed}: {full:?}\n{few:?}");
        match &full.broken {
            Some(_) => broken += 1,
            None => {
                assert_eq!(all, some, "seed {seed}: {} and {} states, {:?}", full.states, few.states, few.reduced);
                fewer += usize::from(few.states < full.states);
                states = (states.0 + full.states, states.1 + few.states);
            }
        }
    }
    writeln!(std::io::stderr(), "{compared} systems, {} states, reduced {}", states.0, states.1)
        .expect("stderr takes a line");
    assert!(
        seeds < 400 || (compared > 250 && broken > 20 && fewer > 150),
        "{compared} compared, {broken} broken, {fewer} fewer"
    );
}
