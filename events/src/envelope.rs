//! [CloudEvents](saga::envelope), on the shop's topics.

use std::borrow::Cow;

pub use saga::envelope::*;

use crate::{Publisher, publisher};

/// Splits a record into envelope and data according to its topic: on `order.requests` a bare value is a request.
pub fn read<'a>(record: &RawRecord<'a>) -> Result<(Envelope, Cow<'a, [u8]>), Unreadable> {
    let bare = publisher::of_topic(record.at.topic).and_then(Publisher::bare_type);
    saga::envelope::read(record, bare)
}
