//! What is checked of a play.

/// Something that was expected, and how it was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub what: String,
    pub failure: Option<String>,
}
