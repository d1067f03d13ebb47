//! Rows of any service, compared and hashed.

use std::{
    any::Any,
    hash::{Hash, Hasher},
    rc::Rc,
};

/// Rows of some service.
pub(crate) trait Rows: Any {
    fn is(&self, other: &dyn Rows) -> bool;

    fn feed(&self, hasher: &mut dyn Hasher);

    fn any(&self) -> &dyn Any;
}

impl<T: Eq + Hash + 'static> Rows for T {
    fn is(&self, other: &dyn Rows) -> bool {
        other.any().downcast_ref::<T>() == Some(self)
    }

    fn feed(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// Rows that several states share.
#[derive(Clone)]
pub(crate) struct Shared(Rc<dyn Rows>);

impl Shared {
    pub(crate) fn new(rows: impl Eq + Hash + 'static) -> Self {
        Shared(Rc::new(rows))
    }

    /// The rows, with their type; `None` if they are another service's.
    pub(crate) fn typed<T: 'static>(&self) -> Option<&T> {
        (*self.0).any().downcast_ref()
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.0.is(&*other.0)
    }
}

impl Eq for Shared {}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.feed(state);
    }
}
