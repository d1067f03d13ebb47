//! The broker's classes, loaded and checked once and kept in the user's cache: application class data sharing (JEP 350). A
//! broker starts in two thirds of the time with it, and is quicker in its first seconds, also when it comes back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::UNIX_EPOCH,
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::super::maven;

/// What a Java virtual machine exits with after SIGTERM, when it has done all that it does at its end.
const ENDED_IN_ORDER: i32 = 143;

/// The archive of one release of Kafka and one of Java. The first broker that ends in order writes it, which takes it some
/// seconds; those after it use it. One that does not fit, Java leaves aside.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    /// Where a broker writes it that has none.
    draft: PathBuf,
}

impl Archive {
    /// None where it cannot be told which Java this is, or there is no place for what is kept.
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

    /// What Java is told to use it; nothing if it is not there yet.
    pub(super) fn using(&self) -> Option<String> {
        self.path.is_file().then(|| format!("-XX:SharedArchiveFile={}", self.path.display()))
    }

    /// What Java is told to use it, or to write it at the end.
    pub(super) fn using_or_writing(&self) -> [String; 2] {
        let write = || format!("-XX:ArchiveClassesAtExit={}", self.draft.display());
        // It has much to say about classes that cannot be kept.
        ["-Xlog:cds*=off".to_owned(), self.using().unwrap_or_else(write)]
    }

    /// Keeps what a broker has written at its end, if it has come that far.
    pub(super) fn keep(&self, ended: ExitStatus) {
        let kept = ended.code() == Some(ENDED_IN_ORDER) && fs::rename(&self.draft, &self.path).is_ok();
        if !kept {
            // There mostly is none.
            let _ = fs::remove_file(&self.draft);
        }
    }
}
