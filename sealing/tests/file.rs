//! A keyring in a file.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
};

use sealing::{KeyEncryption, KeyError, KeyId, Keyring, KeyringFile, State};
use tempfile::TempDir;

const KEY: &str = "b25seS1mb3ItdHJ5aW5nLW9ubHktZm9yLXRyeWluZyE=";

fn id(id: &str) -> KeyId {
    id.parse().expect("an id")
}

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("closed");
    (folder, path)
}

fn mode(path: &PathBuf, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
}

#[test]
fn a_keyring_that_others_can_read_is_refused() {
    let (_folder, path) = written(&format!("a {KEY} active"));
    for open in [0o640, 0o604, 0o660, 0o644, 0o620, 0o777] {
        mode(&path, open);
        let error = KeyringFile::open(&path).expect_err("open to others");
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        // The lock taken out: the text alone is a good keyring.
        assert!(fs::read_to_string(&path).expect("text").parse::<Keyring>().is_ok());
    }
    for closed in [0o600, 0o400] {
        mode(&path, closed);
        assert!(KeyringFile::open(&path).is_ok(), "{closed:o}");
    }
}

#[test]
fn a_changed_file_is_read_again() {
    let (folder, path) = written(&format!("a {KEY} active"));
    let file = KeyringFile::open(&path).expect("a keyring");
    assert_eq!(file.active(), Ok(id("a")));
    assert!(Arc::ptr_eq(&file.keyring(), &file.keyring()), "an unchanged file is not read again");
    // Replaced, as by an operator's tool.
    let other = folder.path().join("other");
    fs::write(&other, format!("a {KEY}\nb {KEY} active")).expect("written");
    mode(&other, 0o600);
    fs::rename(&other, &path).expect("replaced");
    assert_eq!(file.active(), Ok(id("b")));
    // Written in place, as by an editor.
    fs::write(&path, format!("a {KEY} active")).expect("written");
    assert_eq!(file.active(), Ok(id("a")));
    assert_eq!(file.wrap(&id("b"), &[0; 32], b""), Err(KeyError::Unknown(id("b"))));
}

#[test]
fn a_file_that_has_become_unusable_leaves_the_keys_in_use() {
    let (_folder, path) = written(&format!("a {KEY} active"));
    let file = KeyringFile::open(&path).expect("a keyring");
    fs::write(&path, "nonsense").expect("written");
    assert_eq!(file.active(), Ok(id("a")));
    fs::write(&path, format!("b {KEY} active")).expect("written");
    mode(&path, 0o644);
    assert_eq!(file.active(), Ok(id("a")), "others could read the new one");
    mode(&path, 0o600);
    assert_eq!(file.active(), Ok(id("b")));
    fs::remove_file(&path).expect("removed");
    assert_eq!(file.active(), Ok(id("b")));
    assert!(KeyringFile::open(&path).expect_err("gone").contains("reading the keyring"));
}

#[test]
fn keys_are_added_activated_and_retired() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    let file = KeyringFile::open_or_create(&path).expect("created");
    let states = || file.keyring().ids().map(|(id, state)| format!("{id} {state}")).collect::<Vec<_>>();
    assert_eq!(file.add(&id("a")), Ok(true));
    assert_eq!(file.add(&id("b")), Ok(true));
    assert_eq!(file.add(&id("a")), Ok(false), "a key is never replaced");
    assert_eq!(states(), ["a active", "b readable"]);
    let wrapped = file.wrap(&id("a"), &[7; 32], b"").expect("wrapped");
    fs::write(&path, format!("# a comment\n{}", fs::read_to_string(&path).expect("text"))).expect("written");
    assert_eq!(file.set(&id("b"), State::Active), Ok(true));
    assert_eq!(file.set(&id("b"), State::Active), Ok(false));
    assert_eq!(states(), ["a readable", "b active"]);
    assert_eq!(*file.unwrap(&id("a"), &wrapped, b"").expect("the same key"), [7; 32]);
    assert_eq!(file.set(&id("a"), State::Retired), Ok(true));
    assert_eq!(states(), ["a retired", "b active"]);
    assert_eq!(file.unwrap(&id("a"), &wrapped, b""), Err(KeyError::Retired(id("a"))));
    assert!(file.set(&id("c"), State::Active).is_err());
    assert!(fs::read_to_string(&path).expect("text").starts_with("# a comment\n"));
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left behind");
}

/// Editors at the same time lose no key of each other's.
#[test]
fn editors_wait_for_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    KeyringFile::open_or_create(&path).expect("created");
    std::thread::scope(|scope| {
        for editor in 0..8 {
            let path = &path;
            scope.spawn(move || KeyringFile::open(path).expect("a keyring").add(&id(&format!("key-{editor}"))));
        }
    });
    let keyring = KeyringFile::open(&path).expect("a keyring").keyring();
    assert_eq!(keyring.ids().count(), 8);
    assert_eq!(keyring.ids().filter(|(_, state)| *state == State::Active).count(), 1);
}
