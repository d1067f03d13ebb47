//! Tokens that must be refused. Each test takes the lock out as well: then the same token is believed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    Caller, Fault, Issuer,
    claims::{Lock, Rules},
    key::KeySet,
    token::Token,
};

/// Seconds since 1970, at which everything here happens.
const NOW: u64 = 1_800_000_000;

pub(super) fn issuer() -> Issuer {
    let folder = tempfile::tempdir().expect("a folder");
    Issuer::open_or_create(&folder.path().join("key.pem")).expect("a key")
}

fn claims() -> Value {
    json!({"iss": "https://issuer.test", "aud": ["shop", "other"], "sub": "1", "exp": NOW + 60, "nbf": NOW - 60,
           "scope": "orders:any openid"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn judged(token: &str, issuer: &Issuer, without: Option<Lock>) -> Result<Caller, Fault> {
    let keys = KeySet::parse(issuer.key_set().to_string().as_bytes()).expect("a set");
    let rules = Rules { without, ..Rules::new("https://issuer.test", "shop", 30) };
    Token::of(token)?.judge(&keys, &rules, NOW * 1000)
}

/// The misuse fails for this reason, and succeeds once the lock is taken out.
#[track_caller]
fn fails(token: &str, issuer: &Issuer, fault: Fault, lock: Lock) {
    assert_eq!(judged(token, issuer, None), Err(fault));
    assert_eq!(judged(token, issuer, Some(lock)).map(|caller| caller.subject), Ok("1".to_owned()), "without {lock:?}");
}

/// A token with this header, unsigned.
fn unsigned(header: &Value) -> String {
    let [header, claims] = [header, &claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn kid(issuer: &Issuer) -> Value {
    issuer.key_set()["keys"][0]["kid"].clone()
}

#[test]
fn a_good_token_is_its_subject_with_its_scopes() {
    let issuer = issuer();
    let caller = judged(&issuer.sign(&claims()).expect("signed"), &issuer, None).expect("believed");
    assert_eq!(caller.subject, "1");
    assert!(caller.scopes.any_of(&["orders:any"]) && !caller.scopes.any_of(&["orders:read:any", "orders"]));
    let array = with("scp", json!(["orders:read:any"]));
    let caller = judged(&issuer.sign(&array).expect("signed"), &issuer, None).expect("believed");
    assert!(caller.scopes.any_of(&["orders:read:any"]));
}

#[test]
fn the_algorithm_none_is_refused() {
    let issuer = issuer();
    for none in ["none", "None", "NONE", "nOnE"] {
        let token = format!("{}.", unsigned(&json!({"alg": none, "kid": kid(&issuer)})));
        assert_eq!(judged(&token, &issuer, None), Err(Fault::Algorithm), "{none}");
    }
    let token = format!("{}.", unsigned(&json!({"alg": "none", "kid": kid(&issuer)})));
    fails(&token, &issuer, Fault::Algorithm, Lock::Algorithm);
}

#[test]
fn a_public_key_is_no_secret_to_sign_with() {
    let issuer = issuer();
    let signed = unsigned(&json!({"alg": "HS256", "kid": kid(&issuer)}));
    let public = issuer.key_set()["keys"][0]["x"].as_str().map(|x| URL_SAFE_NO_PAD.decode(x).expect("base64"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&public.expect("a public key")).expect("any length");
    mac.update(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    fails(&token, &issuer, Fault::Algorithm, Lock::Algorithm);
}

#[test]
fn another_algorithm_than_the_keys_is_refused() {
    let issuer = issuer();
    for other in ["RS256", "ES256", "PS256", "HS512", ""] {
        let token = format!("{}.c2ln", unsigned(&json!({"alg": other, "kid": kid(&issuer)})));
        assert_eq!(judged(&token, &issuer, None), Err(Fault::Algorithm), "{other}");
    }
}

#[test]
fn an_unknown_key_is_refused_even_if_the_token_brings_it_along() {
    let (issuer, attacker) = (issuer(), issuer());
    let token = attacker.sign(&claims()).expect("signed");
    assert_eq!(judged(&token, &issuer, None), Err(Fault::UnknownKey));
    let token = attacker.sign_with_own_key(&claims());
    fails(&token, &issuer, Fault::UnknownKey, Lock::Key);
    let nameless = format!("{}.c2ln", unsigned(&json!({"alg": "EdDSA"})));
    assert_eq!(judged(&nameless, &issuer, None), Err(Fault::UnknownKey));
}

#[test]
fn a_changed_token_is_refused() {
    let issuer = issuer();
    let token = issuer.sign(&claims()).expect("signed");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (head, _) = signed.split_once('.').expect("two parts");
    let claims = URL_SAFE_NO_PAD.encode(with("sub", json!("2")).to_string());
    assert_eq!(judged(&format!("{head}.{claims}.{signature}"), &issuer, None), Err(Fault::Signature));
    assert_eq!(judged(&format!("{signed}."), &issuer, None), Err(Fault::Signature));
}

#[test]
fn another_issuers_token_is_refused() {
    let issuer = issuer();
    for other in ["https://other.test", "https://issuer.test/", ""] {
        let token = issuer.sign(&with("iss", json!(other))).expect("signed");
        fails(&token, &issuer, Fault::Issuer, Lock::Issuer);
    }
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let issuer = issuer();
    for other in [json!("other"), json!(["other", "shop2"]), json!([]), json!("")] {
        let token = issuer.sign(&with("aud", other)).expect("signed");
        fails(&token, &issuer, Fault::Audience, Lock::Audience);
    }
}

#[test]
fn an_expired_token_is_refused() {
    let issuer = issuer();
    for exp in [json!(NOW - 30), json!(NOW - 86_400), json!(0), json!(-1)] {
        let token = issuer.sign(&with("exp", exp)).expect("signed");
        fails(&token, &issuer, Fault::Expired, Lock::Expiry);
    }
    let within_the_leeway = issuer.sign(&with("exp", json!(NOW - 29))).expect("signed");
    assert!(judged(&within_the_leeway, &issuer, None).is_ok());
}

#[test]
fn a_token_of_tomorrow_is_refused() {
    let issuer = issuer();
    let token = issuer.sign(&with("nbf", json!(NOW + 31))).expect("signed");
    fails(&token, &issuer, Fault::NotYetValid, Lock::NotBefore);
    let within_the_leeway = issuer.sign(&with("nbf", json!(NOW + 30))).expect("signed");
    assert!(judged(&within_the_leeway, &issuer, None).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let issuer = issuer();
    for missing in ["iss", "aud", "exp", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(missing);
        let token = issuer.sign(&claims).expect("signed");
        assert_eq!(judged(&token, &issuer, None), Err(Fault::Malformed), "without {missing}");
    }
    for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", "\u{e4}.b.c"] {
        assert_eq!(judged(text, &issuer, None), Err(Fault::Malformed), "{text:?}");
    }
    assert_eq!(judged(&"a.".repeat(5_000), &issuer, None), Err(Fault::TooLarge));
    let critical = format!("{}.", unsigned(&json!({"alg": "EdDSA", "kid": kid(&issuer), "crit": ["b64"]})));
    assert_eq!(judged(&critical, &issuer, None), Err(Fault::Critical));
}

/// An RS256 and an ES256 token and their public keys, made with OpenSSL.
mod of_openssl {
    pub(super) const RSA: (&str, &str) = (
        "uulOqLGtorXL8ReanCCsiqbZfW4C3vPbaQkTt9nX_Qt3bE_S6A4kLkFP8bj-bPzUa5otOVSMEuJ0of96jnc1RKyFXkymvEWC57xSXnMelGvakKHbvCzsbaTsG3QJZffq28SsEZnohMIsNwMre0raRywz0bGIrrcdVmlraLIh5pqBkQ0UHm97twy55L1fWNCm6IFtXOdUwwZas8YrrcsXOnJVv8RV-JEW_4G1aMjQNWH8zbN7MreI7F3BDRyR8cdjFfyggLfeFeM4Rt3PbMJxoeAqPjfMQorAOHiAYfVmlIfP7qiAjkLYRRVtJV8sHxbcGZgvzsLTYrkfZasBK_mtHQ",
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkIjoic2hvcCIsInN1YiI6IjEiLCJleHAiOjE4MDAwMDAwNjB9.gENJoeAvshwWaArZWLiOc0CIlaGBfLGQ7nv3D_tlLj0xMspD3phi9m9eYtgnjOtaKsLN-p2_4-Brz8zZiQyqHz8R9UMNDj89JdQYVUDJlfckr76I1GMnCkFg9yvJqbmCu450dDtb7tR-WAmUByYlTIfK_srens2NpE_iyGAtp2kUVtznH6C4qwntDUJIwclJDam3D9WHy68hfmhi4y3lxfMtCUKpHFQFi3UgMSmXb8LV62if6kMOY6TeZQlXTpM5hIC4jCvK2CiwnvwOgMrNL3XhIsZz3ycWb7JX9VLNJ59qr5DDeOl8aQiQqPZRR-0oUt4YTed0ojcHJh2jqJNmSg",
    );
    pub(super) const EC: (&str, &str, &str) = (
        "2kRor79PyXP-5lE-uL8E7mU1S2ny9MutA3CC_oglpIU",
        "A3pwx1pEs-DP4NKcXiiGNuzVYgmdPoDcJXA8WLnEleo",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkIjoic2hvcCIsInN1YiI6IjEiLCJleHAiOjE4MDAwMDAwNjB9.mGMJKiYhUYpMsmXdZOwnDme26eIKnNrZnromgDEoPBVSquwCiSg7RZ-VEMRPyfK1-7FT8ngn0iEKwuXJuPqgMQ",
    );
}

#[test]
fn tokens_of_other_issuers_software_are_believed() {
    let ((n, rsa), (x, y, ec)) = (of_openssl::RSA, of_openssl::EC);
    let set = json!({"keys": [
        {"kid": "r", "kty": "RSA", "n": n, "e": "AQAB", "use": "sig"},
        {"kid": "e", "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256"},
    ]});
    let keys = KeySet::parse(set.to_string().as_bytes()).expect("a set");
    let rules = Rules::new("https://issuer.test", "shop", 30);
    for token in [rsa, ec] {
        let judge = |token: &str| Token::of(token)?.judge(&keys, &rules, NOW * 1000);
        assert_eq!(judge(token).map(|caller| caller.subject), Ok("1".to_owned()));
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let changed: String = signature.chars().rev().collect();
        assert_eq!(judge(&format!("{signed}.{changed}")), Err(Fault::Signature));
    }
}
