//! Mutants of the shop's choreography: each line taken away, and each outcome added to each line.

use std::collections::BTreeMap;

use operations::choreography::Choreography;
use saga::choreography::{On, Part};
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
                mutate(added, &|part| part.reactions[line].says.push((*more).clone()));
            }
        }
    }
    all
}

/// Lines without which the lint finds nothing, and who notices instead.
const BY_OTHERS: [(&str, &str); 7] = [
    ("order, on `OrderRequested`", "nobody needs to: orders come by the other door. Tests of the topic notice"),
    ("order, on `POST /orders`", "nobody needs to: orders come by the other door. Tests of the API notice"),
    ("order, on `ShipmentRejected`", "the model checker: a mixed order waits for its parcel for ever"),
    ("order, on `EntitlementRejected`", "the model checker: a mixed order waits for its unlock for ever"),
    ("notification, on `OrderCompleted`", "the model checker: the buyer gets no mail"),
    ("notification, on `OrderCancelled`", "the model checker: the buyer gets no mail"),
    ("notification, on `OrderRejected`", "the model checker: the buyer gets no mail"),
];

/// Events that a line may list in vain: its decision never says them, and a table that lists too much does no harm at run
/// time. They have no mark and no phase, so that the lint cannot know that they are out of place.
const IN_VAIN: [&str; 3] = ["OrderCreated", "OrderCancelRequested", "OrderTimedOut"];

/// Each mutant, and the code of the most basic finding.
fn linted() -> Vec<(Mutant, Option<Code>)> {
    let mutants = mutants();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let first = |mutant: &Mutant| Lint::of(mutant.parts.clone()).findings().first().map(|finding| finding.code);
    // Every so many to each thread: some take longer than others, and they lie together.
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
    let (mut lines, mut unnoticed, mut outcomes, mut in_vain) = (0, Vec::new(), 0, 0);
    for (Mutant { change, place, .. }, first) in linted() {
        let column = usize::from(change != Change::LineTakenAway);
        *[&mut lines, &mut outcomes][column] += 1;
        match (first, change) {
            (Some(code), _) => by_code.entry(code).or_default()[column] += 1,
            (None, Change::LineTakenAway) => unnoticed.push(place),
            (None, Change::OutcomeAdded(added)) => {
                assert!(IN_VAIN.contains(&added.as_str()), "{place}: `{added}` is added, and the lint finds nothing");
                assert!(place.starts_with("order, "), "{place}");
                in_vain += 1;
            }
        }
    }
    let others: Vec<&str> = BY_OTHERS.iter().map(|(place, _)| *place).collect();
    assert_eq!(unnoticed, others, "lines that can be taken away without a finding");

    let mut text = String::from("| noticed by | lines taken away | outcomes added |\n|---|---|---|\n");
    for (code, [gone, added]) in &by_code {
        text.push_str(&format!("| {code} {} | {gone} | {added} |\n", code.name()));
    }
    let by_model = BY_OTHERS.iter().filter(|(_, who)| who.starts_with("the model checker")).count();
    text.push_str(&format!("| the model checker only | {by_model} | – |\n"));
    text.push_str(&format!("| nobody, and it does no harm | {} | {in_vain} |\n", unnoticed.len() - by_model));
    text.push_str(&format!("| **all** | {lines} | {outcomes} |\n\n"));
    for (place, who) in BY_OTHERS {
        text.push_str(&format!("- {place}: {who}.\n"));
    }
    text
}
