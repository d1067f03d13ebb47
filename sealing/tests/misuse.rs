//! Misuses of a sealed value that must fail, each beside its twin with the lock taken out, where the misuse succeeds.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sealing::{Binding, Envelope, KeyEncryption, KeyError, KeyId, Keyring};
use zeroize::Zeroizing;

const VALUE: &[u8] = b"tok_canary";

/// Keys of two ids, the first one active.
fn keyring() -> Keyring {
    let key = |byte: u8| BASE64.encode([byte; 32]);
    format!("a {} active\nb {}", key(1), key(2)).parse().expect("a keyring")
}

fn id(id: &str) -> KeyId {
    id.parse().expect("an id")
}

fn place() -> Binding {
    Binding::of("people.address").and(b"1")
}

fn opened(keys: &dyn KeyEncryption, text: &str) -> Option<Vec<u8>> {
    let envelope: Envelope = text.parse().ok()?;
    envelope.open(keys, &place()).ok().map(|value| value.to_vec())
}

#[test]
fn what_was_sealed_is_opened_and_never_the_same_twice() {
    let keys = keyring();
    let text = Envelope::seal(&keys, &place(), VALUE).expect("sealed").to_string();
    assert!(text.starts_with("v2:a:") && !text.contains("canary"), "{text}");
    assert_eq!(opened(&keys, &text).as_deref(), Some(VALUE));
    let again = Envelope::seal(&keys, &place(), VALUE).expect("sealed").to_string();
    let parts = |text: &str| text.split(':').skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert!(parts(&text).iter().zip(parts(&again)).all(|(one, other)| *one != other), "both nonces are random");
}

/// Every bit of every byte: the version, the key's id, the colons, the wrapped key, the nonces, the ciphertexts, the tags and the
/// padding.
#[test]
fn a_flipped_bit_anywhere_does_not_open() {
    let keys = keyring();
    let text = Envelope::seal(&keys, &place(), VALUE).expect("sealed").to_string();
    for place in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).expect("still ASCII");
            assert_eq!(opened(&keys, &flipped), None, "bit {bit} of byte {place}");
        }
    }
}

/// A key service that authenticates nothing: the wrapped key is the data key itself, in a mask.
struct Unauthenticated;

impl KeyEncryption for Unauthenticated {
    fn active(&self) -> Result<KeyId, KeyError> {
        Ok(id("a"))
    }

    fn wrap(&self, _: &KeyId, data_key: &[u8; 32], _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(data_key.map(|byte| byte ^ 0x55).to_vec())
    }

    fn unwrap(&self, _: &KeyId, wrapped: &[u8], _: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let masked: [u8; 32] = wrapped.try_into().map_err(|_| KeyError::Forged)?;
        Ok(Zeroizing::new(masked.map(|byte| byte ^ 0x55)))
    }
}

/// The value is not bound to the key's id, so the wrapped key has to be.
#[test]
fn a_value_that_names_another_key_does_not_open() {
    let renamed = |keys: &dyn KeyEncryption| {
        let text = Envelope::seal(keys, &place(), VALUE).expect("sealed").to_string();
        opened(keys, &text.replacen("v2:a:", "v2:b:", 1))
    };
    // Both ids have the same key, so that nothing but the binding tells them apart.
    let key = BASE64.encode([1; 32]);
    let twins: Keyring = format!("a {key} active\nb {key}").parse().expect("a keyring");
    assert_eq!(renamed(&twins), None);
    assert_eq!(renamed(&Unauthenticated).as_deref(), Some(VALUE), "without the lock, it opens");
}

/// Two values of one place: neither part fits the other's.
#[test]
fn the_parts_of_two_values_cannot_be_mixed() {
    let keys = keyring();
    let [one, other] =
        [VALUE, b"tok_other"].map(|value| Envelope::seal(&keys, &place(), value).expect("sealed").to_string());
    let (head, _) = one.rsplit_once(':').expect("parts");
    let (_, tail) = other.rsplit_once(':').expect("parts");
    assert_eq!(opened(&keys, &format!("{head}:{tail}")), None);
    // A wrapped key in the place of a value is none.
    let parts: Vec<&str> = one.split(':').collect();
    assert_eq!(opened(&keys, &format!("v2:a:{}:{}", parts[3], parts[2])), None);
}

#[test]
fn a_key_that_has_gone_too_early_is_named() {
    let text = Envelope::seal(&keyring(), &place(), VALUE).expect("sealed").to_string();
    let envelope: Envelope = text.parse().expect("an envelope");
    let without: Keyring = format!("b {} active", BASE64.encode([2; 32])).parse().expect("a keyring");
    assert_eq!(envelope.open(&without, &place()).err(), Some(KeyError::Unknown(id("a"))));
    let error = envelope.rewrap(&without, &place()).expect_err("no key").to_string();
    assert!(error.contains("the key `a` is not in the keyring"), "{error}");
}

#[test]
fn only_the_data_key_is_wrapped_again() {
    let before = Envelope::seal(&keyring(), &place(), VALUE).expect("sealed");
    let key = |byte: u8| BASE64.encode([byte; 32]);
    let keys: Keyring = format!("a {}\nb {} active", key(1), key(2)).parse().expect("a keyring");
    let after = before.rewrap(&keys, &place()).expect("wrapped again");
    assert_eq!(after.key(), &id("b"));
    let value = |envelope: &Envelope| envelope.to_string().rsplit_once(':').expect("parts").1.to_owned();
    assert_eq!(value(&after), value(&before));
    // The old key is not needed any more.
    let alone: Keyring = format!("b {} active", key(2)).parse().expect("a keyring");
    assert_eq!(opened(&alone, &after.to_string()).as_deref(), Some(VALUE));
    // What was moved to another place is not made valid there.
    assert_eq!(before.rewrap(&keys, &Binding::of("people.address").and(b"2")).err(), Some(KeyError::Forged));
}

#[test]
fn what_is_no_envelope_is_not_parsed() {
    for text in
        ["", "v2", "v2:a", "v2:a::x", "v1:AAAA", "v2:a:AAAA:%", "v2:A:AAAA:AAAA", "v2:a:AAAA:AAAA:", "v2:a:AAAA:AAA"]
    {
        assert!(text.parse::<Envelope>().is_err(), "{text:?}");
    }
    // Too short for a nonce.
    assert_eq!(opened(&keyring(), "v2:a:AAAA:AAAA"), None);
}
