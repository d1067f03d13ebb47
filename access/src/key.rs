//! An issuer's public keys, from a JSON Web Key Set (RFC 7517).

use std::collections::HashMap;

use anyhow::{Context, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Maximum number of keys in a set. An issuer has a handful.
const MAX_KEYS: usize = 64;
/// Minimum size of an RSA modulus in bytes: 2048 bits.
const MIN_RSA_BYTES: usize = 256;
/// Maximum size of an RSA modulus in bytes: 8192 bits. Larger ones only cost time.
const MAX_RSA_BYTES: usize = 1024;

/// A public key and the only algorithm that it is for.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// As tokens name it.
    pub(crate) name: &'static str,
    pub(crate) algorithm: Algorithm,
    pub(crate) public: DecodingKey,
    /// Time at which the issuer no longer had it, in milliseconds since 1970. It still tells what was signed before.
    retired_ms: Option<u64>,
}

/// Keys by `kid`.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet(HashMap<String, Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// A key as it is in a set; further members are ignored.
#[derive(Deserialize)]
struct Written {
    kid: String,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Parses a set. Keys that are not for verifying with an allowed algorithm are left out, as RFC 7517 asks for.
    ///
    /// # Errors
    /// If it is no key set, has no usable key, or has too many.
    pub(crate) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_slice(text).context("not a JSON Web Key Set")?;
        ensure!(document.keys.len() <= MAX_KEYS, "{} keys, {MAX_KEYS} allowed", document.keys.len());
        let mut keys = HashMap::new();
        for value in document.keys {
            match serde_json::from_value(value).map_err(|error| error.to_string()).and_then(Key::of) {
                Ok((kid, key)) => drop(keys.entry(kid).or_insert(key)),
                Err(why) => tracing::debug!(why, "a key of the issuer is not for verifying tokens here; left out"),
            }
        }
        ensure!(!keys.is_empty(), "no key for EdDSA, RS256 or ES256 in it");
        Ok(KeySet(keys))
    }

    /// The key of this id that the issuer had at this time, in milliseconds since 1970.
    pub(crate) fn get(&self, kid: &str, at_ms: u64) -> Option<&Key> {
        self.0.get(kid).filter(|key| key.retired_ms.is_none_or(|retired| at_ms < retired))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes over the keys of `former` that are not in this set, as retired from now on: the latest [`MAX_KEYS`] of them.
    pub(crate) fn succeed(&mut self, former: &KeySet, now_ms: u64) {
        let gone = former.0.iter().filter(|(kid, _)| !self.0.contains_key(*kid));
        let mut retired: Vec<(String, Key)> = gone
            .map(|(kid, key)| (kid.clone(), Key { retired_ms: key.retired_ms.or(Some(now_ms)), ..key.clone() }))
            .collect();
        retired.sort_by_key(|(_, key)| std::cmp::Reverse(key.retired_ms));
        self.0.extend(retired.into_iter().take(MAX_KEYS));
    }
}

impl Key {
    /// An Ed25519 key that is in no set.
    #[cfg(test)]
    pub(crate) fn unlisted(public: DecodingKey) -> Self {
        Key { name: "EdDSA", algorithm: Algorithm::EdDSA, public, retired_ms: None }
    }

    fn of(written: Written) -> Result<(String, Key), String> {
        let Written { kid, kty, alg, purpose, crv, n, e, x, y } = written;
        if purpose.is_some_and(|purpose| purpose != "sig") {
            return Err(format!("{kid} is not for signatures"));
        }
        let part = |name: &str, value: Option<String>, bytes: std::ops::RangeInclusive<usize>| {
            let value = value.ok_or_else(|| format!("{kid} has no {name}"))?;
            let size = URL_SAFE_NO_PAD.decode(&value).map_err(|error| format!("{name} of {kid}: {error}"))?.len();
            if bytes.contains(&size) { Ok(value) } else { Err(format!("{name} of {kid} has {size} bytes")) }
        };
        // The sizes are checked here: the cryptography below takes them for granted.
        let (name, algorithm, public) = match (kty.as_str(), crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                ("EdDSA", Algorithm::EdDSA, DecodingKey::from_ed_components(&part("x", x, 32..=32)?))
            }
            ("EC", Some("P-256")) => (
                "ES256",
                Algorithm::ES256,
                DecodingKey::from_ec_components(&part("x", x, 32..=32)?, &part("y", y, 32..=32)?),
            ),
            ("RSA", _) => {
                let (n, e) = (part("n", n, MIN_RSA_BYTES..=MAX_RSA_BYTES)?, part("e", e, 1..=8)?);
                ("RS256", Algorithm::RS256, DecodingKey::from_rsa_components(&n, &e))
            }
            _ => return Err(format!("{kid} is of the kind {kty} {}", crv.unwrap_or_default())),
        };
        // RFC 9864 names the algorithm of an Ed25519 key after its curve.
        if alg.is_some_and(|alg| alg != name && !(name == "EdDSA" && alg == "Ed25519")) {
            return Err(format!("{kid} is for another algorithm than its kind is for here"));
        }
        let public = public.map_err(|error| format!("{kid}: {error}"))?;
        Ok((kid, Key { name, algorithm, public, retired_ms: None }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(keys: Value) -> Result<Vec<(String, &'static str)>, String> {
        let set =
            KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map_err(|error| format!("{error:#}"))?;
        let mut names: Vec<_> = set.0.into_iter().map(|(kid, key)| (kid, key.name)).collect();
        names.sort();
        Ok(names)
    }

    fn encoded(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0x81; bytes])
    }

    #[test]
    fn only_keys_for_verifying_with_an_allowed_algorithm_are_taken() {
        let good = json!({"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": encoded(32), "alg": "EdDSA", "use": "sig"});
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key["kid"] = json!("b");
            key
        };
        let odd = [
            with("use", json!("enc")),
            with("alg", json!("HS256")),
            with("alg", json!("RS256")),
            with("crv", json!("Ed448")),
            with("x", json!(encoded(31))),
            with("x", json!("no base64!")),
            with("kty", json!("oct")),
            json!({"kid": "b", "kty": "oct", "k": encoded(32), "alg": "HS256"}),
            json!({"kid": "b", "kty": "RSA", "n": encoded(128), "e": "AQAB"}),
            json!({"kid": "b", "kty": "EC", "crv": "P-256", "x": encoded(32)}),
            json!("no key"),
        ];
        for odd in odd {
            assert_eq!(names(json!([good, odd])), Ok(vec![("a".into(), "EdDSA")]), "{odd}");
        }
        let rsa = json!({"kid": "r", "kty": "RSA", "n": encoded(256), "e": "AQAB", "x5c": ["ignored"]});
        let ec = json!({"kid": "e", "kty": "EC", "crv": "P-256", "x": encoded(32), "y": encoded(32)});
        assert_eq!(names(json!([rsa, ec])), Ok(vec![("e".into(), "ES256"), ("r".into(), "RS256")]));
    }

    #[test]
    fn a_set_without_a_usable_key_or_with_too_many_is_no_set() {
        assert!(names(json!([])).expect_err("empty").contains("no key"));
        let key = json!({"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": encoded(32)});
        assert!(names(json!(vec![key; MAX_KEYS + 1])).expect_err("too many").contains("65 keys"));
        for garbage in [&b""[..], b"<html>", b"{}", b"{\"keys\":{}}", b"\xff"] {
            assert!(KeySet::parse(garbage).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn a_retired_key_tells_what_was_signed_before_and_nothing_later() {
        let set = |kid: &str| {
            let key = json!({"kid": kid, "kty": "OKP", "crv": "Ed25519", "x": encoded(32)});
            KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).expect("a set")
        };
        let mut second = set("b");
        second.succeed(&set("a"), 1_000);
        let mut third = set("c");
        third.succeed(&second, 2_000);
        for (kid, at_ms, known) in
            [("a", 999, true), ("a", 1_000, false), ("b", 1_999, true), ("b", 2_000, false), ("c", 9_999, true)]
        {
            assert_eq!(third.get(kid, at_ms).is_some(), known, "{kid} at {at_ms}");
        }
        // Back again.
        let mut fourth = set("a");
        fourth.succeed(&third, 3_000);
        assert!(fourth.get("a", 9_999).is_some() && fourth.get("b", 2_000).is_none());
    }
}
