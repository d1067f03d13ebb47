//! What a search has found.

use std::{collections::BTreeMap, fmt};

use crate::schedule::Schedule;

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
    /// True if all states were searched, or one for all that differ in nothing that counts: the search neither met its bound
    /// nor a broken law.
    pub is_complete: bool,
    /// What the search has left out, if it was [`reduced`](crate::Check::reduced).
    pub reduced: Option<Reduced>,
}

/// Extent to which a search was reduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// Number of ways to rename the sagas under which everything is the same; 1 if no two are alike.
    pub renamings: usize,
    /// Inputs of different sagas whose order matters in a service that both come to, such as two that want the last piece:
    /// the service and the two inputs.
    pub dependent: Vec<(&'static str, String, String)>,
    /// Why something was not left out, a sentence each.
    pub not_used: Vec<String>,
}

/// A broken law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Name of the law.
    pub law: &'static str,
    /// How it is broken.
    pub how: String,
    /// A run to it, a line for each step. A shortest one, unless the search was reduced.
    pub story: Vec<String>,
    /// The same run, to be kept and played.
    pub schedule: Schedule,
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
