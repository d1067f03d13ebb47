//! Breadth-first search through all states, or through enough of them.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::{
    Check,
    bus::{Fault, Step},
    laws,
    offers::Offer,
    reduction::{Independence, Reduction, Symmetry},
    report::{Broken, Report},
    schedule,
    universe::Universe,
    world::World,
};

/// Origin of a state: the one before it, the step, and the renaming of its sagas under which it is stored.
#[derive(Debug, Clone, Copy)]
struct Reached {
    before: u32,
    step: Step,
    renamed: u16,
}

pub(crate) fn explore(check: &Check, most: usize) -> Result<Report, String> {
    let mut universe = Universe::new(check)?;
    let first = check.first_world(&mut universe);
    if !check.reduced {
        let mut search = Search::new(&mut universe, None, most);
        search.run(first);
        return Ok(search.end());
    }
    let mut symmetry = Symmetry::of(&mut universe);
    let mut independence = Independence::assumed(&universe);
    let mut seen = Vec::new();
    // Whatever they say of the first state: what they look at.
    let _broken = laws::broken(&universe, &first, false, &mut seen);
    independence.begin_with(&seen);
    loop {
        let reduction = Reduction { symmetry, independence };
        let mut search = Search::new(&mut universe, Some(reduction), most);
        search.run(first.clone());
        let is_bounded = !search.report.is_complete;
        let (report, reduction) = search.finish();
        let Some(mut reduction) = reduction else { return Ok(report) };
        // Without symmetry, a state may have been taken for one that is no state at all.
        let is_symmetric = reduction.symmetry.holds(&mut universe);
        // A law that is broken by a run is broken, whatever was assumed. What holds, holds if that does.
        let is_over = report.broken.is_some() || is_bounded;
        if is_symmetric && (is_over || reduction.independence.learn(&mut universe, &reduction.symmetry)) {
            return Ok(Report { reduced: Some(reduction.summary()), ..report });
        }
        symmetry = if is_symmetric { reduction.symmetry } else { Symmetry::none(&reduction.symmetry) };
        independence = reduction.independence.again();
    }
}

struct Search<'u, 'a> {
    universe: &'u mut Universe<'a>,
    reduction: Option<Reduction>,
    most: usize,
    /// All states, and how each was reached.
    states: IndexMap<World, Option<Reached>, FxBuildHasher>,
    /// Those to go on from.
    next: VecDeque<u32>,
    report: Report,
}

impl<'u, 'a> Search<'u, 'a> {
    fn new(universe: &'u mut Universe<'a>, reduction: Option<Reduction>, most: usize) -> Self {
        let report =
            Report { states: 0, steps: 0, endings: BTreeMap::new(), broken: None, is_complete: true, reduced: None };
        Search { universe, reduction, most, states: IndexMap::default(), next: VecDeque::new(), report }
    }

    fn run(&mut self, first: World) {
        self.meet(first, None);
        while let Some(number) = self.next.pop_front() {
            if self.report.broken.is_some() {
                return;
            }
            if self.states.len() > self.most {
                self.report.is_complete = false;
                return;
            }
            let (world, _) = self.states.get_index(number as usize).expect("a state that was met");
            let world = world.clone();
            let offers = self.universe.all_offers(&world);
            for Offer { step, .. } in self.chosen(&world, offers) {
                self.report.steps += 1;
                match self.universe.take(&world, step) {
                    Ok(after) => {
                        let (after, renamed) = self.renamed(after);
                        self.meet(after, Some(Reached { before: number, step, renamed }));
                    }
                    Err(fault) => self.note(fault, Some(Reached { before: number, step, renamed: 0 })),
                }
                if self.report.broken.is_some() {
                    return;
                }
            }
        }
    }

    fn chosen(&mut self, world: &World, offers: Rc<[Offer]>) -> Vec<Offer> {
        match &mut self.reduction {
            Some(reduction) => reduction.independence.chosen(self.universe, world, offers),
            None => offers.to_vec(),
        }
    }

    fn renamed(&mut self, world: World) -> (World, u16) {
        match &mut self.reduction {
            Some(reduction) => reduction.symmetry.canonical(self.universe, world),
            None => (world, 0),
        }
    }

    /// Checks a state that is new, and notes it to go on from.
    fn meet(&mut self, world: World, by: Option<Reached>) {
        if self.states.contains_key(&world) {
            return;
        }
        let is_at_rest = self.universe.is_at_rest(&world);
        let mut seen = Vec::new();
        let broken = laws::broken(self.universe, &world, is_at_rest, &mut seen);
        if let Some(reduction) = &mut self.reduction {
            reduction.independence.sees(&seen);
        }
        if let Some(fault) = broken {
            return self.note(fault, by);
        }
        if is_at_rest {
            let said = world.sagas().iter().flat_map(|saga| self.universe.between.get(*saga).said());
            let ends = said.map(|event| self.universe.event(event)).filter(|event| event.end.is_some());
            let mut ends: Vec<&'static str> = ends.map(|event| event.event_type).collect();
            ends.sort_unstable();
            *self.report.endings.entry(ends).or_default() += 1;
        }
        let (number, _) = self.states.insert_full(world, by);
        self.next.push_back(u32::try_from(number).expect("fewer states than a search can hold"));
    }

    fn note(&mut self, (law, how): Fault, by: Option<Reached>) {
        let steps = self.steps_to(by);
        let (story, schedule) = schedule::written(self.universe, &steps);
        self.report.broken = Some(Broken { law, how, story, schedule });
    }

    /// The steps to a state, under the names that its sagas have in the first one.
    fn steps_to(&mut self, by: Option<Reached>) -> Vec<Step> {
        let mut all = Vec::new();
        let mut at = by;
        while let Some(reached) = at {
            all.push(reached);
            at = self.states.get_index(reached.before as usize).and_then(|(_, before)| *before);
        }
        let mut names: Vec<usize> = (0..self.universe.sagas()).collect();
        let mut steps = Vec::new();
        for Reached { step, renamed, .. } in all.into_iter().rev() {
            steps.push(match &self.reduction {
                Some(reduction) => {
                    let step = reduction.symmetry.step_under(self.universe, &names, step);
                    names = reduction.symmetry.names_after(&names, renamed);
                    step
                }
                None => step,
            });
        }
        steps
    }

    fn end(mut self) -> Report {
        self.report.states = self.states.len();
        self.report.is_complete &= self.report.broken.is_none();
        self.report
    }

    fn finish(mut self) -> (Report, Option<Reduction>) {
        let reduction = self.reduction.take();
        (self.end(), reduction)
    }
}
