//! The same services on their real databases: what the model says has to happen there.

mod play;
mod real;
mod stage;

pub use play::{Parted, PlayError, Played};

pub(crate) use real::{Real, real};
