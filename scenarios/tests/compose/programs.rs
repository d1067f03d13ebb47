//! The variables that a program reads, from its own help text.

use std::{collections::BTreeSet, process::Command};

use clap::Args;
use scenarios::stack::{Database, Program, binary_of};

/// The variables of a program.
pub(crate) struct Reads {
    /// The program does not start without these.
    pub(crate) required: BTreeSet<String>,
    pub(crate) all: BTreeSet<String>,
}

impl Reads {
    pub(crate) fn of(program: Program) -> Reads {
        let binary = binary_of(program).expect("it has been built");
        let output = Command::new(binary).arg("--help").env_clear().output().expect("it can be run");
        let help = String::from_utf8(output.stdout).expect("the help is text");
        let mut required = required(&help);
        let mut all = named(&help);
        // Logging, in every program.
        all.extend(["RUST_LOG", "LOG_FORMAT"].map(str::to_owned));
        if program.database().is_some() {
            all.extend(hidden());
        }
        if program == Program::OUTBOX_RELAY {
            required.extend(Database::OF_THE_SHOP.map(Database::variable));
            all.extend(Database::OF_THE_SHOP.map(Database::variable));
        }
        Reads { required, all }
    }
}

/// `[env: NAME]` and `[env: NAME=value]` of a help text.
fn named(help: &str) -> BTreeSet<String> {
    let names = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
    names.map(str::to_owned).collect()
}

/// Options that the usage shows outside of `[OPTIONS]`: `--database-url <DATABASE_URL>`.
fn required(help: &str) -> BTreeSet<String> {
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).expect("the help has a line of usage");
    let words: Vec<&str> = usage.split_whitespace().collect();
    let options = words.windows(2).filter(|pair| pair[0].starts_with("--"));
    options.map(|pair| pair[1].trim_matches(['<', '>']).to_owned()).collect()
}

/// What services read and keep out of their help.
fn hidden() -> BTreeSet<String> {
    let command = saga::config::Config::augment_args(clap::Command::new("service"));
    let names = command.get_arguments().filter(|argument| argument.is_hide_set()).filter_map(clap::Arg::get_env);
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}
