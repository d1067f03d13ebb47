//! Log of the injected faults, with their targets and times.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

/// Takes a line for each action, with the seconds since it was opened. Cheap to clone.
#[derive(Clone)]
pub struct Diary {
    opened: Instant,
    write: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Diary {
    pub fn open(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Diary { opened: Instant::now(), write: Arc::new(write) }
    }

    pub fn note(&self, line: impl AsRef<str>) {
        (self.write)(&format!("{:6.1} s  {}", self.opened.elapsed().as_secs_f64(), line.as_ref()));
    }
}

impl fmt::Debug for Diary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diary").finish_non_exhaustive()
    }
}
