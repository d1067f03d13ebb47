//! A card's fingerprint, which the books keep in place of its token.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The SHA-256 of a token. It tells cards apart; a token, which is long and random at a real provider, cannot be found from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of the card behind a token.
    pub fn of(token: &str) -> Self {
        let hash = Sha256::new().chain_update("card token\0").chain_update(token).finalize();
        Fingerprint(hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string never fails");
            text
        }))
    }

    /// Returns whether this is the card behind `token`.
    pub fn is(&self, token: &str) -> bool {
        *self == Fingerprint::of(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_one_token_and_does_not_contain_it() {
        let visa = Fingerprint::of("tok_visa");
        assert!(visa.is("tok_visa") && !visa.is("tok_declined"));
        let text = serde_json::to_string(&visa).expect("JSON");
        assert!(text.starts_with("\"sha256:") && text.len() == 73 && !text.contains("visa"), "{text}");
    }
}
