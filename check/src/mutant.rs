//! A service with something wrong in its decisions, to test laws.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use saga::{Publisher, SagaId, Says, Service, StoreError, Table};
use sqlx::PgConnection;

/// Something done before a decision, to its rows and its command.
pub type Before<S> = fn(&mut <S as Service>::Rows, &mut <S as Service>::Command);
/// Something done after a decision, to its rows and to what it says.
pub type After<S> = fn(&mut <S as Service>::Rows, &<S as Service>::Command, &mut Says);

/// A service around whose decisions something is done: see [`Service::mutated`](crate::Service::mutated).
pub struct Mutant<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) before: Before<S>,
    pub(crate) after: After<S>,
}

impl<S: Service> Service for Mutant<S>
where
    S::Command: Clone,
{
    type Command = S::Command;
    type Rows = S::Rows;

    const PUBLISHER: Publisher = S::PUBLISHER;

    fn table() -> Table<S::Command> {
        S::table()
    }

    fn saga_of(command: &S::Command) -> SagaId {
        S::saga_of(command)
    }

    fn load(
        &self,
        db: &mut PgConnection,
        commands: &[&S::Command],
    ) -> impl Future<Output = Result<S::Rows, StoreError>> + Send {
        self.service.load(db, commands)
    }

    fn decide(&self, rows: &mut S::Rows, command: &S::Command, now: DateTime<Utc>) -> Says {
        let mut command = command.clone();
        (self.before)(rows, &mut command);
        let mut says = self.service.decide(rows, &command, now);
        (self.after)(rows, &command, &mut says);
        says
    }

    fn standing(&self, rows: &S::Rows, saga: SagaId) -> Option<&'static str> {
        self.service.standing(rows, saga)
    }

    fn save(&self, db: &mut PgConnection, rows: &S::Rows) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.service.save(db, rows)
    }
}
