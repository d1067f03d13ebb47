//! The operator's subcommands, one module each. All of them work on the system that the environment names.

mod acl;
mod asyncapi;
mod audit_log;
mod dlt;
mod erase;
mod graph;
mod lint;
mod parked;
mod personal;
mod programs;
mod reconcile;
mod topics;
mod trace;
mod verify;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use futures::future::LocalBoxFuture;

use crate::Environment;

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Trace(trace::Trace),
    Graph(graph::Graph),
    Lint(lint::LintCommand),
    #[command(name = "asyncapi")]
    AsyncApi(asyncapi::AsyncApi),
    Verify(verify::Verify),
    Parked(parked::Parked),
    Dlt(dlt::Dlt),
    Reconcile(reconcile::Reconcile),
    Erase(erase::Erase),
    Acl(acl::AclCommand),
    Topics(topics::TopicsCommand),
    Personal(personal::Personal),
    #[command(name = "audit")]
    AuditLog(audit_log::AuditLog),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// If the command cannot be carried out. A negative verdict is an exit code instead.
    pub fn run(self) -> LocalBoxFuture<'static, anyhow::Result<ExitCode>> {
        match self {
            Self::Trace(trace) => Box::pin(trace.run()),
            Self::Graph(graph) => Box::pin(graph.run()),
            Self::Lint(lint) => Box::pin(lint.run()),
            Self::AsyncApi(asyncapi) => Box::pin(asyncapi.run()),
            Self::Verify(verify) => Box::pin(verify.run()),
            Self::Parked(parked) => Box::pin(parked.run()),
            Self::Dlt(dlt) => Box::pin(dlt.run()),
            Self::Reconcile(reconcile) => Box::pin(reconcile.run()),
            Self::Erase(erase) => Box::pin(erase.run()),
            Self::Acl(acl) => Box::pin(acl.run()),
            Self::Topics(topics) => Box::pin(topics.run()),
            Self::Personal(personal) => Box::pin(personal.run()),
            Self::AuditLog(audit_log) => Box::pin(audit_log.run()),
        }
    }
}

/// The running system that the environment names.
///
/// # Errors
/// If it names none, or only a part of one.
pub fn running() -> anyhow::Result<Environment> {
    Environment::from_process()?.context(
        "the environment names no running system: set KAFKA_BROKERS and DATABASE_URL_…, for example from the file that `scenarios up --env-file F` writes",
    )
}
