//! The keys of the persons that a batch is about, and what can be sealed and opened with them. No I/O.

use std::collections::BTreeMap;

use crate::{key::PersonKey, sealed::Sealed};

/// What is held of a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// His key.
    Key(PersonKey),
    /// His key has been erased, and no other will be made.
    Erased,
    /// A key that cannot be used, for this reason: it was tampered with, or the keyring lacks the key that wraps it.
    Unusable(String),
}

/// The keys of some persons. The default seals nothing: for systems without a keeper of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonKeys(Option<BTreeMap<i64, Held>>);

/// A person's key cannot be used. It concerns what is about this person, and nobody else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key of person {person} cannot be used: {why}")]
pub struct Unusable {
    /// The person.
    pub person: i64,
    /// The reason.
    pub why: String,
}

/// The reason why a text cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// The person's data has been erased.
    #[error("the person's data has been erased")]
    Erased,
    /// The person's key is not among those that were asked for.
    #[error("the person's key has not been asked for")]
    Unknown,
    /// The person's key cannot be used.
    #[error("the person's key cannot be used")]
    Unusable,
    /// The text belongs elsewhere.
    #[error("it was sealed with another key, for another person or place, or has been tampered with")]
    Forged,
}

impl PersonKeys {
    /// These keys.
    pub fn sealing(held: impl IntoIterator<Item = (i64, Held)>) -> Self {
        PersonKeys(Some(held.into_iter().collect()))
    }

    /// Returns whether texts are sealed at all.
    pub fn is_sealing(&self) -> bool {
        self.0.is_some()
    }

    /// The key of this person alone.
    #[must_use]
    pub fn only(&self, person: i64) -> Self {
        PersonKeys(
            self.0
                .as_ref()
                .map(|held| held.get_key_value(&person).map(|(one, held)| (*one, held.clone())).into_iter().collect()),
        )
    }

    /// Returns whether this person has been erased.
    pub fn is_erased(&self, person: i64) -> bool {
        self.0.as_ref().is_some_and(|held| held.get(&person) == Some(&Held::Erased))
    }

    /// The same keys, for a decision that needs each of them.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn usable(self) -> Result<Self, Unusable> {
        let unusable = self.0.iter().flatten().find_map(|(person, held)| match held {
            Held::Unusable(why) => Some(Unusable { person: *person, why: why.clone() }),
            Held::Key(_) | Held::Erased => None,
        });
        unusable.map_or(Ok(self), Err)
    }

    /// The text as it may be stored and published: sealed, or as it is if nothing is sealed at all.
    ///
    /// # Errors
    /// If the person has been erased, or his key is not there or cannot be used.
    ///
    /// # Panics
    /// If the place is not made of 1 to 200 letters, digits, `/`, `_`, `.` and `-`.
    pub fn seal(&self, person: i64, place: &str, text: &str) -> Result<String, Unsealed> {
        assert!(crate::sealed::is_place(place), "`{place}` is no place");
        let Some(held) = &self.0 else { return Ok(text.to_owned()) };
        Ok(key(held, person)?.seal(person, place, text).to_string())
    }

    /// The text itself. One that is not sealed is returned as it is: it was stored or published before texts were sealed.
    ///
    /// # Errors
    /// If the person has been erased, his key is not there or cannot be used, or the text was sealed for another person or place
    /// or was changed.
    pub fn open(&self, person: i64, place: &str, text: &str) -> Result<String, Unsealed> {
        let held = match &self.0 {
            Some(held) if Sealed::claims(text) => held,
            Some(_) | None => return Ok(text.to_owned()),
        };
        let sealed: Sealed = text.parse().map_err(|_| Unsealed::Forged)?;
        if (sealed.person(), sealed.place()) != (person, place) {
            return Err(Unsealed::Forged);
        }
        key(held, person)?.open(&sealed).ok_or(Unsealed::Forged)
    }

    /// The text itself, wherever it belongs; one that is not sealed, or cannot be opened, as it is. For those who compare what is
    /// stored in several places, not for those who act on it.
    pub fn shown(&self, text: &str) -> String {
        let opened = text.parse::<Sealed>().ok().and_then(|sealed| {
            let held = self.0.as_ref()?;
            key(held, sealed.person()).ok()?.open(&sealed)
        });
        opened.unwrap_or_else(|| text.to_owned())
    }
}

fn key(held: &BTreeMap<i64, Held>, person: i64) -> Result<&PersonKey, Unsealed> {
    match held.get(&person) {
        Some(Held::Key(key)) => Ok(key),
        Some(Held::Erased) => Err(Unsealed::Erased),
        Some(Held::Unusable(_)) => Err(Unsealed::Unusable),
        None => Err(Unsealed::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "10 Downing Street";

    fn both() -> PersonKeys {
        PersonKeys::sealing([(1, Held::Key(PersonKey::generate())), (2, Held::Key(PersonKey::generate()))])
    }

    #[test]
    fn a_text_opens_for_its_person_and_place_alone() {
        let keys = both();
        let sealed = keys.seal(1, "order/1/ship_to", TEXT).expect("sealed");
        assert!(!sealed.contains("Downing"));
        assert_eq!(keys.open(1, "order/1/ship_to", &sealed).as_deref(), Ok(TEXT));
        assert_eq!(keys.open(2, "order/1/ship_to", &sealed), Err(Unsealed::Forged));
        assert_eq!(keys.open(1, "order/2/ship_to", &sealed), Err(Unsealed::Forged));
        // The label changed with the claim, as by somebody who may write both rows.
        let moved = sealed.replace("order/1/", "order/2/");
        assert_eq!(keys.open(1, "order/2/ship_to", &moved), Err(Unsealed::Forged));
        let taken = sealed.replace("sealed:v1:1:", "sealed:v1:2:");
        assert_eq!(keys.open(2, "order/1/ship_to", &taken), Err(Unsealed::Forged));
        assert_eq!(both().open(1, "order/1/ship_to", &sealed), Err(Unsealed::Forged), "another key");
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let keys = both();
        let sealed = keys.seal(1, "p", TEXT).expect("sealed");
        for place in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // Where the mark itself is broken, it is somebody's plain text.
            assert_ne!(keys.open(1, "p", &changed).as_deref(), Ok(TEXT), "{place}");
        }
    }

    #[test]
    fn the_same_text_at_the_same_place_is_sealed_the_same_way_and_nowhere_else() {
        let keys = both();
        let seal =
            |person, place| keys.seal(person, place, TEXT).expect("sealed").rsplit(':').next().map(str::to_owned);
        assert_eq!(seal(1, "p"), seal(1, "p"));
        assert_ne!(seal(1, "p"), seal(1, "q"));
        assert_ne!(seal(1, "p"), seal(2, "p"));
    }

    #[test]
    fn nothing_is_sealed_or_opened_for_an_erased_person() {
        let keys = both();
        let sealed = keys.seal(1, "p", TEXT).expect("sealed");
        let after = PersonKeys::sealing([(1, Held::Erased)]);
        assert!(after.is_erased(1) && !keys.is_erased(1));
        assert_eq!(after.open(1, "p", &sealed), Err(Unsealed::Erased));
        assert_eq!(after.seal(1, "p", TEXT), Err(Unsealed::Erased));
        assert_eq!(after.seal(9, "p", TEXT), Err(Unsealed::Unknown));
        assert_eq!(after.shown(&sealed), sealed);
        assert_eq!(keys.shown(&sealed), TEXT);
    }

    #[test]
    fn a_key_that_cannot_be_used_is_its_persons_alone() {
        let keys = PersonKeys::sealing([
            (1, Held::Key(PersonKey::generate())),
            (2, Held::Unusable("it was tampered with".to_owned())),
        ]);
        let sealed = keys.seal(1, "p", TEXT).expect("sealed");
        assert_eq!(keys.open(1, "p", &sealed).as_deref(), Ok(TEXT));
        assert_eq!(keys.seal(2, "p", TEXT), Err(Unsealed::Unusable));
        assert!(!keys.is_erased(2));
        keys.only(1).usable().expect("his own");
        assert_eq!(keys.usable(), Err(Unusable { person: 2, why: "it was tampered with".to_owned() }));
    }

    #[test]
    fn without_keys_texts_stay_as_they_are_and_old_ones_are_read_with_keys() {
        let none = PersonKeys::default();
        assert_eq!(none.seal(1, "p", TEXT).as_deref(), Ok(TEXT));
        assert_eq!(none.open(1, "p", TEXT).as_deref(), Ok(TEXT));
        assert_eq!(both().open(1, "p", TEXT).as_deref(), Ok(TEXT));
    }

    /// A client who says that his text is sealed has it sealed once more, and gets it back as he gave it.
    #[test]
    fn a_text_that_only_says_that_it_is_sealed_is_nobodys() {
        let keys = both();
        let anothers = keys.seal(2, "order/1/ship_to", TEXT).expect("sealed");
        let mine = keys.seal(1, "order/1/ship_to", &anothers).expect("sealed");
        assert_eq!(keys.open(1, "order/1/ship_to", &mine), Ok(anothers));
    }

    /// What is stored can only be opened with the same authenticated data.
    #[test]
    fn the_form_never_changes() {
        let key = sealing::Key::from_bytes(&[7; 32]).expect("32 bytes");
        let keys = PersonKeys::sealing([(1, Held::Key(PersonKey::of(key)))]);
        let sealed = keys.seal(1, "p", "text").expect("sealed");
        assert_eq!(sealed, "sealed:v1:1:p:u6AfY+gksXUdOEQE859nL+Q/ZbU=");
    }
}
