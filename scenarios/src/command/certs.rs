//! `scenarios certs`: certificates for trying out.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Args;
use testbed::certs::Certs;
use transport::authority::{Authority, Leaf};

use super::system::System;

/// Makes a certificate authority, if the directory has none, and a new short-lived certificate for each program, server and
/// operator: a directory each, with ca.crt, tls.crt and tls.key, the content of TLS_DIR.
///
/// Running it again renews all certificates; programs take them up without a restart. For trying out: whoever reads ca.key can be
/// anybody.
#[derive(Debug, Args)]
pub struct CertsCommand {
    #[command(flatten)]
    system: System,
    /// Directory of the authority and of all certificates.
    #[arg(long, default_value = "certs", value_name = "DIRECTORY")]
    out: PathBuf,
    /// Validity in hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8784))]
    hours: u64,
    /// Only a certificate for this name, such as that of another person or service.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Further names and addresses at which it is reached; separate several by commas.
    #[arg(long, value_name = "HOST,…", value_delimiter = ',', requires = "name")]
    hosts: Vec<String>,
}

impl CertsCommand {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let lasts = Duration::from_secs(self.hours * 3600);
        match self.name {
            Some(name) => {
                let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                anyhow::ensure!(
                    !name.is_empty() && name.bytes().all(is_word),
                    "a certificate's name is made of letters, digits, `-` and `_`"
                );
                let mut leaf = Leaf::of(&name, lasts);
                leaf.hosts.extend(self.hosts);
                let directory = self.out.join(&name);
                Authority::in_directory(&self.out)?.write(&leaf, &directory)?;
                println!("{} until {}", directory.display(), until(lasts));
            }
            None => {
                Certs::make(&self.system.manifest()?, &self.out, lasts)?;
                println!("{}: one directory for each program, until {}", self.out.display(), until(lasts));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn until(lasts: Duration) -> String {
    let end = chrono::DateTime::<chrono::Utc>::from(SystemTime::now() + lasts);
    end.format("%F %H:%M UTC").to_string()
}
