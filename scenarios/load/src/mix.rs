//! Intended outcomes of the orders of a load, and their shares.

use std::{fmt, str::FromStr};

/// How an order is made, and therefore how it should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Any buyer, any product: completes.
    Happy,
    /// The same, paid by card through the gateway.
    Card,
    /// Completes; all such orders are for the same product.
    HotProduct,
    /// Completes; all such orders have the same buyer.
    HotUser,
    /// The buyer has no money: refused by account.
    NoBalance,
    /// No stock is left: refused by inventory, then payment and balance are compensated.
    NoStock,
}

impl Fate {
    pub const ALL: [Fate; 6] =
        [Fate::Happy, Fate::Card, Fate::HotProduct, Fate::HotUser, Fate::NoBalance, Fate::NoStock];

    pub fn name(self) -> &'static str {
        match self {
            Fate::Happy => "happy",
            Fate::Card => "card",
            Fate::HotProduct => "hot_product",
            Fate::HotUser => "hot_user",
            Fate::NoBalance => "no_balance",
            Fate::NoStock => "no_stock",
        }
    }

    /// Tells whether such an order should complete.
    pub fn completes(self) -> bool {
        match self {
            Fate::Happy | Fate::Card | Fate::HotProduct | Fate::HotUser => true,
            Fate::NoBalance | Fate::NoStock => false,
        }
    }
}

/// Shares of fates, such as `happy=90,no_balance=5,no_stock=5`. The shares need not add up to a hundred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(Fate, u32)>);

impl Mix {
    /// Gives every order the same fate.
    pub fn only(fate: Fate) -> Self {
        Mix(vec![(fate, 1)])
    }

    /// The fate of the order with this number. Deterministic, and the shares hold in every part of a load as well as in all of
    /// it.
    pub fn fate_of(&self, number: u32) -> Fate {
        // Multiples of the golden ratio, modulo 1, are spread as evenly as possible.
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let place = u64::from(number).wrapping_mul(GOLDEN) >> 32;
        let total: u64 = self.0.iter().map(|(_, share)| u64::from(*share)).sum();
        let mut left = (place * total) >> 32;
        for (fate, share) in &self.0 {
            match left.checked_sub(u64::from(*share)) {
                Some(rest) => left = rest,
                None => return *fate,
            }
        }
        Fate::Happy
    }

    /// Tells whether any order has this fate.
    pub fn has(&self, fate: Fate) -> bool {
        self.0.iter().any(|(has, _)| *has == fate)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut shares: Vec<(Fate, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, share) =
                part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form FATE=SHARE"))?;
            let fate = Fate::ALL.into_iter().find(|fate| fate.name() == name.trim()).ok_or_else(|| {
                format!("there is no fate `{name}`; there are {}", Fate::ALL.map(Fate::name).join(", "))
            })?;
            let share = share.trim().parse().map_err(|_| format!("`{share}` is not a whole number"))?;
            if shares.iter().any(|(has, _)| *has == fate) {
                return Err(format!("`{name}` is there twice"));
            }
            if share > 0 {
                shares.push((fate, share));
            }
        }
        if shares.is_empty() { Err("no fate has a share".to_owned()) } else { Ok(Mix(shares)) }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(fate, share)| format!("{}={share}", fate.name())).collect();
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_and_written() {
        let mix: Mix = "happy=90,no_balance=5,no_stock=5".parse().unwrap();
        assert_eq!(mix.to_string(), "happy=90,no_balance=5,no_stock=5");
        assert!(mix.has(Fate::NoStock) && !mix.has(Fate::Card));
    }

    #[test]
    fn what_is_no_mix_is_refused_with_the_reason() {
        for (text, reason) in [
            ("happy", "not of the form"),
            ("joyful=1", "there is no fate `joyful`; there are happy, card"),
            ("happy=many", "not a whole number"),
            ("happy=-1", "not a whole number"),
            ("happy=0", "no fate has a share"),
            ("happy=1,happy=2", "there twice"),
            ("", "not of the form"),
        ] {
            let error = text.parse::<Mix>().unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn shares_hold_in_every_stretch() {
        let mix: Mix = "happy=90,no_balance=5,no_stock=5".parse().unwrap();
        for start in [0, 1_000, 123_456] {
            let stretch = (start..start + 200).map(|number| mix.fate_of(number));
            let happy = stretch.filter(|fate| *fate == Fate::Happy).count();
            assert!((176..=184).contains(&happy), "{happy} of 200 from {start} on");
        }
    }

    #[test]
    fn a_single_fate_is_everybodys() {
        let mix = Mix::only(Fate::NoStock);
        assert!((0..1_000).all(|number| mix.fate_of(number) == Fate::NoStock));
    }
}
