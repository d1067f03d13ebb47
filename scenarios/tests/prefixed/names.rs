//! Every name that reaches the broker is a real one: outside of tests, whoever names a topic or a group to Kafka's client does it
//! with a `RealName`, which only a prefix makes.

use std::{fs, path::Path};

/// Calls of Kafka's client that take the name of a topic or a group, up to the name.
const CALLS: [&str; 13] = [
    "FutureRecord::to(",
    "FutureRecord::<[u8], [u8]>::to(",
    "BaseRecord::to(",
    "BaseRecord::<_, _, ()>::to(",
    "BaseRecord::with_opaque_to(",
    "NewTopic::new(",
    "ResourceSpecifier::Topic(",
    "fetch_metadata(Some(",
    "fetch_watermarks(",
    "\"group.id\", ",
    "add_partition(",
    "add_partition_offset(",
    "create_topic(",
];

/// Names that are real although their type does not say so, or are none, each with the reason.
const REAL: [(&str, &str); 9] = [
    ("saga/src/runtime/answers.rs", "topics of a consumer, which has subscribed to them"),
    ("saga/src/runtime/membership.rs", "partitions that the broker has assigned"),
    ("saga/src/runtime/positions.rs", "partitions that the broker has assigned"),
    ("saga/src/runtime/consumer.rs", "partitions that the broker has assigned"),
    ("saga/src/runtime/taking.rs", "the partition of a message"),
    ("saga/src/runtime/unread.rs", "partitions that the broker has assigned"),
    ("operations/src/archive.rs", "a reader without a group, whose name nobody commits under"),
    ("audit-log/src/topic.rs", "a reader without a group, whose name nobody commits under"),
    ("operations/src/audit/lag.rs", "a list of partitions that is made here of real names"),
];

fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "tests", ".git"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The lines that name something to the broker otherwise than by a real name.
fn unprefixed(source: &str) -> Vec<String> {
    let production = source.split("#[cfg(test)]").next().unwrap_or_default();
    let named = |line: &&str| {
        CALLS.iter().filter_map(|call| line.split_once(call)).any(|(before, argument)| {
            !before.contains("fn ")
                && !before.ends_with("Owned")
                && !argument.trim_end().is_empty()
                && !argument.contains(".real()")
        })
    };
    production.lines().map(str::trim).filter(|line| !line.starts_with("//")).filter(named).map(str::to_owned).collect()
}

#[test]
fn no_name_reaches_the_broker_without_its_prefix() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut all = Vec::new();
    sources(root, &mut all);
    assert!(all.len() > 300, "{}", all.len());
    let mut found = Vec::new();
    for path in all {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        if REAL.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let lines = unprefixed(&fs::read_to_string(&path).unwrap());
        found.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(found.is_empty(), "write `cluster.topic(name).real()`:\n{}", found.join("\n"));
}

#[test]
fn a_name_without_its_prefix_is_found() {
    assert_eq!(unprefixed("let record = FutureRecord::to(topic).key(key);").len(), 1);
    assert_eq!(unprefixed("client.set(\"group.id\", service)").len(), 1);
    assert_eq!(unprefixed("let record = FutureRecord::to(topic.real()).key(key);").len(), 0);
}
