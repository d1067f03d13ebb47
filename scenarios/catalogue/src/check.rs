//! Checks of a play.

/// An expectation, and how it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub what: String,
    pub failure: Option<String>,
}
