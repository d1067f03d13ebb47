//! Parsing of settings that may contain a password: errors describe the problem without repeating the value.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};

/// Parses a setting with a function whose error does not repeat the text either. For `#[arg(value_parser = …)]`; clap's
/// own parsers quote the value.
#[derive(Debug)]
pub struct Unechoed<T>(pub fn(&str) -> Result<T, String>);

impl<T> Clone for Unechoed<T> {
    fn clone(&self) -> Self {
        Unechoed(self.0)
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unechoed<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let parsed = value.to_str().ok_or_else(|| "it is not UTF-8 text".to_owned()).and_then(self.0);
        parsed.map_err(|why| {
            let name = argument.map_or_else(|| "an argument".to_owned(), |argument| format!("'{argument}'"));
            let variable = argument.and_then(Arg::get_env).and_then(OsStr::to_str);
            let variable = variable.map(|variable| format!(" ({variable})")).unwrap_or_default();
            Error::raw(ErrorKind::ValueValidation, format!("invalid value for {name}{variable}: {why}\n"))
                .with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn number(text: &str) -> Result<u32, String> {
        text.parse().map_err(|_| "not a number".to_owned())
    }

    #[derive(Debug, Parser)]
    struct Args {
        #[arg(long, env = "UNECHOED_TEST", hide_env_values = true, value_parser = Unechoed(number))]
        number: u32,
    }

    #[test]
    fn an_error_names_the_setting_and_not_its_value() {
        for bad in ["s3cret", "7s3cret", " s3cret "] {
            let error = Args::try_parse_from(["program", "--number", bad]).expect_err("no number").to_string();
            assert!(error.contains("--number") && error.contains("UNECHOED_TEST"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
