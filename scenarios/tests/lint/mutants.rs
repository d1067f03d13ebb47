//! Mutants of the shop's choreography: each line taken away, and each outcome added to each line.

use std::collections::BTreeMap;

use operations::choreography::Choreography;
use saga::choreography::{On, Part, Reaction};
use saga_lint::{Code, Lint};

/// A changed choreography.
struct Mutant {
    change: Change,
    /// Service, and trigger of the changed line.
    place: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    LineTakenAway,
    OutcomeAdded(String),
}

fn mutants() -> Vec<Mutant> {
    let shop = Choreography::of_the_shop().tables().to_vec();
    let mut all = Vec::new();
    for (service, part) in shop.iter().enumerate() {
        let mut says: Vec<&String> = part.reactions.iter().flat_map(|reaction| &reaction.says).collect();
        says.sort_unstable();
        says.dedup();
        for (line, reaction) in part.reactions.iter().enumerate() {
            let on = match &reaction.on {
                On::Event { event, .. } => event,
                On::Occasion { occasion, .. } => occasion,
            };
            let mut mutate = |change, mutate: &dyn Fn(&mut Part)| {
                let mut parts = shop.clone();
                mutate(&mut parts[service]);
                all.push(Mutant { change, place: format!("{}, on `{on}`", part.service), parts });
            };
            mutate(Change::LineTakenAway, &|part| drop(part.reactions.remove(line)));
            for more in says.iter().filter(|said| !reaction.says.contains(said)) {
                let added = Change::OutcomeAdded((*more).clone());
                mutate(added, &|part| add(part, line, more));
            }
        }
    }
    all
}

/// Lets a line say one event more, with the marks that the event has elsewhere.
fn add(part: &mut Part, line: usize, event: &str) {
    type Marks = fn(&mut Reaction) -> &mut Vec<String>;
    let marks: [Marks; 5] = [
        |reaction| &mut reaction.refuses,
        |reaction| &mut reaction.completes,
        |reaction| &mut reaction.aborts,
        |reaction| &mut reaction.pivots,
        |reaction| &mut reaction.informs,
    ];
    for marked in marks {
        if part.reactions.iter_mut().any(|reaction| marked(reaction).iter().any(|other| other == event)) {
            marked(&mut part.reactions[line]).push(event.to_owned());
        }
    }
    part.reactions[line].says.push(event.to_owned());
}

/// Lines without which the lint finds nothing, and who notices instead.
const BY_OTHERS: [(&str, &str); 11] = [
    ("order, on `OrderRequested`", "nobody needs to: orders come by the other door. Tests of the topic notice"),
    ("order, on `POST /orders`", "nobody needs to: orders come by the other door. Tests of the API notice"),
    ("order, on `ShipmentRejected`", "the model checker: a mixed order waits for its parcel for ever"),
    ("order, on `EntitlementRejected`", "the model checker: a mixed order waits for its unlock for ever"),
    ("account, on `UserErased`", ERASURES),
    ("payment, on `UserErased`", ERASURES),
    ("shipping, on `UserErased`", ERASURES),
    ("notification, on `OrderCompleted`", "the model checker: the buyer gets no mail"),
    ("notification, on `OrderCancelled`", "the model checker: the buyer gets no mail"),
    ("notification, on `OrderRejected`", "the model checker: the buyer gets no mail"),
    ("notification, on `UserErased`", ERASURES),
];
const ERASURES: &str = "the search for what is left of an erased user, in the tests of erasures";

/// Outcomes of the order service that make another choreography, as sound as this one: an order that is decided when it is
/// placed, one that ends under another name, a cancellation that goes by the name of a time-out. It has no step, so that the lint
/// cannot know what they ought to be. Its decisions never say them: a table that lists too much does no harm at run time.
const SOUND: [(&str, &[&str]); 15] = [
    ("order, on `OrderRequested`", &["OrderCancelRequested", "OrderCancelled", "OrderCompleted", "OrderTimedOut"]),
    ("order, on `POST /orders`", &["OrderCancelRequested", "OrderCancelled", "OrderCompleted", "OrderTimedOut"]),
    ("order, on `POST /orders/{id}/cancel`", &["OrderCreated", "OrderTimedOut", "UserErased"]),
    ("order, on `POST /users/{id}/erase`", &["OrderCancelRequested", "OrderTimedOut"]),
    ("order, on `deadline passed`", &["OrderCancelRequested", "UserErased"]),
    ("order, on `BalanceRejected`", &["OrderCompleted", "OrderRejected"]),
    ("order, on `BalanceReleased`", &["OrderRejected"]),
    ("order, on `BalanceRefunded`", &["OrderRejected"]),
    ("order, on `ShipmentRejected`", &["OrderRejected"]),
    ("order, on `EntitlementRejected`", &["OrderRejected"]),
    ("order, on `ShipmentCancelled`", &["OrderRejected"]),
    ("order, on `EntitlementRevoked`", &["OrderRejected"]),
    ("account, on `UserErased`", &["BalanceDebited"]),
    ("shipping, on `UserErased`", &["ShipmentArranged"]),
    ("notification, on `UserErased`", &["NotificationSent"]),
];

/// Each mutant, and the code of the most basic finding.
fn linted() -> Vec<(Mutant, Option<Code>)> {
    let mutants = mutants();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let first = |mutant: &Mutant| Lint::of(mutant.parts.clone()).findings().first().map(|finding| finding.code);
    // Interleaved, because mutants that take long lie together.
    let share = |place: usize| mutants.iter().skip(place).step_by(threads).map(first).collect::<Vec<_>>();
    let mut codes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|place| scope.spawn(move || share(place).into_iter())).collect();
        running.into_iter().map(|thread| thread.join().expect("linted")).collect()
    });
    let codes: Vec<Option<Code>> =
        (0..mutants.len()).map(|place| codes[place % threads].next().expect("one each")).collect();
    mutants.into_iter().zip(codes).collect()
}

/// The table in docs/LINT.md.
pub(crate) fn table() -> String {
    let mut by_code: BTreeMap<Code, [usize; 2]> = BTreeMap::new();
    let (mut lines, mut unnoticed, mut outcomes, mut in_vain) = (0, Vec::new(), 0, Vec::new());
    for (Mutant { change, place, .. }, first) in linted() {
        let column = usize::from(change != Change::LineTakenAway);
        *[&mut lines, &mut outcomes][column] += 1;
        match (first, change) {
            (Some(code), _) => by_code.entry(code).or_default()[column] += 1,
            (None, Change::LineTakenAway) => unnoticed.push(place),
            (None, Change::OutcomeAdded(added)) => {
                in_vain.push((place, added));
            }
        }
    }
    let others: Vec<&str> = BY_OTHERS.iter().map(|(place, _)| *place).collect();
    assert_eq!(unnoticed, others, "lines that can be taken away without a finding");
    let sound =
        SOUND.iter().flat_map(|(place, added)| added.iter().map(|added| ((*place).to_owned(), (*added).to_owned())));
    assert_eq!(in_vain, sound.collect::<Vec<_>>(), "outcomes that can be added without a finding");

    let mut text = String::from("| noticed by | lines taken away | outcomes added |\n|---|---|---|\n");
    for (code, [gone, added]) in &by_code {
        text.push_str(&format!("| {code} {} | {gone} | {added} |\n", code.name()));
    }
    let by_model = BY_OTHERS.iter().filter(|(_, who)| who.starts_with("the model checker")).count();
    text.push_str(&format!("| the model checker only | {by_model} | – |\n"));
    text.push_str(&format!("| nobody, and it does no harm | {} | {} |\n", unnoticed.len() - by_model, in_vain.len()));
    text.push_str(&format!("| **all** | {lines} | {outcomes} |\n\n"));
    for (place, who) in BY_OTHERS {
        text.push_str(&format!("- {place}: {who}.\n"));
    }
    text
}
