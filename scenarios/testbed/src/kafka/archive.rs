//! Application class-data sharing (JEP 350): the broker's classes, loaded and verified once and stored in the user's cache. It
//! cuts a third of the broker's start-up time, and makes the first seconds after a start or restart faster.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::UNIX_EPOCH,
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::super::maven;

/// Exit code of a Java virtual machine after SIGTERM, once its shutdown is complete.
const ENDED_IN_ORDER: i32 = 143;

/// The archive for one release of Kafka and one of Java. The first broker that shuts down cleanly writes it, which takes a few
/// seconds; later ones use it. Java ignores an archive that does not fit.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    /// Path to which a broker without an archive writes one.
    draft: PathBuf,
}

impl Archive {
    /// None if the version of Java cannot be determined, or there is no cache directory.
    pub(super) async fn of(jars: &Path, jar: &str) -> Option<Self> {
        let version = Command::new("java").arg("-version").output().await.ok()?.stderr;
        let made = fs::metadata(jars.join(jar)).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let digest = Sha256::new().chain_update(&version).chain_update(made.as_nanos().to_le_bytes()).finalize();
        let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let cache = maven::cache("KAFKA_JARS").ok()?;
        fs::create_dir_all(&cache).ok()?;
        let path = cache.join(format!("kafka-classes-{name}.jsa"));
        let draft = path.with_extension(format!("{}.draft", uuid::Uuid::new_v4().simple()));
        Some(Archive { path, draft })
    }

    /// The JVM option to use the archive; None if it does not exist yet.
    pub(super) fn using(&self) -> Option<String> {
        self.path.is_file().then(|| format!("-XX:SharedArchiveFile={}", self.path.display()))
    }

    /// The JVM options to use the archive, or to write it at exit.
    pub(super) fn using_or_writing(&self) -> [String; 2] {
        let write = || format!("-XX:ArchiveClassesAtExit={}", self.draft.display());
        // Suppresses many warnings about classes that cannot be archived.
        ["-Xlog:cds*=off".to_owned(), self.using().unwrap_or_else(write)]
    }

    /// Moves what a broker wrote at exit to its place, if it is complete.
    pub(super) fn keep(&self, ended: ExitStatus) {
        let kept = ended.code() == Some(ENDED_IN_ORDER) && fs::rename(&self.draft, &self.path).is_ok();
        if !kept {
            // Usually there is none.
            let _ = fs::remove_file(&self.draft);
        }
    }
}
