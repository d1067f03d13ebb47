//! Which databases to serve, and which publisher each belongs to.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use sqlx::postgres::PgConnectOptions;
use transport::Transport;

/// `DATABASE_URL_ORDERS` names the database `orders`.
const PREFIX: &str = "DATABASE_URL_";

/// An argument with a password in it. It is taken as it is: an error of the command line's parser would print it.
#[derive(Clone)]
pub(crate) struct Given(String);

impl From<String> for Given {
    fn from(text: String) -> Self {
        Given(text)
    }
}

impl Given {
    /// As the address of a database.
    pub(crate) fn url(&self, transport: &Transport) -> anyhow::Result<PgConnectOptions> {
        Ok(transport.postgres("DATABASE_URL", &self.0)?)
    }

    /// As `NAME=URL`.
    fn named(&self, transport: &Transport) -> anyhow::Result<(String, PgConnectOptions)> {
        let named = self.0.split_once('=').filter(|(name, _)| !name.is_empty() && !name.contains("://"));
        let (name, url) = named.context("--database is given as NAME=URL")?;
        let options = transport.postgres(&format!("--database {name}=…"), url)?;
        Ok((name.to_lowercase(), options))
    }
}

/// What the environment and the command line name together; the command line wins.
pub(crate) fn all(
    environment: impl Iterator<Item = (String, String)>,
    given: &[Given],
    transport: &Transport,
) -> anyhow::Result<BTreeMap<String, PgConnectOptions>> {
    let mut databases = BTreeMap::new();
    for (variable, url) in environment {
        if let Some(name) = variable.strip_prefix(PREFIX).filter(|name| !name.is_empty()) {
            databases.insert(name.to_lowercase(), transport.postgres(&variable, &url)?);
        }
    }
    for given in given {
        let (name, options) = given.named(transport)?;
        databases.insert(name, options);
    }
    if databases.is_empty() {
        bail!("no database to serve: set {PREFIX}ORDERS=postgres://… and so on, or use --database NAME=URL");
    }
    Ok(databases)
}

/// `NAME=PUBLISHER`: the publisher that the database NAME belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    database: String,
    publisher: String,
}

impl std::str::FromStr for Binding {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('=').map(|(database, publisher)| (database.trim(), publisher.trim()));
        let parts = parts.filter(|(database, publisher)| !database.is_empty() && !publisher.is_empty());
        let (database, publisher) = parts.context("a binding is given as NAME=PUBLISHER")?;
        Ok(Binding { database: database.to_lowercase(), publisher: publisher.to_owned() })
    }
}

/// The publisher of one database; None if no binding is given, so that each database declares its own.
///
/// # Errors
/// If there are bindings for others, but none for this one: it would be the only unprotected database.
pub(crate) fn publisher_of(bindings: &[Binding], database: &str) -> anyhow::Result<Option<String>> {
    let bound = bindings.iter().find(|binding| binding.database == database);
    ensure!(
        bound.is_some() || bindings.is_empty(),
        "RELAY_PUBLISHERS does not say which publisher the database {database} belongs to"
    );
    Ok(bound.map(|binding| binding.publisher.clone()))
}

/// Refuses contradictions: two publishers for a database, or a publisher for two databases.
pub(crate) fn check(bindings: &[Binding]) -> anyhow::Result<()> {
    for (place, Binding { database, publisher }) in bindings.iter().enumerate() {
        for other in &bindings[..place] {
            ensure!(other.database != *database, "RELAY_PUBLISHERS names the database {database} twice");
            ensure!(
                other.publisher != *publisher,
                "RELAY_PUBLISHERS gives the publisher {publisher} to two databases, {} and {database}",
                other.database
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>().into_iter()
    }

    fn read(
        environment: impl Iterator<Item = (String, String)>,
        given: &[Given],
    ) -> anyhow::Result<BTreeMap<String, PgConnectOptions>> {
        all(environment, given, &Transport::plain())
    }

    fn given(text: &str) -> Given {
        Given(text.to_owned())
    }

    fn bindings(text: &str) -> Vec<Binding> {
        text.split(',').map(|binding| binding.parse().unwrap()).collect()
    }

    #[test]
    fn every_variable_with_the_prefix_is_a_database() {
        let variables = [("DATABASE_URL_ORDERS", "postgres://o@h/orders"), ("DATABASE_URL", "x"), ("HOME", "/")];
        let all = read(environment(&variables), &[]).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["orders"]);
        assert_eq!(all["orders"].get_database(), Some("orders"));
    }

    #[test]
    fn the_command_line_wins() {
        let given = [given("orders=postgres://o@h/other")];
        let all = read(environment(&[("DATABASE_URL_ORDERS", "postgres://o@h/orders")]), &given).unwrap();
        assert_eq!(all["orders"].get_database(), Some("other"));
    }

    #[test]
    fn no_database_and_a_malformed_one_are_told_apart() {
        let none = read(environment(&[]), &[]).unwrap_err();
        assert!(format!("{none:#}").contains("no database to serve"), "{none:#}");
        let malformed = read(environment(&[("DATABASE_URL_ORDERS", "orders")]), &[]).unwrap_err();
        assert!(
            format!("{malformed:#}").starts_with("DATABASE_URL_ORDERS: the database's URL is not of the form"),
            "{malformed:#}"
        );
    }

    #[test]
    fn no_error_repeats_a_password() {
        for text in ["orders=postgres://o:secret@h:port/orders", "postgres://o:secret@h/orders?a=b", "secret"] {
            let error = read(environment(&[]), &[given(text)]).unwrap_err();
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
    }

    #[test]
    fn a_database_has_one_publisher_and_a_publisher_one_database() {
        check(&bindings("orders=order,accounts=account")).unwrap();
        assert!(check(&bindings("orders=order,copy=order")).is_err());
        assert!(check(&bindings("orders=order,Orders=account")).is_err());
    }

    #[test]
    fn all_databases_are_bound_or_none_is() {
        let bound = bindings("orders=order");
        assert_eq!(publisher_of(&bound, "orders").unwrap().as_deref(), Some("order"));
        assert!(publisher_of(&bound, "accounts").is_err());
        assert_eq!(publisher_of(&[], "accounts").unwrap(), None);
        assert!("orders".parse::<Binding>().is_err() && "orders=".parse::<Binding>().is_err());
    }
}
