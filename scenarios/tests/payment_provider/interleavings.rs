//! The service against the gateway's own rules, under every interleaving of commands, calls and answers, with lost answers,
//! abandoned calls, and requests that arrive after they were abandoned.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::DateTime;
use events::{Currency, Order, Reason};
use payment::{
    Books, Command, Payment,
    calls::Call,
    lifecycle::Step,
    method::MethodType,
    reply::{Problem, Reply, meaning},
};
use payment_gateway::{
    payment::{Card, Decision, Operation, State, decide},
    problem,
};
use reqwest::StatusCode;
use saga::{Service, attempts::Answer};

use crate::orders::{ALICE, books, order};

/// The complete state at one moment.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    books: Books,
    /// Commands that the saga has not sent yet.
    to_ask: BTreeSet<Step>,
    /// Calls without an answer.
    open: BTreeSet<Call>,
    /// Calls requested so far: each only once.
    asked: BTreeSet<Call>,
    /// An abandoned authorization that is still in flight.
    straggler: bool,
    at_gateway: Option<State>,
    /// What the provider may still do on its own.
    own_will: BTreeSet<Operation>,
    /// The gateway's answers, which it repeats.
    saved: BTreeMap<Call, Decision>,
    said: Vec<&'static str>,
}

struct Explorer {
    order: Order,
    card: Card,
    seen: HashSet<World>,
    ends: BTreeSet<Vec<&'static str>>,
}

impl Explorer {
    fn explore(card: Card, method_type: MethodType, to_ask: &[Step]) -> BTreeSet<Vec<&'static str>> {
        Self::explore_with(card, method_type, to_ask, &[])
    }

    /// With a provider that may do these things on its own at any moment, each once.
    fn explore_with(
        card: Card,
        method_type: MethodType,
        to_ask: &[Step],
        own_will: &[Operation],
    ) -> BTreeSet<Vec<&'static str>> {
        let begin = World {
            books: books(ALICE, method_type, (method_type == MethodType::Card).then(|| "v1:sealed".into())),
            to_ask: to_ask.iter().copied().collect(),
            open: BTreeSet::new(),
            asked: BTreeSet::new(),
            straggler: false,
            at_gateway: None,
            own_will: own_will.iter().copied().collect(),
            saved: BTreeMap::new(),
            said: Vec::new(),
        };
        let mut explorer =
            Explorer { order: order(100, Currency::JPY), card, seen: HashSet::new(), ends: BTreeSet::new() };
        let mut frontier = vec![begin];
        while let Some(world) = frontier.pop() {
            if explorer.seen.insert(world.clone()) {
                let next = explorer.next(&world);
                if next.iter().all(|next| *next == world) {
                    check_end(&world, to_ask);
                    explorer.ends.insert(world.said);
                } else {
                    frontier.extend(next);
                }
            }
        }
        explorer.ends
    }

    /// All possible next states.
    fn next(&self, world: &World) -> Vec<World> {
        let mut next = Vec::new();
        for &step in &world.to_ask {
            let mut asked = world.clone();
            asked.to_ask.remove(&step);
            next.push(self.decided(asked, &Command::asked(self.order.clone(), step)));
        }
        for &call in &world.open {
            let (called, answer) = self.called(world.clone(), call);
            // The answer is lost: the call stays open and is repeated.
            next.push(called.clone());
            next.push(self.answered(called.clone(), call, answer));
            if call == Call::Authorize {
                next.push(self.answered(world.clone(), call, Step::AuthorizeGaveUp));
                next.push(self.answered(called, call, Step::AuthorizeGaveUp));
                let straggling = World { straggler: true, ..world.clone() };
                next.push(self.answered(straggling, call, Step::AuthorizeGaveUp));
            }
        }
        for &operation in &world.own_will {
            // A provider has nothing to act upon before the first request.
            let Some(state) = world.at_gateway else { continue };
            if let Decision::Becomes(state) = decide(Some(state), operation, self.card) {
                let mut acted = World { at_gateway: Some(state), ..world.clone() };
                acted.own_will.remove(&operation);
                next.push(acted);
            }
        }
        if world.straggler {
            next.push(self.called(World { straggler: false, ..world.clone() }, Call::Authorize).0);
        }
        next
    }

    fn decided(&self, mut world: World, command: &Command) -> World {
        let says = Payment.decide(&mut world.books, command, DateTime::UNIX_EPOCH);
        world.said.extend(says.events.iter().map(|said| said.event_type));
        for attempt in says.attempts {
            let call = attempt.kind.parse().expect("a call");
            if world.asked.insert(call) {
                world.open.insert(call);
            }
        }
        World { books: Books { transactions: world.books.transactions.clone().saved(), ..world.books }, ..world }
    }

    fn answered(&self, mut world: World, call: Call, step: Step) -> World {
        world.open.remove(&call);
        self.decided(world, &Command::answered(self.order.order_id, step))
    }

    /// The gateway carries out a call, or repeats its answer.
    fn called(&self, mut world: World, call: Call) -> (World, Step) {
        let operation = match call {
            Call::Authorize => Operation::Authorize,
            Call::Capture => Operation::Capture,
            Call::Void | Call::VoidInstead => Operation::Void,
            Call::Refund | Call::RefundInstead => Operation::Refund,
        };
        let at_gateway = world.at_gateway;
        let verdict = world.saved.get(&call).copied().unwrap_or_else(|| {
            let verdict = decide(at_gateway, operation, self.card);
            world.saved.insert(call, verdict);
            if let Decision::Becomes(state) = verdict {
                world.at_gateway = Some(state);
            }
            verdict
        });
        let (status, kind) = match verdict {
            Decision::Becomes(State::Declined) => (402, "card-declined".to_owned()),
            Decision::Becomes(_) | Decision::Stays(_) => (200, String::new()),
            Decision::Refused(refusal) => {
                let problem = serde_json::to_value(problem::Problem::from(refusal)).expect("a problem is JSON");
                let status = problem["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                (status.expect("a status"), problem["type"].as_str().expect("a type").to_owned())
            }
        };
        let status = StatusCode::from_u16(status).expect("a status");
        let reply = Reply { status, problem: Problem { kind, ..Problem::default() } };
        match meaning(call, &reply) {
            Answer::Done(step) => (world, step),
            other => panic!("{call} at {at_gateway:?}: {verdict:?} means {other:?}"),
        }
    }
}

fn check_end(world: &World, asked: &[Step]) {
    let said = &world.said;
    if asked.iter().any(|step| matches!(step, Step::Cancel(_))) {
        assert!(
            !matches!(world.at_gateway, Some(State::Authorized | State::Captured)),
            "left at the gateway: {said:?}"
        );
        let answers = ["PaymentVoided", "PaymentRefunded", "PaymentDeclined"];
        let answered = said.iter().filter(|event| answers.contains(event)).count();
        assert_eq!(answered, 1, "a cancel is answered once: {said:?}");
        assert!(answers.contains(said.last().expect("an answer")), "and nothing comes after it: {said:?}");
    }
    if world.at_gateway == Some(State::Captured) {
        assert_eq!(said.last(), Some(&"PaymentCaptured"));
    }
    if said.last() == Some(&"PaymentDeclined") {
        assert!(!matches!(world.at_gateway, Some(State::Authorized)), "declined, and held all the same");
    }
}

const CANCEL: Step = Step::Cancel(Reason::TimedOut);

fn ends<const N: usize>(ends: [&[&'static str]; N]) -> BTreeSet<Vec<&'static str>> {
    ends.into_iter().map(<[_]>::to_vec).collect()
}

#[test]
fn a_card_that_pays() {
    let asked = [Step::Authorize, Step::Capture, CANCEL];
    assert_eq!(
        Explorer::explore(Card::Good, MethodType::Card, &asked),
        ends([
            &["PaymentVoided"],
            &["PaymentDeclined"],
            &["PaymentAuthorized", "PaymentVoided"],
            &["PaymentAuthorized", "PaymentRefunded"],
            &["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"],
        ])
    );
}

#[test]
fn a_card_that_is_declined() {
    let asked = [Step::Authorize, Step::Capture, CANCEL];
    assert_eq!(
        Explorer::explore(Card::Declined, MethodType::Card, &asked),
        ends([&["PaymentVoided"], &["PaymentDeclined"]])
    );
}

#[test]
fn a_card_that_promises_and_does_not_pay() {
    let asked = [Step::Authorize, Step::Capture, CANCEL];
    assert_eq!(
        Explorer::explore(Card::CaptureDeclined, MethodType::Card, &asked),
        ends([
            &["PaymentVoided"],
            &["PaymentDeclined"],
            &["PaymentAuthorized", "PaymentVoided"],
            &["PaymentAuthorized", "PaymentCaptureFailed", "PaymentVoided"],
        ])
    );
}

#[test]
fn a_purchase_without_a_cancel() {
    assert_eq!(
        Explorer::explore(Card::Good, MethodType::Card, &[Step::Authorize]),
        ends([&["PaymentAuthorized"], &["PaymentDeclined"]])
    );
}

#[test]
fn a_wallet() {
    let asked = [Step::Authorize, Step::Capture, CANCEL];
    assert_eq!(
        Explorer::explore(Card::Good, MethodType::Wallet, &asked),
        ends([
            &["PaymentVoided"],
            &["PaymentAuthorized", "PaymentVoided"],
            &["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"],
        ])
    );
}

/// A provider that voids (an authorization that expires), captures and refunds on its own: every cancellation is still answered
/// once, nothing stays held or captured, and no call is left to an operator.
#[test]
fn a_provider_with_a_will_of_its_own() {
    let asked = [Step::Authorize, Step::Capture, CANCEL];
    for own_will in [
        &[Operation::Void][..],
        &[Operation::Capture],
        &[Operation::Refund],
        &[Operation::Capture, Operation::Refund],
        &[Operation::Void, Operation::Capture, Operation::Refund],
    ] {
        for card in [Card::Good, Card::CaptureDeclined] {
            let ends = Explorer::explore_with(card, MethodType::Card, &asked, own_will);
            assert!(ends.contains(["PaymentAuthorized", "PaymentVoided"].as_slice()), "{own_will:?}: {ends:?}");
            if own_will.contains(&Operation::Void) {
                let lapsed = ["PaymentAuthorized", "PaymentCaptureFailed", "PaymentVoided"];
                assert!(ends.contains(lapsed.as_slice()), "{own_will:?}: {ends:?}");
            }
            // What it captures on its own is refunded rather than voided.
            if own_will.contains(&Operation::Capture) && card == Card::Good {
                assert!(ends.contains(["PaymentAuthorized", "PaymentRefunded"].as_slice()), "{own_will:?}: {ends:?}");
            }
        }
    }
}
