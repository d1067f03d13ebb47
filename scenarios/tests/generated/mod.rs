//! Generated parts of documents. `UPDATE_DOCS=1` rewrites them.

use std::{fs, path::PathBuf};

/// A path under the root of the project.
pub(crate) fn in_project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Compares the part of `page` between `<!-- name -->` and `<!-- /name -->` with `generated`.
pub(crate) fn part(page: &str, name: &str, generated: &str) {
    let path = in_project(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("{page} has no {begin}")) + begin.len();
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let written = fs::write(&path, format!("{}{generated}{}", &text[..from], &text[to..]));
        written.unwrap_or_else(|error| panic!("{page} cannot be written: {error}"));
        return;
    }
    assert_eq!(&text[from..to], generated, "`{name}` in {page} differs from the code; UPDATE_DOCS=1 writes it anew");
}
