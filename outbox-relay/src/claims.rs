//! One database for each publisher.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Which database each publisher's events come from, for the relays of one process.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<BTreeMap<String, String>>);

impl Claims {
    /// Claims a publisher for a database, instead of what the database had claimed before. An error names the database
    /// that has it already.
    pub(crate) fn claim(&self, publisher: &str, database: &str) -> Result<(), String> {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match claims.get(publisher) {
            Some(other) if other != database => return Err(other.clone()),
            _ => {}
        }
        claims.retain(|_, claimed_by| claimed_by != database);
        claims.insert(publisher.to_owned(), database.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_has_one_database() {
        let claims = Claims::default();
        assert_eq!(claims.claim("order", "orders"), Ok(()));
        assert_eq!(claims.claim("order", "orders"), Ok(()));
        assert_eq!(claims.claim("order", "copy"), Err("orders".to_owned()));
        assert_eq!(claims.claim("account", "orders"), Ok(()), "it has been declared anew");
        assert_eq!(claims.claim("order", "copy"), Ok(()));
    }
}
