//! Errors of the JSON parser without the text that was parsed. The parser quotes what does not fit, and that may name a person;
//! its errors go into logs, dead letters and tables that anyone on duty reads.

use serde_json::{Error, error::Category};

/// Kinds of values, as the parser names them.
const KINDS: [&str; 9] =
    ["boolean", "byte array", "character", "floating point", "integer", "map", "null", "sequence", "string"];

/// What is wrong and where, in words of the program's own: names of fields and types that were expected, and the kind of value
/// that came.
pub fn unquoted(error: &Error) -> String {
    let text = error.to_string();
    match error.classify() {
        // About the grammar: these have fixed texts.
        Category::Syntax | Category::Eof | Category::Io => text,
        Category::Data => {
            let said = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
            let place = format!("at line {} column {}", error.line(), error.column());
            format!("{} {place}", misfit(said))
        }
    }
}

fn misfit(said: &str) -> String {
    let named = |start| said.strip_prefix(start).filter(|name| is_own_name(name)).map(|name| format!("{start}{name}"));
    let expected = said.rfind(", expected ").map(|at| &said[at..]).filter(|rest| !rest.contains(['"', '\n']));
    let kind = |start: &str| {
        let value = said.strip_prefix(start)?;
        let kind = KINDS.into_iter().find(|kind| value.starts_with(kind)).unwrap_or("another value");
        Some(format!("{start}{kind}{}", expected.unwrap_or_default()))
    };
    named("missing field ")
        .or_else(|| named("duplicate field "))
        .or_else(|| kind("invalid type: "))
        .or_else(|| kind("invalid value: "))
        .or_else(|| said.starts_with("unknown field ").then(|| "unknown field".to_owned()))
        .or_else(|| said.starts_with("unknown variant ").then(|| "unknown variant".to_owned()))
        .unwrap_or_else(|| "a value that does not fit".to_owned())
}

/// Names of fields in our programs: clients' names are not quoted by these errors.
fn is_own_name(quoted: &str) -> bool {
    let name = quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Asked {
        number: i64,
        small: Option<u8>,
        id: Option<Uuid>,
        word: Option<Word>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        One,
    }

    fn error(json: &str) -> String {
        unquoted(&serde_json::from_str::<Asked>(json).expect_err("refused"))
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        for (json, said) in [
            ("{}", "missing field `number` at line 1 column 2"),
            (r#"{"number":1,"number":2}"#, "duplicate field `number` at line 1 column 20"),
            (r#"{"number":"x"}"#, "invalid type: string, expected i64 at line 1 column 13"),
            (r#"{"number":null}"#, "invalid type: null, expected i64 at line 1 column 14"),
            (r#"{"number":1.5}"#, "invalid type: floating point, expected i64 at line 1 column 13"),
            (r#"{"number":1,"small":700}"#, "invalid value: integer, expected u8 at line 1 column 23"),
            (r#"{"number":1,"x":1}"#, "unknown field at line 1 column 15"),
            (r#"{"number":1,"word":"x"}"#, "unknown variant at line 1 column 22"),
            ("[1", "EOF while parsing a list at line 1 column 2"),
            ("x", "expected value at line 1 column 1"),
        ] {
            assert_eq!(error(json), said, "{json}");
        }
    }

    /// Whatever form the text has, also one that looks like a part of an error.
    #[test]
    fn no_error_quotes_what_was_sent() {
        for text in [
            "canary",
            "canary, expected canary",
            "canary`, expected `canary",
            "missing field `canary`",
            "canary at line 1 column 2, expected canary",
            "4010canary",
        ] {
            let text = serde_json::Value::from(text).to_string();
            for json in [
                format!(r#"{{"number":{text}}}"#),
                format!(r#"{{"number":1,"small":{text}}}"#),
                format!(r#"{{"number":1,"id":{text}}}"#),
                format!(r#"{{"number":1,"word":{text}}}"#),
                format!(r#"{{"number":1,{text}:1}}"#),
                format!(r#"{{"number":1,"word":{{{text}:1}}}}"#),
                text.clone(),
                format!(r#"{{"number":{text}"#),
                "{\"number\":canary}".to_owned(),
            ] {
                let said = error(&json);
                assert!(!said.contains("canary") && !said.contains("4010"), "{json}: {said}");
            }
        }
        assert!(!error(r#"{"number":1,"small":4010}"#).contains("4010"));
    }
}
