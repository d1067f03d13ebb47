//! Names on a broker that several systems share: a prefix for each system.
//!
//! Programs know their topics and groups by the names in their tables, such as `order.events`. On the broker, and only there, a
//! system's names have its prefix: [`RealName`] is such a name, and only a [`Prefix`] makes one.

use std::{fmt, str::FromStr};

/// Maximum length of a prefix.
pub const LONGEST_PREFIX: usize = 50;

/// What precedes every topic and group of a system on its broker; empty by default.
///
/// It ends with a `.`, which no service's name contains. So the names of two systems with different prefixes are never the
/// same, and neither are those of one without a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Prefix(String);

/// The name of a topic, a group or a principal as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealName(String);

impl RealName {
    /// The name, for the broker alone.
    pub fn real(&self) -> &str {
        &self.0
    }

    /// The name, for a client that lives as long as the process.
    pub fn into_static(self) -> &'static str {
        self.0.leak()
    }
}

impl fmt::Display for RealName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// The real name of a topic, a group or a principal.
    pub fn of(&self, name: &str) -> RealName {
        RealName(format!("{}{name}", self.0))
    }

    /// The name in the system's own tables; `None` if a real name is another system's.
    pub fn name_of<'a>(&self, real: &'a str) -> Option<&'a str> {
        real.strip_prefix(self.0.as_str())
    }

    /// The prefix as it is set.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let shown = || text.chars().take(LONGEST_PREFIX).collect::<String>().escape_debug().to_string();
        if text.is_empty() {
            return Ok(Prefix::default());
        }
        if text.len() > LONGEST_PREFIX || !text.bytes().all(is_legal) {
            return Err(format!(
                "`{}` is no prefix of topics: choose at most {LONGEST_PREFIX} of a-z, A-Z, 0-9, `.`, `_` and `-`",
                shown()
            ));
        }
        if !text.ends_with('.') || text.starts_with(['.', '_']) {
            return Err(format!(
                "`{}` is no prefix of topics: it ends with `.`, and starts with a letter, a digit or `-`",
                shown()
            ));
        }
        Ok(Prefix(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    #[test]
    fn real_names_have_the_prefix_and_others_are_nobodys() {
        let (none, staging, test) = (Prefix::default(), prefix("staging."), prefix("test."));
        assert_eq!(staging.of("order.events").real(), "staging.order.events");
        assert_eq!(none.of("order.events").real(), "order.events");
        assert_eq!(staging.name_of("staging.order.events"), Some("order.events"));
        assert_eq!((test.name_of("staging.order.events"), staging.name_of("order.events")), (None, None));
        assert_eq!(none.name_of("order.events"), Some("order.events"));
    }

    #[test]
    fn a_prefix_that_makes_no_topics_or_anothers_is_refused_with_what_to_choose() {
        let long = format!("{}.", "p".repeat(LONGEST_PREFIX));
        for bad in ["staging", "stag ing.", "stäging.", "staging/", ".", "..", "__consumer.", "_a.", &long, "a\n."] {
            let error = Prefix::from_str(bad).expect_err(bad);
            assert!(error.contains("is no prefix of topics: ") && !error.contains('\n'), "{error}");
        }
        for good in ["", "staging.", "a.b.", "-.", "Team-7_test."] {
            assert_eq!(prefix(good).as_str(), good);
        }
    }
}
