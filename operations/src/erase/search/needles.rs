//! The texts that are looked for, in the forms in which they are kept.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use anyhow::Context;

/// Least number of characters of a text that is looked for: a shorter one would be found everywhere.
const LEAST: usize = 4;

/// Texts to look for.
#[derive(Debug, Clone)]
pub struct Needles {
    finder: AhoCorasick,
    /// What each form is a form of.
    whats: Vec<&'static str>,
    texts: usize,
    too_short: Vec<&'static str>,
    /// Length in bytes of the longest form.
    longest: usize,
}

impl Needles {
    /// Texts, and what each is.
    ///
    /// # Errors
    /// If they are too many to be looked for at once.
    pub fn new(texts: impl IntoIterator<Item = (String, &'static str)>) -> anyhow::Result<Self> {
        let (mut forms, mut too_short, mut count) = (BTreeMap::new(), Vec::new(), 0);
        for (text, what) in texts {
            if text.chars().count() < LEAST {
                too_short.push(what);
                continue;
            }
            count += 1;
            for form in forms_of(&text) {
                forms.entry(form).or_insert(what);
            }
        }
        let longest = forms.keys().map(Vec::len).max().unwrap_or(0);
        let (patterns, whats): (Vec<Vec<u8>>, Vec<&'static str>) = forms.into_iter().unzip();
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns);
        let finder = finder.with_context(|| format!("{count} texts are too many to look for"))?;
        Ok(Needles { finder, whats, texts: count, too_short, longest })
    }

    /// What is found in these bytes, each once.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<&'static str> {
        let mut found: Vec<&'static str> = self
            .finder
            .find_overlapping_iter(bytes)
            .filter_map(|found| self.whats.get(found.pattern().as_usize()).copied())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn count(&self) -> usize {
        self.texts
    }

    pub(super) fn too_short(&self) -> Vec<&'static str> {
        self.too_short.clone()
    }

    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

/// As it is, with the line ends of a mail, within JSON, and within JSON that is all ASCII.
fn forms_of(text: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(text).to_string();
    let json = json.trim_matches('"');
    let ascii: String = json
        .chars()
        .map(|letter| match letter {
            letter if letter.is_ascii() => letter.to_string(),
            letter => letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect();
    let mail = text.replace("\r\n", "\n").replace('\n', "\r\n");
    [text, json, &ascii, &mail].map(|form| form.as_bytes().to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_every_form_in_which_it_is_kept() {
        let text = "Strähle \"Canary\"\nRoad 1";
        let needles = Needles::new([(text.to_owned(), "an address"), ("abc".to_owned(), "a name")]).expect("a finder");
        let json = serde_json::json!({ "ship_to": text }).to_string();
        for haystack in [
            format!("…{text}…"),
            text.to_uppercase().replace('Ä', "ä"),
            json.clone(),
            json.replace('ä', "\\u00e4"),
            text.replace('\n', "\r\n"),
        ] {
            assert_eq!(needles.find(haystack.as_bytes()), ["an address"], "{haystack}");
        }
        assert!(needles.find(b"Canary Road 1, abc").is_empty());
        assert_eq!((needles.count(), needles.too_short()), (1, vec!["a name"]));
        assert!(Needles::new([]).expect("a finder").find(b"anything").is_empty());
    }
}
