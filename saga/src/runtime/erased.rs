//! A service without its types. Consumer, workers and program see it this way, so that they are compiled once, in this
//! crate, and not again for each service. That costs an allocation for each command and half a dozen for each batch, which
//! is nothing beside a transaction.

use std::{any::Any, marker::PhantomData, sync::Arc};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};

use crate::{
    Publisher, SagaId,
    runtime::{
        attempts::{Answer, Attempt, Outside},
        incoming::{Incoming, Origin},
        timer::Deadlines,
    },
    says::Says,
    service::Service,
    store::StoreError,
    table::Table,
};

/// A service's command, and the saga that it is about.
pub(crate) struct ErasedCommand {
    pub(crate) saga_id: SagaId,
    command: Box<dyn Any + Send + Sync>,
}

impl ErasedCommand {
    pub(crate) fn of<S: Service>(command: S::Command) -> Self {
        ErasedCommand { saga_id: S::saga_of(&command), command: Box::new(command) }
    }
}

/// A borrowed [`Incoming`].
#[derive(Clone, Copy)]
pub(crate) struct ErasedIncoming<'a> {
    pub(crate) origin: Origin,
    /// The event that all resulting events name as their cause.
    pub(crate) cause: Option<crate::EventId>,
    pub(crate) what: &'a str,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) expects: Option<&'a str>,
    pub(crate) saga_id: SagaId,
    pub(crate) command: &'a (dyn Any + Send + Sync),
}

impl<C> Incoming<C> {
    fn erased<'a>(&'a self, saga_id: SagaId, command: &'a (dyn Any + Send + Sync)) -> ErasedIncoming<'a> {
        ErasedIncoming {
            origin: self.origin,
            cause: self.cause(),
            what: &self.what,
            traceparent: self.traceparent.as_deref(),
            expects: self.expects.as_deref(),
            saga_id,
            command,
        }
    }
}

/// Borrows a batch whose commands are erased already.
pub(crate) fn borrowed(batch: &[Incoming<ErasedCommand>]) -> Vec<ErasedIncoming<'_>> {
    batch.iter().map(|incoming| incoming.erased(incoming.command.saga_id, &*incoming.command.command)).collect()
}

/// Borrows a batch of a service's commands.
pub(crate) fn erased<S: Service>(batch: &[Incoming<S::Command>]) -> Vec<ErasedIncoming<'_>> {
    batch.iter().map(|incoming| incoming.erased(S::saga_of(&incoming.command), &incoming.command)).collect()
}

/// The command, with its type.
///
/// # Panics
/// If it is another service's.
fn typed<S: Service>(command: &(dyn Any + Send + Sync)) -> &S::Command {
    command.downcast_ref().expect("a service gets the commands of its own table, routes, deadlines and calls")
}

/// A [`Service`].
pub(crate) trait ErasedService: Send + Sync {
    fn name(&self) -> &'static str;

    fn publisher(&self) -> Publisher;

    fn table(&self) -> Table<ErasedCommand>;

    fn load<'a>(
        &'a self,
        db: &'a mut PgConnection,
        commands: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<Box<dyn ErasedRows>, StoreError>>;
}

/// Rows that a [`Service`] has loaded.
pub(crate) trait ErasedRows: Send {
    fn decide(&mut self, command: &(dyn Any + Send + Sync), now: DateTime<Utc>) -> Says;

    fn standing(&self, saga: SagaId) -> Option<&'static str>;

    fn save<'a>(&'a self, db: &'a mut PgConnection) -> BoxFuture<'a, Result<(), StoreError>>;
}

pub(crate) struct Typed<S>(pub(crate) Arc<S>);

impl<S: Service> ErasedService for Typed<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn publisher(&self) -> Publisher {
        S::PUBLISHER
    }

    fn table(&self) -> Table<ErasedCommand> {
        self.0.table_in_use().map(ErasedCommand::of::<S>)
    }

    fn load<'a>(
        &'a self,
        db: &'a mut PgConnection,
        commands: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<Box<dyn ErasedRows>, StoreError>> {
        Box::pin(async move {
            let commands: Vec<&S::Command> = commands.iter().map(|command| typed::<S>(*command)).collect();
            let rows = self.0.load(db, &commands).await?;
            Ok(Box::new(Loaded { service: self.0.clone(), rows }) as Box<dyn ErasedRows>)
        })
    }
}

struct Loaded<S: Service> {
    service: Arc<S>,
    rows: S::Rows,
}

impl<S: Service> ErasedRows for Loaded<S> {
    fn decide(&mut self, command: &(dyn Any + Send + Sync), now: DateTime<Utc>) -> Says {
        self.service.decide(&mut self.rows, typed::<S>(command), now)
    }

    fn standing(&self, saga: SagaId) -> Option<&'static str> {
        self.service.standing(&self.rows, saga)
    }

    fn save<'a>(&'a self, db: &'a mut PgConnection) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.service.save(db, &self.rows))
    }
}

/// An [`Outside`].
pub(crate) trait ErasedOutside: Send + Sync {
    fn call<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Answer<ErasedCommand>>;

    fn concurrency(&self) -> usize;

    fn room(&self) -> usize;

    fn time_out(&self) -> std::time::Duration;

    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<ErasedCommand>;

    fn gave_up(&self, attempt: &Attempt) -> ErasedCommand;
}

pub(crate) struct TypedOutside<S, O>(pub(crate) Arc<O>, pub(crate) PhantomData<fn() -> S>);

impl<S: Service, O: Outside<S::Command>> ErasedOutside for TypedOutside<S, O> {
    fn call<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Answer<ErasedCommand>> {
        Box::pin(async move { self.0.call(attempt).await.map(ErasedCommand::of::<S>) })
    }

    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    fn room(&self) -> usize {
        self.0.room()
    }

    fn time_out(&self) -> std::time::Duration {
        self.0.time_out()
    }

    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<ErasedCommand> {
        self.0.settled(attempt, word).map(ErasedCommand::of::<S>)
    }

    fn gave_up(&self, attempt: &Attempt) -> ErasedCommand {
        ErasedCommand::of::<S>(self.0.gave_up(attempt))
    }
}

/// Some [`Deadlines`].
pub(crate) trait ErasedDeadlines: Send + Sync {
    fn what(&self) -> &'static str;

    fn due<'a>(&'a self, pool: &'a PgPool, aside: &'a [SagaId]) -> BoxFuture<'a, sqlx::Result<Vec<ErasedCommand>>>;
}

pub(crate) struct TypedDeadlines<S, D>(pub(crate) D, pub(crate) PhantomData<fn() -> S>);

impl<S: Service, D: Deadlines<S::Command>> ErasedDeadlines for TypedDeadlines<S, D> {
    fn what(&self) -> &'static str {
        D::WHAT
    }

    fn due<'a>(&'a self, pool: &'a PgPool, aside: &'a [SagaId]) -> BoxFuture<'a, sqlx::Result<Vec<ErasedCommand>>> {
        Box::pin(async move {
            let due = self.0.due(pool, aside).await?;
            Ok(due.into_iter().map(ErasedCommand::of::<S>).collect())
        })
    }
}
