//! Acts of operators, recorded in the audit log before they happen.

use audit_log::{Act, Actor, Ended, Recorder};
use saga::outbox::kafka::Cluster;

use crate::operator::{Known, Operator};

impl From<Operator> for Actor {
    fn from(operator: Operator) -> Self {
        let known = match operator.known() {
            Known::Certificate => audit_log::Known::Certificate,
            Known::Token => audit_log::Known::Token,
            Known::Unverified => audit_log::Known::Unverified,
        };
        Actor { name: operator.name().to_owned(), known }
    }
}

/// Records acts in the audit log that the process's environment names.
#[derive(Debug, Clone)]
pub struct Audited {
    recorder: Recorder,
    operator: Operator,
}

impl Audited {
    /// The audit log that the process's environment names. If there is none, says that nothing is recorded.
    ///
    /// # Errors
    /// If a setting is wrong, or there is no log although SECURITY=required.
    pub fn of_the_process(cluster: &Cluster, operator: Operator) -> anyhow::Result<Self> {
        Ok(Audited { recorder: Recorder::of_the_process(cluster)?, operator })
    }

    /// Acts that are recorded nowhere, for tests of what is done.
    pub fn nowhere() -> Self {
        Audited { recorder: Recorder::Nowhere, operator: Operator::unknown() }
    }

    /// An act of this operator.
    pub fn act(&self, action: &'static str, object_kind: &str, object_id: impl std::fmt::Display) -> Act {
        Act::new(self.operator.clone().into(), action, object_kind, object_id)
    }

    /// Records that the act begins, carries it out, and records how it ended.
    ///
    /// # Errors
    /// If the act could not be recorded: then nothing was done. Otherwise the act's own error.
    pub async fn carry_out<T>(
        &self,
        act: &Act,
        carry_out: impl Future<Output = anyhow::Result<T>>,
        ended: impl FnOnce(&T) -> Ended,
    ) -> anyhow::Result<T> {
        self.recorder.audited(act, carry_out, ended).await
    }
}
