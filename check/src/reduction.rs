//! Searching fewer states without missing a broken law.
//!
//! Two runs that differ only in the order of what is independent, or only in the names of sagas, break the same laws: one of
//! them is enough. Neither is taken for granted. Both are assumed while the search runs, and proved afterwards about everything
//! that came up in it: if two inputs turn out to depend on each other, or a service to tell sagas apart by their ids, the search
//! begins again without that assumption, until nothing that was assumed is wrong. Then nothing was missed: the first step of a
//! run that could show something else would be one of those that were proved.
//!
//! [`independence`] follows Valmari ("Stubborn sets for reduced state space generation", 1989) and Godefroid ("Partial-Order
//! Methods for the Verification of Concurrent Systems", 1996), [`symmetry`] Ip and Dill ("Better verification through symmetry",
//! 1996); that both go together, Emerson, Jha and Peled (1997).

mod independence;
mod kinds;
mod proof;
mod renaming;
mod symmetry;

pub(crate) use independence::Independence;
pub(crate) use symmetry::Symmetry;

use crate::report::Reduced;

/// What a search leaves out.
pub(crate) struct Reduction {
    pub(crate) symmetry: Symmetry,
    pub(crate) independence: Independence,
}

impl Reduction {
    pub(crate) fn summary(&self) -> Reduced {
        let not_used = self.symmetry.why_not().into_iter().chain(self.independence.why_not()).map(str::to_owned);
        Reduced {
            renamings: self.symmetry.renamings(),
            dependent: self.independence.dependent(),
            not_used: not_used.collect(),
        }
    }
}
