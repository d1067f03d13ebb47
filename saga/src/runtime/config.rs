//! Settings of a service, from its environment or its command line.

use std::ffi::OsString;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};
pub use outbox::kafka::{Cluster, Kafka};
pub use process::config::{Database, Http};
use secrecy::SecretString;
pub use transport::Settings as Security;

/// Settings that every service needs. A service flattens them into its own arguments.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The service's own database.
    #[command(flatten)]
    pub database: Database,
    /// Kafka.
    #[command(flatten)]
    pub kafka: Kafka,
    /// HTTP servers.
    #[command(flatten)]
    pub http: Http,
    /// Encryption and certificates of all links.
    #[command(flatten)]
    pub security: Security,
    /// Maximum number of events in one transaction.
    #[arg(long, env = "BATCH_MAX", hide_env_values = true, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub batch_max: u32,
    /// Prints what the service consumes, decides and publishes, as JSON, and exits. Needs no other argument.
    #[arg(long)]
    pub choreography: bool,
    /// For drills: the service does not react to this event type, as if its compensation were missing.
    #[arg(long, env = "WITHOUT_REACTION_TO", hide_env_values = true, value_name = "EVENT", hide = true)]
    pub without_reaction_to: Option<String>,
    /// `allowed` where faults may be injected on purpose.
    #[arg(long, env = "DRILLS", hide_env_values = true, value_name = "allowed", hide = true)]
    pub drills: Option<String>,
    /// Hours for which the inbox remembers processed events: longer than the topics' retention plus that of the outboxes,
    /// which can be replayed.
    #[arg(long, env = "INBOX_RETENTION_HOURS", hide_env_values = true, default_value_t = 24 * 17)]
    pub inbox_retention_hours: u32,
    /// Hours for which published events stay in the outbox, for replays.
    #[arg(long, env = "OUTBOX_RETENTION_HOURS", hide_env_values = true, default_value_t = 24 * 7)]
    pub outbox_retention_hours: u32,
    /// Database roles.
    #[command(flatten)]
    pub roles: Roles,
}

/// Migration apart from running, by a role that the service itself does not have.
#[derive(Debug, Clone, Default, Args)]
pub struct Roles {
    /// Migrates the database, grants the rights of its roles, and exits. Sets the present retention as the least: the service's
    /// role removes nothing younger.
    #[arg(long)]
    pub migrate_only: bool,
    /// URL of the database for its owner, for --migrate-only alone. Defaults to DATABASE_URL.
    #[arg(long, env = "DATABASE_OWNER_URL", hide_env_values = true)]
    pub database_owner_url: Option<SecretString>,
    /// First part of the names of the database's roles: NAME_app, NAME_relay, NAME_auditor and NAME_operator. Defaults to the
    /// database's name. Where there are no such roles, nothing is granted.
    #[arg(long, env = "DATABASE_ROLES", hide_env_values = true, value_name = "NAME")]
    pub database_roles: Option<String>,
}

// Not a doc comment: that would appear in every service's help.
#[derive(Parser)]
struct Plain {
    #[command(flatten)]
    config: Config,
}

impl Config {
    /// The database as its owner opens it.
    pub(crate) fn owners_database(&self) -> Database {
        let mut database = self.database.clone();
        if let Some(url) = &self.roles.database_owner_url {
            database.database_url = url.clone();
        }
        database
    }

    /// Parses command-line arguments, with environment variables as defaults. The program's name comes first.
    ///
    /// # Errors
    /// A missing or malformed argument.
    pub fn from_arguments<A: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, clap::Error> {
        Plain::try_parse_from(arguments).map(|arguments| arguments.config)
    }

    /// Parses the arguments of this process; on an error exits with a message, as `clap` does.
    pub(crate) fn of_the_process(service: &'static str) -> Self {
        let arguments = command_of(service).get_matches();
        Plain::from_arg_matches(&arguments).unwrap_or_else(|error| error.exit()).config
    }

    /// Event type to which the service must not react, for a drill.
    ///
    /// # Errors
    /// If drills are not allowed here: the setting was left over or meant for another environment.
    pub fn drill(&self) -> anyhow::Result<Option<&str>> {
        let event_type = self.without_reaction_to.as_deref().filter(|event_type| !event_type.is_empty());
        anyhow::ensure!(
            event_type.is_none() || self.drills.as_deref() == Some("allowed"),
            "WITHOUT_REACTION_TO disables a reaction, so that sagas come to a stop. Unset it, or also set \
             DRILLS=allowed if that is intended"
        );
        Ok(event_type)
    }
}

/// Command line of a service without arguments of its own.
fn command_of(service: &'static str) -> Command {
    Plain::command().name(service).about(format!("The {service} service: a participant of sagas.")).long_about(None)
}

#[cfg(test)]
mod tests {
    use transport::Transport;

    use super::*;

    #[test]
    fn a_services_help_begins_with_the_service() {
        for help in [command_of("hotel").render_help(), command_of("hotel").render_long_help()] {
            let help = help.to_string();
            assert_eq!(help.lines().next(), Some("The hotel service: a participant of sagas."), "{help}");
            assert!(help.contains("Usage: hotel [OPTIONS]"), "{help}");
        }
    }

    fn drill(settings: &[&str]) -> anyhow::Result<Option<String>> {
        let needed = ["program", "--database-url", "postgres://a@b/c", "--kafka-brokers", "k:1"];
        let config = Config::from_arguments(needed.iter().chain(settings).copied()).expect("arguments");
        config.drill().map(|event_type| event_type.map(str::to_owned))
    }

    #[test]
    fn a_reaction_is_taken_away_only_where_drills_are_allowed() {
        let taken_away = ["--without-reaction-to", "CarReleased"];
        let allowed = [&taken_away[..], &["--drills", "allowed"]].concat();
        assert_eq!(drill(&allowed).expect("allowed").as_deref(), Some("CarReleased"));
        for refused in [&taken_away[..], &[&taken_away[..], &["--drills", "no"]].concat()] {
            assert!(drill(refused).expect_err("refused").to_string().contains("DRILLS=allowed"));
        }
        assert_eq!(drill(&["--without-reaction-to", ""]).expect("nothing is asked for"), None);
    }

    #[test]
    fn a_service_tells_what_is_wrong_with_its_database_and_not_the_password() {
        let config = |url| {
            Config::from_arguments(["program", "--kafka-brokers", "k:1", "--database-url", url]).expect("arguments")
        };
        for bad in ["s3cret", "postgres://a:s3cret@h:port/d", "mysql://a:s3cret@h/d"] {
            let config = config(bad);
            let error = format!("{:#}", config.database.sessions("test", &Transport::plain()).expect_err("no URL"));
            assert!(error.contains("postgres://user:password@host:port/database"), "{error}");
            assert!(!error.contains("s3cret") && !format!("{config:?}").contains("s3cret"), "{error}");
        }
    }
}
