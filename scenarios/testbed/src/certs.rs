//! Certificates of a secured system: an authority of its own, and a directory for each program.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use operations::{Manifest, Program, Role};
use transport::{
    Security, Settings, Transport,
    authority::{Authority, Leaf},
};

/// Name of the runner, and of whoever operates the system with it.
pub const OPERATOR: &str = "operator";
/// Name under which the runner sets servers up; PostgreSQL's superuser.
pub const ADMIN: &str = "admin";
/// Names of the servers.
pub const SERVERS: [&str; 3] = ["kafka", "postgres", "mail"];

/// Directories of certificates, by program.
#[derive(Debug, Clone)]
pub struct Certs {
    directory: PathBuf,
}

impl Certs {
    /// Makes an authority, if there is none, and new certificates for all programs of a system, for `lasts` from now.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn make(manifest: &Manifest, directory: &Path, lasts: Duration) -> anyhow::Result<Self> {
        let certs = Certs { directory: directory.to_owned() };
        let write = || -> std::io::Result<()> {
            let authority = Authority::in_directory(directory)?;
            let programs = manifest.programs().map(Program::name);
            for name in programs.chain(SERVERS) {
                authority.write(&Leaf::of(name, lasts), &certs.of(name))?;
            }
            for name in [OPERATOR, ADMIN] {
                authority.write(&Leaf::of_client(name, lasts), &certs.of(name))?;
            }
            for database in manifest.databases() {
                let leaf = Leaf::of_client(&relay_of(database.name()), lasts);
                authority.write(&leaf, &certs.of_relays().join(database.name()))?;
            }
            Ok(())
        };
        write().with_context(|| format!("making certificates in {}", directory.display()))?;
        Ok(certs)
    }

    /// The directory of the authority.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The directory of one program, server or person: ca.crt, tls.crt, tls.key, and keystore.pem for Kafka's broker.
    pub fn of(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The directory with a directory for each database: what the relay shows for it.
    pub fn of_relays(&self) -> PathBuf {
        self.directory.join("relay")
    }

    /// The transport of whoever has this name.
    ///
    /// # Errors
    /// If there are no such certificates.
    pub fn transport(&self, name: &str) -> anyhow::Result<Transport> {
        Ok(Settings { security: Security::Required, tls_dir: Some(self.of(name)) }.open()?)
    }

    /// Variables with which an operator's commands reach a secured system.
    pub fn operators_variables(&self) -> Vec<(String, String)> {
        let directory = self.of(OPERATOR).display().to_string();
        [("SECURITY", "required".to_owned()), ("TLS_DIR", directory)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    /// Variables with which a program is secured.
    pub fn variables(&self, program: Program) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let path = |path: PathBuf| path.display().to_string();
        let mut variables =
            vec![pair("SECURITY", "required".to_owned()), pair("TLS_DIR", path(self.of(program.name())))];
        match program.role() {
            Role::Relay => variables.push(pair("RELAY_TLS_DIR", path(self.of_relays()))),
            Role::Outside => variables.push(pair("HTTP_CLIENTS", format!("{},{OPERATOR}", Program::PAYMENT))),
            Role::Service(_) => {}
        }
        variables
    }
}

/// Name of the relay for one database.
pub fn relay_of(database: &str) -> String {
    format!("relay-{database}")
}
