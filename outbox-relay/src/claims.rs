//! The publishers that the databases of one process claim.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The publisher that each database claims, for the relays of one process.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<BTreeMap<String, String>>);

impl Claims {
    /// Claims a publisher for a database, in place of its previous claim. An error names another database that claims the same
    /// one: it cannot be known which of them is right, so the first one has no better claim.
    pub(crate) fn claim(&self, publisher: &str, database: &str) -> Result<(), String> {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.insert(database.to_owned(), publisher.to_owned());
        match claims.iter().find(|(other, claimed)| *claimed == publisher && *other != database) {
            Some((other, _)) => Err(other.clone()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_that_two_databases_claim_is_neithers() {
        let claims = Claims::default();
        assert_eq!(claims.claim("order", "orders"), Ok(()));
        assert_eq!(claims.claim("order", "orders"), Ok(()));
        assert_eq!(claims.claim("order", "copy"), Err("orders".to_owned()));
        assert_eq!(claims.claim("order", "orders"), Err("copy".to_owned()), "it was first, and may be the copy");
        assert_eq!(claims.claim("account", "copy"), Ok(()), "it has been declared anew");
        assert_eq!(claims.claim("order", "orders"), Ok(()));
    }
}
