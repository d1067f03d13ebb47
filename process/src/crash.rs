//! Named points at which a test crashes the program, as a power cut would.
//!
//! Only with the feature `crash-points`. Without it a point is an empty `const fn`, and no released program contains one.
//!
//! `CRASH_AT` names a file; while it does not exist, nothing happens. Writing `consumer.after-offsets` into it arms that
//! point, and `consumer.after-offsets:3` arms its third passage: there the program removes the file and aborts.
//! `request.before-commit (deadline passed)` arms a point for one kind of request only. The program crashes once, and the
//! missing file shows that it did.

/// A point at which the program may crash.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub const fn point(_name: &str) {}

/// A point at which the program may crash while handling this kind of request.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub const fn point_of(_name: &str, _what: &str) {}

#[cfg(feature = "crash-points")]
pub use armed::{point, point_of};

#[cfg(feature = "crash-points")]
mod armed {
    use std::{
        fs,
        path::{Path, PathBuf},
        sync::{LazyLock, Mutex, PoisonError},
    };

    static FILE: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os("CRASH_AT").map(PathBuf::from));
    /// One passage at a time, because the file is read and written.
    static PASSAGE: Mutex<()> = Mutex::new(());

    /// A point at which the program may crash.
    pub fn point(name: &str) {
        if let Some(file) = FILE.as_deref() {
            let _one = PASSAGE.lock().unwrap_or_else(PoisonError::into_inner);
            if pass(file, name) {
                tracing::error!(point = name, "drill: crashing at this point");
                std::process::abort();
            }
        }
    }

    /// A point at which the program may crash while handling this kind of request.
    pub fn point_of(name: &str, what: &str) {
        point(name);
        point(&format!("{name} ({what})"));
    }

    /// Counts a passage; returns true for the one at which to crash.
    fn pass(file: &Path, name: &str) -> bool {
        let Ok(armed) = fs::read_to_string(file) else { return false };
        let (point, passages) = armed.trim().split_once(':').unwrap_or((armed.trim(), "1"));
        if point != name {
            return false;
        }
        match passages.parse::<u32>() {
            Ok(left @ 2..) => {
                // If the write fails, the next passage is counted as this one, and the program crashes later.
                let _ = fs::write(file, format!("{name}:{}", left - 1));
                false
            }
            // The process that removes the file crashes; a failure means that another process was faster.
            _ => fs::remove_file(file).is_ok(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_armed_passage_is_the_one_to_die_at_and_only_once() {
            let file = std::env::temp_dir().join(format!("crash-{}", uuid::Uuid::now_v7()));
            assert!(!pass(&file, "a"), "nothing is armed");
            fs::write(&file, "a:2").unwrap();
            assert!(!pass(&file, "b"), "another point");
            assert!(!pass(&file, "a"), "the first passage");
            assert!(pass(&file, "a"), "the second");
            assert!(!pass(&file, "a"), "once is enough");
            fs::write(&file, "b\n").unwrap();
            assert!(pass(&file, "b"));
        }
    }
}

#[cfg(all(test, not(feature = "crash-points")))]
mod tests {
    /// A const context proves that the functions read no environment and end no process.
    const _: () = super::point("anything");
    const _: () = super::point_of("anything", "at all");
}
