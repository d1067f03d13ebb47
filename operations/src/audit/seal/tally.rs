//! Counts and digests by the last digits of order ids: enough to notice that some order has changed, and to narrow down which.

use std::collections::{BTreeMap, BTreeSet};

use events::OrderId;
use serde::{Deserialize, Serialize};

/// Orders whose ids end in the same three hexadecimal digits or, for [`Share::NOBODYS`], names that are not ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share(u16);

impl Share {
    /// Number of shares of order ids. The end of an id is random in every version that order ids have.
    pub const COUNT: u16 = 1 << 12;
    /// Counts names that do not end as an id does.
    const NOBODYS: Share = Share(Share::COUNT);

    pub fn of(order: OrderId) -> Self {
        let bytes = order.0.as_bytes();
        Share(u16::from_be_bytes([bytes[14] & 0x0f, bytes[15]]))
    }

    /// The share of an id's text, or of its last three characters.
    pub(super) fn of_text(text: &str) -> Self {
        let end: Vec<char> = text.chars().rev().take(3).collect();
        if end.len() < 3 {
            return Share::NOBODYS;
        }
        let digits: Option<Vec<u32>> = end.iter().map(|digit| digit.to_digit(16)).collect();
        let number =
            digits.and_then(|digits| u16::try_from(digits.iter().rev().fold(0, |sum, digit| sum << 4 | digit)).ok());
        number.map_or(Share::NOBODYS, Share)
    }

    /// The digits that its ids end in; None for [`Share::NOBODYS`].
    pub(in crate::audit) fn digits(self) -> Option<String> {
        (self != Share::NOBODYS).then(|| format!("{:03x}", self.0))
    }
}

/// A number for each share. Adding and removing the same value cancel out, so a sum of digests works like a count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(BTreeMap<Share, u64>);

impl Tally {
    pub fn add(&mut self, share: Share, number: u64) {
        self.change(share, |sum| sum.wrapping_add(number));
    }

    pub fn take(&mut self, share: Share, number: u64) {
        self.change(share, |sum| sum.wrapping_sub(number));
    }

    pub(super) fn take_all(&mut self, other: &Tally) {
        other.0.iter().for_each(|(share, number)| self.take(*share, *number));
    }

    /// Sum over all shares.
    pub(super) fn sum(&self) -> u64 {
        self.0.values().fold(0, |sum, number| sum.wrapping_add(*number))
    }

    fn change(&mut self, share: Share, change: impl Fn(u64) -> u64) {
        let sum = change(self.0.get(&share).copied().unwrap_or(0));
        // Zeros are not stored, so that equal sums make equal tallies.
        if sum == 0 {
            self.0.remove(&share);
        } else {
            self.0.insert(share, sum);
        }
    }

    /// The shares in which two tallies differ.
    pub fn differences(&self, other: &Tally) -> BTreeSet<Share> {
        let shares = self.0.keys().chain(other.0.keys());
        shares.filter(|share| self.0.get(share) != other.0.get(share)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_order_is_in_the_share_of_its_text_however_it_is_written() {
        for _ in 0..100 {
            let order = OrderId(Uuid::new_v4());
            let share = Share::of(order);
            let text = order.to_string();
            for text in [&text, &text.to_uppercase(), &text.replace('-', ""), &text[33..]] {
                assert_eq!(Share::of_text(text), share, "{text}");
            }
            assert!(text.ends_with(&share.digits().unwrap()));
        }
        for text in ["", "ab", "no order", "{00000000-0000-0000-0000-000000000000}"] {
            assert_eq!(Share::of_text(text), Share::NOBODYS, "{text}");
        }
        assert_eq!(Share::NOBODYS.digits(), None);
    }

    #[test]
    fn tallies_differ_where_their_numbers_do() {
        let (one, other) = (Share(1), Share(2));
        let mut tally = Tally::default();
        tally.add(one, 3);
        tally.add(other, u64::MAX);
        let mut less = tally.clone();
        less.take(other, u64::MAX);
        assert_eq!(tally.differences(&less), BTreeSet::from([other]));
        assert_eq!(less.differences(&tally), BTreeSet::from([other]));
        less.take(one, 3);
        assert_eq!(less, Tally::default());
        tally.add(other, 2);
        assert_eq!(tally.0[&other], 1, "sums of digests go round");
    }
}
