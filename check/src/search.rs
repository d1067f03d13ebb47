//! Breadth-first search through all states.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt,
    rc::Rc,
};

use crate::{
    Check,
    laws::{self, DECIDED},
    world::{View, World},
};

/// Extent and result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Number of different states.
    pub states: usize,
    /// Number of steps between them.
    pub steps: usize,
    /// How the sagas of each state at rest have ended, by the types of their last events; and in how many such states.
    pub endings: BTreeMap<Vec<&'static str>, usize>,
    /// The first broken law, if any.
    pub broken: Option<Broken>,
    /// True if all states were searched: the search neither met its bound nor a broken law.
    pub is_complete: bool,
}

/// A broken law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Name of the law.
    pub law: &'static str,
    /// How it is broken.
    pub how: String,
    /// A shortest run to it, a line for each step.
    pub story: Vec<String>,
}

impl Report {
    /// Asserts that every law holds in every state, all of which were searched.
    ///
    /// # Panics
    /// Otherwise, with the run that breaks the law.
    #[track_caller]
    pub fn assert_holds(&self) {
        if let Some(broken) = &self.broken {
            panic!("{broken}");
        }
        assert!(self.is_complete, "only {} states were searched: raise the bound, or check fewer sagas", self.states);
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "broken: {} ({})", self.law, self.how)?;
        self.story.iter().try_for_each(|step| writeln!(f, "    {step}"))
    }
}

pub(crate) fn explore(check: &Check, most: usize) -> Report {
    let mut search = Search {
        check,
        seen: HashSet::new(),
        reached: Vec::new(),
        next: VecDeque::new(),
        report: Report { states: 0, steps: 0, endings: BTreeMap::new(), broken: None, is_complete: true },
    };
    search.meet(World::first(&check.first), None);
    while let Some((number, world)) = search.next.pop_front() {
        if search.report.broken.is_some() {
            break;
        }
        if search.seen.len() > most {
            search.report.is_complete = false;
            break;
        }
        for step in check.steps(&world) {
            search.report.steps += 1;
            let (told, after) = check.take(&world, step);
            match after {
                Ok(after) => search.meet(after, Some((number, told))),
                Err(how) => search.note(DECIDED, how, Some((number, told))),
            }
        }
    }
    search.report.states = search.seen.len();
    search.report.is_complete &= search.report.broken.is_none();
    search.report
}

struct Search<'a> {
    check: &'a Check,
    seen: HashSet<Rc<World>>,
    /// How each state was reached: from which, and by what.
    reached: Vec<Option<(usize, String)>>,
    next: VecDeque<(usize, Rc<World>)>,
    report: Report,
}

impl Search<'_> {
    /// Checks a state that is new, and notes it to go on from.
    fn meet(&mut self, world: World, by: Option<(usize, String)>) {
        if self.seen.contains(&world) {
            return;
        }
        let view = View { check: self.check, world: &world };
        let is_at_rest = self.check.is_at_rest(&world);
        if let Some((law, how)) = laws::broken(self.check, &view, is_at_rest) {
            return self.note(law, how, by);
        }
        if is_at_rest {
            let mut ends: Vec<&'static str> =
                view.said().filter(|event| event.end.is_some()).map(|event| event.event_type).collect();
            ends.sort_unstable();
            *self.report.endings.entry(ends).or_default() += 1;
        }
        let world = Rc::new(world);
        self.seen.insert(world.clone());
        self.reached.push(by);
        self.next.push_back((self.reached.len() - 1, world));
    }

    fn note(&mut self, law: &'static str, how: String, by: Option<(usize, String)>) {
        if self.report.broken.is_some() {
            return;
        }
        let mut story = Vec::new();
        let mut at = by.as_ref();
        while let Some((before, told)) = at {
            story.push(told.clone());
            at = self.reached[*before].as_ref();
        }
        story.reverse();
        self.report.broken = Some(Broken { law, how, story });
    }
}
