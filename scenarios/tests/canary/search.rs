//! The search: where a text is, however a program has written it.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// Part of everything that is looked for; the canary's name follows, in lower-case letters.
pub(crate) const CANARY: &str = "canary7d1f";

/// A text with the canary of this name in it.
pub(crate) fn canary(name: &str) -> String {
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
    format!("{CANARY}{name}")
}

/// A place that was looked at, and what is there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Place {
    pub(crate) fn new(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Place { name: name.into(), text: String::from_utf8_lossy(bytes.as_ref()).into_owned() }
    }
}

/// A text in every form in which a program might write it.
pub(crate) struct Wanted {
    /// In lower case: capitals disguise nothing.
    folded: Vec<String>,
    exact: Vec<String>,
}

impl Wanted {
    pub(crate) fn new(text: &str) -> Self {
        let each = |form: fn(u8) -> String, between: &str| {
            text.to_lowercase().bytes().map(form).collect::<Vec<_>>().join(between)
        };
        let folded = vec![
            text.to_lowercase(),
            each(|byte| format!("{byte:02x}"), ""),
            each(|byte| format!("%{byte:02x}"), ""),
            each(|byte| format!("={byte:02x}"), ""),
            each(|byte| format!("\\u{byte:04x}"), ""),
            each(|byte| format!("\\x{byte:02x}"), ""),
            each(|byte| byte.to_string(), ","),
            each(|byte| byte.to_string(), ", "),
        ];
        let exact = (0..3).flat_map(|before| in_base64(text, before)).collect();
        Wanted { folded, exact }
    }

    /// Positions at which it is found, in the text or in its lower-case form.
    fn position(&self, text: &str, lower: &str) -> Option<usize> {
        let folded = self.folded.iter().filter_map(|form| lower.find(form.as_str()));
        folded.chain(self.exact.iter().filter_map(|form| text.find(form.as_str()))).min()
    }
}

/// The digits that the text alone decides on, if it lies so many bytes behind a multiple of three: in both alphabets.
fn in_base64(text: &str, before: usize) -> Vec<String> {
    let bytes = [&vec![0; before][..], text.as_bytes()].concat();
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    let own = encoded[first..last].to_owned();
    let other = own.replace('+', "-").replace('/', "_");
    BTreeSet::from([own, other]).into_iter().collect()
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) place: String,
    pub(crate) what: String,
    /// What is around it.
    pub(crate) near: String,
}

/// What to look for: canaries, and texts that cannot have one in them.
pub(crate) struct Search {
    any: Wanted,
    canaries: Vec<(String, Wanted)>,
    others: Vec<(String, Wanted)>,
}

impl Search {
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>, others: &[(String, String)]) -> Self {
        let canaries = names.into_iter().map(|name| (name.to_owned(), Wanted::new(&canary(name)))).collect();
        let others = others.iter().map(|(what, text)| (what.clone(), Wanted::new(text))).collect();
        Search { any: Wanted::new(CANARY), canaries, others }
    }

    pub(crate) fn find(&self, places: &[Place]) -> BTreeSet<Found> {
        places.iter().flat_map(|place| self.find_in(place)).collect()
    }

    fn find_in(&self, place: &Place) -> Vec<Found> {
        let lower = place.text.to_lowercase();
        let mut found = Vec::new();
        let mut look = |what: &str, wanted: &Wanted| {
            let at = wanted.position(&place.text, &lower);
            found.extend(at.map(|at| Found {
                place: place.name.clone(),
                what: what.to_owned(),
                near: near(&lower, at),
            }));
            at.is_some()
        };
        for (what, wanted) in &self.others {
            look(what, wanted);
        }
        let any = self.any.position(&place.text, &lower);
        if let Some(at) = any {
            let known = self.canaries.iter().filter(|(name, wanted)| look(name, wanted)).count();
            if known == 0 {
                let near = near(&lower, at);
                found.push(Found { place: place.name.clone(), what: "an unknown canary".to_owned(), near });
            }
        }
        found
    }
}

fn near(text: &str, at: usize) -> String {
    let from = (0..=at.saturating_sub(160)).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0);
    let to = (at + 120..text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(text.len());
    text.get(from..to).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE;

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let search = Search::new(["name", "road"], &[("a password".to_owned(), "s3cret".to_owned())]);
        search.find(&[Place::new("there", text)]).into_iter().map(|found| found.what).collect()
    }

    fn every(text: &str, form: impl Fn(u8) -> String) -> String {
        format!("x{}x", text.bytes().map(form).collect::<String>())
    }

    #[test]
    fn a_canary_is_found_in_every_disguise() {
        let name = canary("name");
        let mut disguises = vec![
            format!("Käte {name}@x"),
            name.to_uppercase(),
            every(&name, |byte| format!("{byte:02x}")),
            every(&name, |byte| format!("{byte:02X}")),
            every(&name, |byte| format!("%{byte:02X}")),
            every(&name, |byte| format!("={byte:02X}")),
            every(&name, |byte| format!("\\u{byte:04x}")),
            every(&name, |byte| format!("\\x{byte:02x}")),
            format!("{:?}", name.as_bytes()),
            format!("{:?}", format!("\u{1b}{name}\n")),
            serde_json::to_string(name.as_bytes()).unwrap(),
            serde_json::json!({ "ship_to": format!("\"{name}\"") }).to_string(),
        ];
        for before in ["", "1", "12", "123", "é"] {
            disguises.push(STANDARD_NO_PAD.encode(format!("{before}{name} Road")));
            disguises.push(URL_SAFE.encode(format!("{before}{name}?>")));
        }
        for disguise in disguises {
            assert_eq!(found(&disguise), ["name"], "{disguise}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for text in ["sparrow", "canary", "", "the canary7d1 f name", "Y2FuYXJ5"] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(found(&format!("{CANARY}elsewhere")), ["an unknown canary"]);
        assert_eq!(
            found(&format!("{} and S3CRET in {}", canary("name"), canary("road"))),
            ["a password", "name", "road"]
        );
    }
}
