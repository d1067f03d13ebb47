//! The orders that buyers want, and their payment.

pub(crate) use simulation::wish::{Pay, Wish};
