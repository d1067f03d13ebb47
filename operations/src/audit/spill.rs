//! Items grouped by order id into buckets that spill to disk, so that only one bucket at a time has to fit into memory.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use events::OrderId;
use tempfile::tempfile;

use super::dossier::{Dossier, Item};

/// Number of buckets: with a million orders, about four thousand orders in each.
const BUCKETS: usize = 256;
/// Bytes of a bucket held in memory; beyond that it goes to disk.
const BUFFER: usize = 256 * 1024;

/// The buckets. Several threads may fill them at once.
pub(super) struct Spill(Vec<Mutex<Bucket>>);

#[derive(Default)]
struct Bucket {
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Spill {
    pub(super) fn new() -> Self {
        Spill((0..BUCKETS).map(|_| Mutex::default()).collect())
    }

    pub(super) fn put(&self, order: OrderId, item: &Item) -> anyhow::Result<()> {
        // The end of an id is random in every version that order ids have.
        let bucket = &self.0[usize::from(order.0.as_bytes()[15]) % BUCKETS];
        let bucket = &mut *bucket.lock().unwrap_or_else(PoisonError::into_inner);
        postcard::to_io(&(order, item), &mut bucket.buffer).context("writing down what is known of an order")?;
        if bucket.buffer.len() > BUFFER {
            let file = match &mut bucket.file {
                Some(file) => file,
                none => none.insert(tempfile().context("creating a temporary file")?),
            };
            file.write_all(&bucket.buffer).context("writing to a temporary file")?;
            bucket.buffer.clear();
        }
        Ok(())
    }

    /// The buckets, each to be read back as the dossiers of its orders.
    pub(super) fn take(&self) -> impl Iterator<Item = impl FnOnce() -> anyhow::Result<Vec<Dossier>> + Send + 'static> {
        self.0.iter().map(|bucket| {
            let bucket = std::mem::take(&mut *bucket.lock().unwrap_or_else(PoisonError::into_inner));
            move || bucket.take()
        })
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
        let (mut items, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (item, after): ((OrderId, Item), _) =
                postcard::take_from_bytes(rest).context("reading what is known of orders")?;
            items.push(item);
            rest = after;
        }
        Ok(Dossier::file(items))
    }
}
