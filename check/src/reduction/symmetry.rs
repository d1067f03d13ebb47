//! Sagas that are alike: what holds for one holds for the other.

use std::collections::BTreeSet;

use super::renaming::Renaming;
use crate::{
    bus::{Step, What},
    universe::{Input, Universe},
    world::World,
};

/// Number of sagas up to which all ways to rename them are tried.
const MOST_SAGAS: usize = 5;

/// Ways to rename the sagas under which everything is the same.
pub(crate) struct Symmetry {
    /// The first leaves everything as it is.
    all: Vec<Renaming>,
    why_not: Option<&'static str>,
}

const ID: &str = "a service tells sagas apart by their ids: none stands for another";

impl Symmetry {
    /// The renamings that leave requests and occasions as they are.
    pub(crate) fn of(universe: &mut Universe<'_>) -> Self {
        let sagas = universe.sagas();
        if sagas > MOST_SAGAS {
            let why_not = Some("more than 5 sagas: none stands for another");
            return Symmetry { all: vec![Renaming::of(universe, (0..sagas).collect()).unwrap_or_default()], why_not };
        }
        let all = permutations(sagas).into_iter().filter_map(|sagas| Renaming::of(universe, sagas)).collect();
        Symmetry { all, why_not: None }
    }

    /// Without what turned out not to hold.
    pub(crate) fn none(former: &Symmetry) -> Self {
        let identity = former.all[0].again();
        Symmetry { all: vec![identity], why_not: Some(former.why_not.unwrap_or(ID)) }
    }

    pub(crate) fn renamings(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn why_not(&self) -> Option<&'static str> {
        self.why_not
    }

    /// The same state under those names that make its numbers smallest, and the place of that renaming.
    pub(crate) fn canonical(&mut self, universe: &mut Universe<'_>, world: World) -> (World, u16) {
        let mut best = (world.clone(), 0);
        for (place, renaming) in self.all.iter_mut().enumerate().skip(1) {
            match renaming.world(universe, &world) {
                Some(renamed) if renamed < best.0 => best = (renamed, u16::try_from(place).expect("few renamings")),
                Some(_) => {}
                None => self.why_not = Some(ID),
            }
        }
        best
    }

    /// A step of a state, under the names that its sagas have at first: `names` has them by place.
    pub(crate) fn step_under(&self, universe: &mut Universe<'_>, names: &[usize], step: Step) -> Step {
        let renaming = self.all.iter().find(|renaming| renaming.sagas == names);
        let Some(renaming) = renaming else { return step };
        let what = match step.what {
            What::Request(request) => What::Request(renaming.requests[request]),
            What::Occasion(occasion) => What::Occasion(renaming.occasions[step.service][occasion]),
            What::Answer { call, answer } => What::Answer { call: renaming.call(universe, call), answer },
            same @ (What::Event { .. } | What::Again { .. } | What::Park { .. } | What::Retry) => same,
        };
        Step { saga: renaming.sagas[step.saga], what, ..step }
    }

    /// The names that sagas have at first, by place in a state that was renamed once more.
    pub(crate) fn names_after(&self, names: &[usize], renamed: u16) -> Vec<usize> {
        let mut after = names.to_vec();
        let renaming = self.all.get(usize::from(renamed));
        for (saga, place) in renaming.map_or(&[][..], |renaming| &renaming.sagas).iter().enumerate() {
            after[*place] = names[saga];
        }
        after
    }

    /// Inputs of a service under all names.
    pub(crate) fn all_names(&self, universe: &mut Universe<'_>, service: usize, inputs: &[Input]) -> BTreeSet<Input> {
        let mut all = BTreeSet::new();
        for renaming in &self.all {
            all.extend(inputs.iter().map(|input| renaming.input(universe, service, *input)));
        }
        all
    }

    /// Proves about all decisions of a search that renaming sagas renames what is decided, and changes nothing else.
    pub(crate) fn holds(&mut self, universe: &mut Universe<'_>) -> bool {
        if self.why_not.is_some() {
            return self.all.len() == 1;
        }
        let decided = universe.decisions();
        let calls: Vec<u32> = (0..universe.calls.len()).filter_map(|call| u32::try_from(call).ok()).collect();
        for renaming in self.all.iter_mut().skip(1) {
            let mut alike =
                |(service, rows, input)| renaming.decides_alike(universe, service, rows, input) == Some(true);
            let mut holds = decided.iter().copied().all(&mut alike);
            holds &= calls.iter().all(|call| renaming.answers_alike(universe, *call));
            if !holds {
                self.why_not = Some(ID);
                return false;
            }
        }
        true
    }
}

/// All orders of the numbers below `count`, beginning with the natural one.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let longer = all.into_iter().flat_map(|begin: Vec<usize>| {
            let rest: Vec<usize> = (0..count).filter(|number| !begin.contains(number)).collect();
            rest.into_iter().map(move |number| begin.iter().copied().chain([number]).collect())
        });
        all = longer.collect();
    }
    all
}
