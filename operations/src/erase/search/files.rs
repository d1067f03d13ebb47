//! Files, read piece by piece.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{Found, Needles, Searched};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Looks into all files of a directory, and of those in it.
pub(super) fn look(kind: &str, directory: &Path, needles: &Needles, searched: &mut Searched) {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory).context("cannot be read");
        let entries = entries.and_then(|entries| Ok(entries.collect::<Result<Vec<_>, _>>()?));
        let entries = match entries {
            Ok(entries) => entries,
            Err(why) => {
                searched.unseen(format!("the {kind} directory {}", directory.display()), &why);
                continue;
            }
        };
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(of) if of.is_dir() => directories.push(path),
                Ok(of) if of.is_file() => look_into(kind, path, needles, searched),
                // A link leads elsewhere; what it leads to is named by its own path.
                Ok(_) => {}
                Err(why) => searched.unseen(format!("the {kind} file {}", path.display()), &why.into()),
            }
        }
    }
}

fn look_into(kind: &str, path: PathBuf, needles: &Needles, searched: &mut Searched) {
    searched.files += 1;
    match found_in(&path, needles) {
        Ok(whats) => {
            for what in whats {
                let remedy = match kind {
                    "log" => "delete the file, or what it says of the user; find out which program wrote it".to_owned(),
                    _ => format!("delete it: rm {}", path.display()),
                };
                searched.note(Found {
                    what: what.to_owned(),
                    place: format!("the {kind} file {}", path.display()),
                    remedy,
                });
            }
        }
        Err(why) => searched.unseen(format!("the {kind} file {}", path.display()), &why),
    }
}

fn found_in(path: &Path, needles: &Needles) -> anyhow::Result<Vec<&'static str>> {
    let mut file = File::open(path).context("cannot be opened")?;
    let (mut piece, mut kept, mut found) = (vec![0; PIECE], 0, Vec::new());
    let overlap = needles.longest() * 3;
    piece.resize(PIECE + overlap, 0);
    loop {
        let count = file.read(&mut piece[kept..]).context("cannot be read")?;
        let filled = kept + count;
        found.extend(needles.find(&piece[..filled]));
        found.extend(needles.find(&unquoted(&piece[..filled])));
        if count == 0 {
            break;
        }
        // A text may lie across two pieces.
        kept = filled.min(overlap);
        piece.copy_within(filled - kept..filled, 0);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Bytes without the quoted-printable form of mails (RFC 2045, section 6.7).
pub(super) fn unquoted(bytes: &[u8]) -> Vec<u8> {
    let (mut plain, mut place) = (Vec::with_capacity(bytes.len()), 0);
    while place < bytes.len() {
        match &bytes[place..] {
            [b'=', b'\r', b'\n', ..] => place += 3,
            [b'=', b'\n', ..] => place += 2,
            [b'=', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit =
                    |hex: u8| char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
                plain.push(digit(*high) * 16 + digit(*low));
                place += 3;
            }
            [byte, ..] => {
                plain.push(*byte);
                place += 1;
            }
            [] => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_lies_in_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).expect("a directory");
        let needles = Needles::new([("1 Canary Road, Ålesund".to_owned(), "an address")]).unwrap();
        for (name, before, text) in [
            ("begins", 0, "1 Canary Road, Ålesund"),
            ("across", PIECE - 5, "1 Canary Road, Ålesund"),
            ("quoted", 3, "1 Canary Ro=\r\nad, =C3=85lesund"),
            ("other", 9, "2 Canary Road, Ålesund"),
        ] {
            std::fs::write(inner.join(name), format!("{}{text}", "x".repeat(before))).expect("written");
        }
        let mut searched = Searched::default();
        look("log", directory.path(), &needles, &mut searched);
        let mut places: Vec<&str> =
            searched.found.iter().map(|found| found.place.rsplit('/').next().unwrap_or("")).collect();
        places.sort_unstable();
        assert_eq!((places, searched.files), (vec!["across", "begins", "quoted"], 4));
        look("log", &directory.path().join("absent"), &needles, &mut searched);
        assert!(searched.unseen[0].contains("absent: cannot be read"), "{:?}", searched.unseen);
    }
}
