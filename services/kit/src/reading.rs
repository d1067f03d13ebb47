//! Reading a record as what a service's table makes of it.

use events::envelope::{self, Unreadable};

use crate::{
    incoming::{Incoming, Origin},
    record::Record,
    table::Table,
};

/// The command that a record brings; none if the table has no line for it.
pub(crate) fn read<C>(table: &Table<C>, record: &Record) -> Option<Result<Incoming<C>, Unreadable>> {
    let read = record.with_raw(|raw| {
        let (envelope, data) = envelope::read(raw)?;
        Ok(table.read(&envelope, record, &data).map(|command| command.map(|command| (envelope, command))))
    });
    match read {
        Err(unreadable) => Some(Err(unreadable)),
        Ok(None) => None,
        Ok(Some(Err(unreadable))) => Some(Err(unreadable)),
        Ok(Some(Ok((envelope, command)))) => Some(Ok(Incoming {
            origin: Origin::Event(envelope.id),
            what: envelope.event_type,
            traceparent: envelope.traceparent,
            command,
        })),
    }
}
