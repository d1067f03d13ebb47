//! The same services on their real databases: what the model says has to happen there.

mod compare;
mod deeds;
mod play;
mod real;
mod simulate;
mod stage;

pub use play::{Parted, PlayError, Played};
pub use simulate::{Simulated, Simulation};

pub(crate) use real::{Real, real};
