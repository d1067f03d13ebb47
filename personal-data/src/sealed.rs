//! A sealed text.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

/// The beginning of every sealed text of this version.
const PREFIX: &str = "sealed:v1:";
/// Maximum length of a place in bytes.
const PLACE_BYTES: usize = 200;

/// A sealed text, and where it belongs. Its text is `sealed:v1:<person>:<place>:<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) person: i64,
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
}

/// The text is no sealed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not of the form {PREFIX}<person>:<place>:<base64>")]
pub struct Malformed;

impl Sealed {
    /// The person under whose key it is sealed.
    pub fn person(&self) -> i64 {
        self.person
    }

    /// What the text is and where it belongs.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Returns whether a text says that it is sealed, whether or not it is well-formed.
    pub fn claims(text: &str) -> bool {
        text.starts_with(PREFIX)
    }
}

/// Returns whether this may be a place: 1 to 200 letters, digits, `/`, `_`, `.` and `-`.
pub(crate) fn is_place(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-".contains(&byte);
    (1..=PLACE_BYTES).contains(&text.len()) && text.bytes().all(fits)
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}:{}:{}", self.person, self.place, BASE64.encode(&self.bytes))
    }
}

impl FromStr for Sealed {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.strip_prefix(PREFIX).ok_or(Malformed)?.split(':');
        let (Some(person), Some(place), Some(bytes), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed);
        };
        let person = person.parse().map_err(|_| Malformed)?;
        let bytes = BASE64.decode(bytes).map_err(|_| Malformed)?;
        let sealed = Sealed { person, place: place.to_owned(), bytes };
        // One text for each value: otherwise a changed text could still open.
        if is_place(place) && sealed.to_string() == text { Ok(sealed) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_is_written_and_no_other_form_is() {
        let text = "sealed:v1:-7:order/1/ship_to:AAEC";
        let sealed: Sealed = text.parse().expect("sealed");
        assert_eq!((sealed.person(), sealed.place(), sealed.to_string().as_str()), (-7, "order/1/ship_to", text));
        for other in [
            "",
            "10 Downing Street",
            "sealed:v2:7:p:AAEC",
            "sealed:v1:7:p",
            "sealed:v1:7:p:AAEC:",
            "sealed:v1:+7:p:AAEC",
            "sealed:v1:07:p:AAEC",
            "sealed:v1::p:AAEC",
            "sealed:v1:7::AAEC",
            "sealed:v1:7:a b:AAEC",
            "sealed:v1:7:p:AAEC\n",
            "sealed:v1:7:p:AAE",
            " sealed:v1:7:p:AAEC",
            &format!("sealed:v1:7:{}:AAEC", "p".repeat(201)),
        ] {
            assert_eq!(other.parse::<Sealed>(), Err(Malformed), "{other:?}");
        }
        assert!(Sealed::claims("sealed:v1:nonsense") && !Sealed::claims("a sealed:v1:"));
    }
}
