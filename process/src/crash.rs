//! Named points at which a test lets the program die, as a power cut would.
//!
//! Only with the feature `crash-points`. Without it a point is an empty `const fn`, and no released program knows any.
//!
//! With it, `CRASH_AT` names a file. As long as there is none, nothing happens. Whoever writes `consumer.after-offsets`
//! into it arms that point, and `consumer.after-offsets:3` arms its third passage: there the program removes the file and
//! aborts. `request.before-commit (deadline passed)` arms a point for one kind of request alone. So it crashes once, and a
//! file that is gone says that it did.

/// The program may die here.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub const fn point(_name: &str) {}

/// The program may die here, in the middle of this kind of request.
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
    /// One passage at a time: the file is read and written.
    static PASSAGE: Mutex<()> = Mutex::new(());

    /// The program may die here.
    pub fn point(name: &str) {
        if let Some(file) = FILE.as_deref() {
            let _one = PASSAGE.lock().unwrap_or_else(PoisonError::into_inner);
            if pass(file, name) {
                tracing::error!(point = name, "a drill: crashing here");
                std::process::abort();
            }
        }
    }

    /// The program may die here, in the middle of this kind of request.
    pub fn point_of(name: &str, what: &str) {
        point(name);
        point(&format!("{name} ({what})"));
    }

    /// Counts a passage; whether it is the one to die at.
    fn pass(file: &Path, name: &str) -> bool {
        let Ok(armed) = fs::read_to_string(file) else { return false };
        let (point, passages) = armed.trim().split_once(':').unwrap_or((armed.trim(), "1"));
        if point != name {
            return false;
        }
        match passages.parse::<u32>() {
            Ok(left @ 2..) => {
                // If it cannot be written, the next passage is counted as this one, and the program dies later.
                let _ = fs::write(file, format!("{name}:{}", left - 1));
                false
            }
            // Who removes it dies; if that fails, another process was faster.
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
    /// What a constant can call reads no environment and ends no process.
    const _: () = super::point("anything");
    const _: () = super::point_of("anything", "at all");
}
