//! TLS of the server: certificates on both sides, and who may log in as which role.

use std::path::{Path, PathBuf};

use anyhow::Context;
use operations::{Manifest, Program};
use secrecy::SecretString;
use transport::Transport;

use super::{
    super::{
        audit_log::OF_ORDER,
        certs::{ADMIN, Certs, OPERATOR, relay_of},
        personal,
    },
    owner::Owner,
    roles::OWNER,
};

/// The server's files, in its own directory.
#[derive(Debug)]
pub(super) struct Tls {
    directory: PathBuf,
    certs: Certs,
    /// The superuser's way in.
    pub(super) admin: Transport,
}

impl Tls {
    /// Closes the door to everyone without one: nobody gets
    /// in without TLS, by a password, or as a role that is not his.
    pub(super) fn install(certs: &Certs, manifest: &Manifest, server: &Path, owner: &Owner) -> anyhow::Result<Self> {
        let directory = server.join("tls");
        let install = || -> anyhow::Result<Self> {
            std::fs::create_dir(&directory)?;
            owner.give(&directory)?;
            for (name, text) in [("pg_hba.conf", HBA.to_owned()), ("pg_ident.conf", roles(manifest))] {
                // Both belong to the owner since initdb wrote them.
                std::fs::write(server.join("data").join(name), text)?;
            }
            Ok(Tls { directory, certs: certs.clone(), admin: certs.transport(ADMIN)? })
        };
        install().context("closing PostgreSQL's doors")
    }

    /// Copies the certificates as they are now to where the server reads them when it starts.
    pub(super) fn copy(&self, owner: &Owner) -> anyhow::Result<()> {
        let copy = |name: &str| -> anyhow::Result<()> {
            let to = self.directory.join(name);
            std::fs::copy(self.certs.of("postgres").join(name), &to)?;
            owner.give(&to)
        };
        ["ca.crt", "tls.crt", "tls.key"].into_iter().try_for_each(copy).context("copying PostgreSQL's certificates")
    }

    /// Lines of `postgresql.auto.conf`.
    pub(super) fn settings(&self) -> String {
        let directory = self.directory.display();
        format!(
            "\
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
ssl_ca_file = '{directory}/ca.crt'
ssl_cert_file = '{directory}/tls.crt'
ssl_key_file = '{directory}/tls.key'
"
        )
    }
}

/// No line for connections without TLS: they are refused.
const HBA: &str = "\
hostssl all all 127.0.0.1/32 cert map=programs
hostssl all all ::1/128 cert map=programs
";

/// The roles that each certificate's name may log in as.
fn roles(manifest: &Manifest) -> String {
    let mut lines = vec![(ADMIN.to_owned(), "postgres".to_owned())];
    for program in manifest.programs() {
        let Some(database) = program.database() else { continue };
        let database = database.name();
        for name in [program.name(), &relay_of(database), OPERATOR] {
            lines.push((name.to_owned(), database.to_owned()));
        }
        // Of a database that is divided, each has a part.
        for (name, kind) in [
            (program.name(), "app"),
            (&relay_of(database), "relay"),
            (OPERATOR, "auditor"),
            (OPERATOR, "operator"),
            (ADMIN, OWNER),
        ] {
            lines.push((name.to_owned(), format!("{database}_{kind}")));
        }
    }
    let audit = audit_log::Roles::default();
    lines.extend([audit.writer, audit.reader].map(|role| (OPERATOR.to_owned(), role.to_owned())));
    lines.extend(personal::users().map(|(program, role)| (program.name().to_owned(), role.to_owned())));
    lines.push((OPERATOR.to_owned(), personal_data::Roles::default().eraser.to_owned()));
    lines.push((Program::ORDER.name().to_owned(), OF_ORDER.to_owned()));
    lines.into_iter().map(|(name, role)| format!("programs {name} {role}\n")).collect()
}

/// The URL of a role that is known by its certificate.
pub(super) fn url(role: &str, port: u16, database: &str) -> SecretString {
    format!("postgres://{role}@127.0.0.1:{port}/{database}?sslmode=verify-full").into()
}
