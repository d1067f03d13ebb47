//! Which databases to serve.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use sqlx::postgres::PgConnectOptions;

/// `DATABASE_URL_ORDERS` names the database `orders`.
const PREFIX: &str = "DATABASE_URL_";

/// A database given on the command line.
#[derive(Clone)]
pub(crate) struct Named {
    name: String,
    options: PgConnectOptions,
}

impl std::str::FromStr for Named {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, url) = text.split_once('=').context("a database is given as NAME=URL")?;
        Ok(Named { name: name.to_lowercase(), options: parse_url(url)? })
    }
}

/// The form of a database's address; the error does not repeat it, there may be a password in it.
pub(crate) fn parse_url(url: &str) -> anyhow::Result<PgConnectOptions> {
    url.parse().map_err(|error| anyhow::anyhow!("not of the form postgres://user:password@host:port/database: {error}"))
}

/// What the environment and the command line name together; the command line wins.
pub(crate) fn all(
    environment: impl Iterator<Item = (String, String)>,
    given: Vec<Named>,
) -> anyhow::Result<BTreeMap<String, PgConnectOptions>> {
    let mut databases = BTreeMap::new();
    for (variable, url) in environment {
        if let Some(name) = variable.strip_prefix(PREFIX).filter(|name| !name.is_empty()) {
            databases.insert(name.to_lowercase(), parse_url(&url).with_context(|| variable.clone())?);
        }
    }
    databases.extend(given.into_iter().map(|named| (named.name, named.options)));
    if databases.is_empty() {
        bail!("no database to serve: set {PREFIX}ORDERS=postgres://… and so on, or give --database NAME=URL");
    }
    Ok(databases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn every_variable_with_the_prefix_is_a_database() {
        let variables = [("DATABASE_URL_ORDERS", "postgres://o@h/orders"), ("DATABASE_URL", "x"), ("HOME", "/")];
        let all = all(environment(&variables), vec![]).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["orders"]);
        assert_eq!(all["orders"].get_database(), Some("orders"));
    }

    #[test]
    fn the_command_line_wins() {
        let given = vec!["orders=postgres://o@h/other".parse().unwrap()];
        let all = all(environment(&[("DATABASE_URL_ORDERS", "postgres://o@h/orders")]), given).unwrap();
        assert_eq!(all["orders"].get_database(), Some("other"));
    }

    #[test]
    fn no_database_and_a_malformed_one_are_told_apart() {
        let none = all(environment(&[]), vec![]).unwrap_err();
        assert!(format!("{none:#}").contains("no database to serve"), "{none:#}");
        let malformed = all(environment(&[("DATABASE_URL_ORDERS", "orders")]), vec![]).unwrap_err();
        assert!(format!("{malformed:#}").starts_with("DATABASE_URL_ORDERS: not of the form"), "{malformed:#}");
    }
}
