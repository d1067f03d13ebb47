//! The provider's configurable failures; they can be changed while it runs.

use std::{str::FromStr, time::Duration};

use clap::Args;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{fingerprint::Fingerprint, payment::Card};

/// Settings for an operator or a test. In JSON, a missing field takes its default.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds between booking and answering; a client with a shorter timeout loses the answer.
    #[arg(long, env = "DELAY_MS", hide_env_values = true, default_value_t = 0)]
    pub delay_ms: u64,
    /// Fraction of requests answered with 503, half of them although they were carried out.
    #[arg(long, env = "FAILURE_RATE", hide_env_values = true, default_value = "0")]
    pub failure_rate: Rate,
    /// Tokens of cards that refuse every charge.
    #[arg(
        long,
        env = "DECLINED_TOKENS",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "tok_declined"
    )]
    pub declined_tokens: Vec<String>,
    /// Tokens of cards that accept the authorization but refuse the capture.
    #[arg(
        long,
        env = "CAPTURE_DECLINED_TOKENS",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "tok_capture_declined"
    )]
    pub capture_declined_tokens: Vec<String>,
    /// Tokens of cards whose bank answers a charge slowly.
    #[arg(long, env = "SLOW_TOKENS", hide_env_values = true, value_delimiter = ',', default_value = "tok_slow")]
    pub slow_tokens: Vec<String>,
    /// Delay of such a bank before anything is booked, in milliseconds.
    #[arg(long, env = "SLOW_MS", hide_env_values = true, default_value_t = 4000)]
    pub slow_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            delay_ms: 0,
            failure_rate: Rate(0.0),
            declined_tokens: vec!["tok_declined".to_owned()],
            capture_declined_tokens: vec!["tok_capture_declined".to_owned()],
            slow_tokens: vec!["tok_slow".to_owned()],
            slow_ms: 4000,
        }
    }
}

impl Settings {
    /// Delay of the card's bank.
    pub fn bank_takes(&self, card: &Fingerprint) -> Duration {
        if self.slow_tokens.iter().any(|slow| card.is(slow)) {
            Duration::from_millis(self.slow_ms)
        } else {
            Duration::ZERO
        }
    }

    /// Behaviour of a card.
    pub fn card(&self, card: &Fingerprint) -> Card {
        if self.declined_tokens.iter().any(|declined| card.is(declined)) {
            Card::Declined
        } else if self.capture_declined_tokens.iter().any(|declined| card.is(declined)) {
            Card::CaptureDeclined
        } else {
            Card::Good
        }
    }
}

/// A probability, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// Draws at random whether and how one request fails.
    pub fn draw(self) -> Option<Trouble> {
        let mut rng = rand::rng();
        rng.random_bool(self.0).then(|| if rng.random() { Trouble::BeforeBooking } else { Trouble::AfterBooking })
    }
}

/// The moment at which a request fails. The client cannot tell the two apart; both happen at real providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    BeforeBooking,
    AfterBooking,
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&rate) { Ok(Rate(rate)) } else { Err(format!("a rate is between 0 and 1, not {rate}")) }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> f64 {
        rate.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate: f64 = text.parse().map_err(|_| format!("a rate is a number between 0 and 1, not {text:?}"))?;
        rate.try_into()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn the_command_line_and_json_have_the_same_defaults() {
        assert_eq!(Program::parse_from(["gateway"]).settings, Settings::default());
        assert_eq!(serde_json::from_str::<Settings>("{}").expect("all is optional"), Settings::default());
    }

    #[test]
    fn a_rate_is_a_probability() {
        for good in ["0", "0.25", "1"] {
            assert!(good.parse::<Rate>().is_ok(), "{good}");
        }
        for bad in ["-0.1", "1.1", "NaN", "inf", "much"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"failure_rate":2}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"failure_rates":0.2}"#).is_err(), "a typing error is no setting");
    }

    #[test]
    fn never_and_always_are_certain() {
        assert!((0..100).all(|_| Rate(0.0).draw().is_none()));
        let troubles: Vec<_> = (0..200).map(|_| Rate(1.0).draw().expect("always")).collect();
        assert!(troubles.contains(&Trouble::BeforeBooking) && troubles.contains(&Trouble::AfterBooking));
    }

    #[test]
    fn a_token_tells_how_its_card_behaves() {
        let settings = Settings::default();
        let card = |token| settings.card(&Fingerprint::of(token));
        assert_eq!(card("tok_visa"), Card::Good);
        assert_eq!(card("tok_declined"), Card::Declined);
        assert_eq!(card("tok_capture_declined"), Card::CaptureDeclined);
        assert_eq!(settings.bank_takes(&Fingerprint::of("tok_visa")), Duration::ZERO);
        assert_eq!(settings.bank_takes(&Fingerprint::of("tok_slow")), Duration::from_secs(4));
    }
}
