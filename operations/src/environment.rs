//! Addresses of the running system that every command works on, whether we started it or not.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use personal_data::{PERSONAL_KEYRING, PERSONAL_KEYS_URL};
use saga::outbox::{Prefix, kafka::Cluster, sasl::Sasl};
use secrecy::{ExposeSecret, SecretString};
use transport::{Settings, Transport};

use crate::{Database, Manifest, SYSTEM_MANIFEST, credentials::Credentials, order_ids};

/// Variable with the key that encrypts payment method details.
pub const PAYMENT_DETAILS_KEY: &str = "PAYMENT_DETAILS_KEY";

/// Variable with the base URL of the payment gateway's settings, if they have a listener of their own.
const GATEWAY_OPS_URL: &str = "GATEWAY_OPS_URL";

/// Variable with the base URL of the order service's operations.
const ORDER_OPS_URL: &str = "ORDER_OPS_URL";

/// Variable with the base URLs of services beside the shop's, separated by commas.
pub const PROGRAM_URLS: &str = "PROGRAM_URLS";

/// Variable with what precedes the names of all topics and groups on the broker.
pub const KAFKA_PREFIX: &str = "KAFKA_PREFIX";

/// Variables of the audit log.
pub const AUDIT_VARIABLES: [&str; 4] = [
    audit_log::AUDIT_DATABASE_URL,
    audit_log::AUDIT_READER_URL,
    audit_log::AUDIT_SIGNING_KEY_FILE,
    audit_log::AUDIT_PUBLIC_KEYS_FILE,
];

/// Addresses and keys of a running system.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The programs and databases of the system.
    pub manifest: Arc<Manifest>,
    /// Kafka, and the way to reach it.
    pub brokers: Cluster,
    pub databases: BTreeMap<Database, SecretString>,
    /// Encryption and certificates of all links.
    pub transport: Transport,
    /// URLs of databases for a role that may change what operators change; those of `databases` where there is none.
    pub operators: BTreeMap<Database, SecretString>,
    pub order_api: Option<String>,
    pub gateway: Option<String>,
    /// Where the gateway's settings are, if they have a listener of their own.
    pub gateway_operations: Option<String>,
    /// Base URL of the payment service's operations, which add payment methods.
    pub payment: Option<String>,
    /// Base URL of the order service's operations, which erase users.
    pub order_operations: Option<String>,
    /// Only where the payment service does not add them itself.
    pub payment_details_key: Option<SecretString>,
    /// Local directory with the mails that are not sent to a server, if there is one.
    pub mail_dir: Option<PathBuf>,
    pub mail_api: Option<String>,
    /// Base URLs at which services beside the shop's serve their tables.
    pub further_programs: Vec<String>,
    /// The audit log: those of [`AUDIT_VARIABLES`] that are set, with their values.
    pub audit_log: Vec<(&'static str, SecretString)>,
    /// Keys that personal texts are sealed under, as an operator uses them.
    pub personal: personal_data::Settings,
    /// Tokens for requests, where the order service asks for them.
    pub credentials: Credentials,
}

impl Environment {
    /// The running system that `variable` (usually the process environment) names, or `None` if it names none.
    ///
    /// # Errors
    /// If only a part of the required variables is set; the error names the missing ones.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let manifest = match variable(SYSTEM_MANIFEST) {
            Some(file) => Manifest::with_file(Path::new(&file)).with_context(|| format!("{SYSTEM_MANIFEST} names"))?,
            None => Manifest::of_the_shop(),
        };
        let databases = manifest.databases().map(Database::variable);
        let needed: Vec<String> = std::iter::once("KAFKA_BROKERS".to_owned()).chain(databases).collect();
        let (present, missing): (Vec<_>, Vec<_>) = needed.into_iter().partition(|name| variable(name).is_some());
        if present.is_empty() {
            return Ok(None);
        }
        anyhow::ensure!(
            missing.is_empty(),
            "{} {} set, but {} missing: set all of them to use a system that runs, or none to have one started",
            present.join(", "),
            if present.len() == 1 { "is" } else { "are" },
            missing.join(", ") + if missing.len() == 1 { " is" } else { " are" },
        );
        let databases = manifest
            .databases()
            .filter_map(|database| Some((database, SecretString::from(variable(&database.variable())?))))
            .collect();
        let operators = manifest
            .databases()
            .filter_map(|database| Some((database, SecretString::from(variable(&database.operators_variable())?))))
            .collect();
        let further_programs = variable(PROGRAM_URLS).unwrap_or_default();
        let transport = Settings::from_variables(variable)?.open()?;
        let sasl = Sasl::from_variables(variable).map_err(anyhow::Error::msg)?;
        let prefix = prefix_in(&variable)?;
        for name in ["ORDER_API_URL", ORDER_OPS_URL, "GATEWAY_URL", GATEWAY_OPS_URL, "MAIL_API_URL", PROGRAM_URLS] {
            let urls = variable(name).unwrap_or_default();
            urls.split(',').filter(|url| !url.is_empty()).try_for_each(|url| transport.check_url(name, url))?;
        }
        Ok(Some(Self {
            manifest: Arc::new(manifest),
            brokers: Cluster::at(&variable("KAFKA_BROKERS").unwrap_or_default(), &transport)
                .with(sasl)
                .prefixed(prefix),
            transport,
            databases,
            operators,
            order_api: variable("ORDER_API_URL"),
            gateway: variable("GATEWAY_URL"),
            gateway_operations: variable(GATEWAY_OPS_URL),
            payment: variable("PAYMENT_URL").map(|url| url.trim_end_matches('/').to_owned()),
            order_operations: variable(ORDER_OPS_URL).map(|url| url.trim_end_matches('/').to_owned()),
            payment_details_key: variable(PAYMENT_DETAILS_KEY).map(SecretString::from),
            mail_dir: variable("MAIL_DIR").map(PathBuf::from),
            mail_api: variable("MAIL_API_URL").map(|url| url.trim_end_matches('/').to_owned()),
            further_programs: further_programs.split(',').filter(|url| !url.is_empty()).map(str::to_owned).collect(),
            audit_log: AUDIT_VARIABLES.iter().filter_map(|name| Some((*name, variable(name)?.into()))).collect(),
            personal: personal_data::Settings::from_variables(variable),
            credentials: Credentials::from_variables(variable)?,
        }))
    }

    /// The system that the process's environment names, see [`from_variables`](Self::from_variables).
    pub fn from_process() -> anyhow::Result<Option<Self>> {
        order_ids::checked()?;
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The URL of a database, `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// Never for an environment that we made; returning a result spares callers a panic.
    pub fn database(&self, database: Database) -> anyhow::Result<&SecretString> {
        self.databases.get(&database).with_context(|| format!("{} is not set", database.variable()))
    }

    /// The URL of a database for an operator, who changes more than an auditor, and less than a service.
    ///
    /// # Errors
    /// As for [`database`](Self::database).
    pub fn operators_database(&self, database: Database) -> anyhow::Result<&SecretString> {
        self.operators.get(&database).map_or_else(|| self.database(database), Ok)
    }

    /// The order API's base URL.
    pub fn order_api(&self) -> anyhow::Result<&str> {
        self.order_api.as_deref().context("ORDER_API_URL is not set: where does the order service answer HTTP?")
    }

    /// The base URL of the order service's operations.
    pub fn order_operations(&self) -> anyhow::Result<&str> {
        self.order_operations
            .as_deref()
            .context("ORDER_OPS_URL is not set: where does the order service serve its operations?")
    }

    /// The payment gateway's base URL.
    pub fn gateway(&self) -> anyhow::Result<&str> {
        self.gateway.as_deref().context("GATEWAY_URL is not set: where does the payment gateway answer HTTP?")
    }

    /// The base URL of the payment gateway's settings.
    pub fn gateway_operations(&self) -> anyhow::Result<&str> {
        self.gateway_operations.as_deref().map_or_else(|| self.gateway(), Ok)
    }

    /// The key that encrypts payment method details: 32 bytes in base64.
    pub fn payment_details_key(&self) -> anyhow::Result<&SecretString> {
        let key = self.payment_details_key.as_ref();
        key.context(
            "PAYMENT_URL is not set: where does the payment service serve its operations? It encrypts the details of cards",
        )
    }

    /// Local directory with the mails that are not sent to a server, if there is one.
    pub fn mail_dir(&self) -> Option<&Path> {
        self.mail_dir.as_deref()
    }

    /// The base URL of Mailpit's API, if mails are sent to a Mailpit.
    pub fn mail_api(&self) -> Option<&str> {
        self.mail_api.as_deref()
    }

    /// The environment as variables (name, value) that [`from_variables`](Self::from_variables) can read.
    pub fn variables(&self) -> Vec<(String, String)> {
        let databases = self.databases.iter();
        let databases = databases.map(|(database, url)| (database.variable(), url.expose_secret().to_owned()));
        let operators = self.operators.iter();
        let operators =
            operators.map(|(database, url)| (database.operators_variable(), url.expose_secret().to_owned()));
        let optional = [
            ("ORDER_API_URL", self.order_api.clone()),
            ("GATEWAY_URL", self.gateway.clone()),
            (GATEWAY_OPS_URL, self.gateway_operations.clone()),
            ("PAYMENT_URL", self.payment.clone()),
            (ORDER_OPS_URL, self.order_operations.clone()),
            (PAYMENT_DETAILS_KEY, self.payment_details_key.as_ref().map(|key| key.expose_secret().to_owned())),
            ("MAIL_DIR", self.mail_dir.as_ref().map(|path| path.display().to_string())),
            ("MAIL_API_URL", self.mail_api.clone()),
            (PERSONAL_KEYS_URL, self.personal.personal_keys_url.clone()),
            (PERSONAL_KEYRING, self.personal.personal_keyring.as_ref().map(|path| path.display().to_string())),
            (SYSTEM_MANIFEST, self.manifest.file().map(|file| file.display().to_string())),
            (PROGRAM_URLS, Some(self.further_programs.join(",")).filter(|urls| !urls.is_empty())),
            (KAFKA_PREFIX, Some(self.brokers.prefix().to_string()).filter(|prefix| !prefix.is_empty())),
        ];
        std::iter::once(("KAFKA_BROKERS".to_owned(), self.brokers.brokers()))
            .chain(databases)
            .chain(operators)
            .chain(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))))
            .chain(self.audit_log.iter().map(|(name, value)| ((*name).to_owned(), value.expose_secret().to_owned())))
            .chain(self.credentials.variables().into_iter().map(|(name, value)| (name.to_owned(), value)))
            .collect()
    }
}

/// The transport that the process's environment names: `SECURITY` and `TLS_DIR`.
///
/// # Errors
/// Settings or files that allow too little.
pub fn transport_of_the_process() -> anyhow::Result<Transport> {
    Ok(Settings::from_variables(|name| std::env::var(name).ok())?.open()?)
}

/// The brokers at these addresses, reached as the process's environment says: over its transport, with its credentials.
///
/// # Errors
/// Settings or files that allow too little, or cannot be used.
pub fn cluster_of_the_process(brokers: &str) -> anyhow::Result<Cluster> {
    let sasl = Sasl::of_process().map_err(anyhow::Error::msg)?;
    Ok(Cluster::at(brokers, &transport_of_the_process()?).with(sasl).prefixed(prefix_of_the_process()?))
}

/// What precedes the names of the system's topics and groups on the broker, as the process's environment says.
///
/// # Errors
/// If it is none.
pub fn prefix_of_the_process() -> anyhow::Result<Prefix> {
    prefix_in(&|name| std::env::var(name).ok())
}

fn prefix_in(variable: &impl Fn(&str) -> Option<String>) -> anyhow::Result<Prefix> {
    variable(KAFKA_PREFIX).unwrap_or_default().parse().map_err(anyhow::Error::msg).context(KAFKA_PREFIX)
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
