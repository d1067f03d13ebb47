//! A service's decisions, a batch in a transaction: admit → load → decide → save → say.
//!
//! Every change goes through here: events from Kafka by way of the inbox, answers from outside by way of their attempts,
//! people and deadlines directly. All meet the same decisions.

use std::{marker::PhantomData, sync::Arc};

use sqlx::PgPool;

use crate::{
    runtime::{
        erased::{ErasedCommand, Typed, erased},
        work::Work,
    },
    says::Says,
    service::Service,
    sessions::Sessions,
    store::StoreError,
};

pub use crate::runtime::{
    incoming::{Incoming, Origin, Outcome},
    wake::{Wake, notify_relay},
    work::Staged,
};

/// Entry point for every change to a service's database.
pub struct UnitOfWork<S> {
    work: Work,
    service: PhantomData<fn() -> S>,
}

impl<S> Clone for UnitOfWork<S> {
    fn clone(&self) -> Self {
        UnitOfWork { work: self.work.clone(), service: PhantomData }
    }
}

impl<S: Service> UnitOfWork<S> {
    /// `sessions` are [`Sessions`], or an existing pool.
    pub fn new(service: Arc<S>, sessions: impl Into<Sessions>, wake: Wake) -> Self {
        UnitOfWork::of(Work::new(Arc::new(Typed(service)), sessions.into(), wake))
    }

    /// `work` must be one of the service `S`.
    pub(crate) fn of(work: Work) -> Self {
        UnitOfWork { work, service: PhantomData }
    }

    pub(crate) fn erased(&self) -> &Work {
        &self.work
    }

    /// Pool for single statements; bound them by [`sessions`](Self::sessions).
    pub fn pool(&self) -> &PgPool {
        self.work.pool()
    }

    /// Database sessions with bounds.
    pub fn sessions(&self) -> &Sessions {
        self.work.sessions()
    }

    /// Decides on a batch and writes all results, but does not commit.
    ///
    /// # Errors
    /// None of the batch has taken effect then. If the database did not answer in time, its connections are replaced.
    pub async fn stage(&self, batch: &[Incoming<S::Command>]) -> Result<Staged, StoreError> {
        self.work.stage(&erased::<S>(batch)).await
    }

    /// Carries out a command of a person or a deadline, and returns the decision.
    ///
    /// # Errors
    /// The command has not taken effect then, unless the connection was lost while it was committed.
    pub async fn submit(
        &self,
        what: &str,
        command: S::Command,
        traceparent: Option<String>,
    ) -> Result<Says, StoreError> {
        self.work.submit(what, ErasedCommand::of::<S>(command), traceparent).await
    }
}
