//! The person who runs a command.

/// Proof of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A certificate that was verified.
    Certificate,
    /// A token whose signature was verified.
    Token,
    /// Nothing but a claim, such as the variable USER.
    Unverified,
}

/// A person who runs a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub name: String,
    pub known: Known,
}

impl Operator {
    /// The user that the process's environment names.
    pub fn of_the_process() -> Self {
        Self::claiming(&std::env::var("USER").unwrap_or_default())
    }

    /// Somebody who gives this name, without proof.
    pub fn claiming(name: &str) -> Self {
        let name = if name.trim().is_empty() { "unknown" } else { name };
        Operator { name: name.to_owned(), known: Known::Unverified }
    }
}
