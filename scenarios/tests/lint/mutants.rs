//! Mutants of the shop's choreography: each line taken away, each outcome taken away, each outcome added, each mark changed.

use operations::choreography::Choreography;
use saga::choreography::Part;
use saga_lint::{Code, Lint};

/// A change of a choreography, and its name.
pub(crate) struct Mutant {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) parts: Vec<Part>,
}

pub(crate) fn all() -> Vec<Mutant> {
    let shop = Choreography::of_the_shop().tables().to_vec();
    let mut all = Vec::new();
    for (service, part) in shop.iter().enumerate() {
        let mut said: Vec<&String> = part.reactions.iter().flat_map(|reaction| &reaction.says).collect();
        said.sort_unstable();
        said.dedup();
        for (place, reaction) in part.reactions.iter().enumerate() {
            let on = reaction.event().map_or_else(|| format!("{:?}", reaction.on), str::to_owned);
            let mut mutate = |kind, name: String, change: &dyn Fn(&mut Part)| {
                let mut parts = shop.clone();
                change(&mut parts[service]);
                all.push(Mutant { kind, name: format!("{} on {on}: {name}", part.service), parts });
            };
            mutate("line taken away", String::new(), &|part| drop(part.reactions.remove(place)));
            for more in said.iter().filter(|said| !reaction.says.contains(said)) {
                mutate("outcome added", (*more).clone(), &|part| part.reactions[place].says.push((*more).clone()));
            }
        }
    }
    all
}

#[test]
#[ignore]
fn score() {
    for mutant in all() {
        let codes: Vec<Code> = Lint::of(mutant.parts).findings().iter().map(|finding| finding.code).collect();
        println!("{} | {} | {codes:?}", mutant.kind, mutant.name);
    }
}
