//! Items sorted by their orders' ids into buckets, on disk as soon as they are many: so that one bucket at a time is all that
//! has to fit into memory.

use std::{
    fs::File,
    io::{Read, Seek, Write},
};

use anyhow::Context;
use events::OrderId;
use tempfile::tempfile;
use uuid::Uuid;

use super::dossier::{Dossier, Item};

/// A million orders make about four thousand in each.
const BUCKETS: usize = 256;
/// Bytes of one bucket in memory; beyond that it goes to disk.
const BUFFER: usize = 256 * 1024;

/// The buckets.
pub(super) struct Spill(Vec<Bucket>);

#[derive(Default)]
struct Bucket {
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Spill {
    pub(super) fn new() -> Self {
        Spill((0..BUCKETS).map(|_| Bucket::default()).collect())
    }

    pub(super) fn put(&mut self, order: OrderId, item: &Item) -> anyhow::Result<()> {
        // The end of an id is random in every version that orders have.
        let bucket = &mut self.0[usize::from(order.0.as_bytes()[15]) % BUCKETS];
        serde_json::to_writer(&mut bucket.buffer, &(order, item)).context("writing down what is known of an order")?;
        if bucket.buffer.len() > BUFFER {
            let file = match &mut bucket.file {
                Some(file) => file,
                none => none.insert(tempfile().context("making a temporary file")?),
            };
            file.write_all(&bucket.buffer).context("writing to a temporary file")?;
            bucket.buffer.clear();
        }
        Ok(())
    }

    /// The buckets, each to be taken out with all that is known of its orders.
    pub(super) fn take(self) -> impl Iterator<Item = impl FnOnce() -> anyhow::Result<Vec<Dossier>> + Send + 'static> {
        self.0.into_iter().map(|bucket| move || bucket.take())
    }
}

impl Bucket {
    fn take(self) -> anyhow::Result<Vec<Dossier>> {
        let mut bytes = Vec::new();
        if let Some(mut file) = self.file {
            file.rewind().context("reading a temporary file")?;
            file.read_to_end(&mut bytes).context("reading a temporary file")?;
        }
        bytes.extend(self.buffer);
        let items = serde_json::Deserializer::from_slice(&bytes).into_iter::<(Uuid, Item)>();
        let items: Result<Vec<_>, _> = items.map(|item| item.map(|(order, item)| (OrderId(order), item))).collect();
        Ok(Dossier::file(items.context("reading what is known of orders")?))
    }
}
