//! The client's side of SCRAM-SHA-512 (RFC 5802): proves that it knows the password without sending it, and that the broker
//! knows it, too.

use anyhow::{Context, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha512};

/// Fewer iterations than this would be a broker that helps to guess the password (RFC 7677 asks for 4096).
const FEWEST_ITERATIONS: u32 = 4096;
/// More would keep this program busy for longer than the password is worth.
const MOST_ITERATIONS: u32 = 1_000_000;
/// No channel binding, no other authorization identity.
const HEADER: &str = "n,,";

/// An exchange that has begun.
pub(super) struct Exchange {
    password: String,
    nonce: String,
    /// The first message without its header.
    first: String,
}

/// An exchange whose last answer is awaited.
pub(super) struct Awaiting {
    signature: Vec<u8>,
}

impl Exchange {
    /// Begins an exchange with a nonce that was never used.
    pub(super) fn new(username: &str, password: &str, nonce: String) -> Self {
        let username = username.replace('=', "=3D").replace(',', "=2C");
        Exchange { password: password.to_owned(), first: format!("n={username},r={nonce}"), nonce }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.first)
    }

    /// The last message, in answer to the broker's first.
    ///
    /// # Errors
    /// If that is no answer to this exchange.
    pub(super) fn last(self, answer: &str) -> anyhow::Result<(String, Awaiting)> {
        let nonce = part(answer, 'r')?;
        ensure!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len(), "the nonce is not an answer to ours");
        let salt = BASE64_STANDARD.decode(part(answer, 's')?).context("the salt is not in base64")?;
        let iterations: u32 = part(answer, 'i')?.parse().context("the number of iterations")?;
        ensure!((FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations), "{iterations} iterations");
        let salted = salted(self.password.as_bytes(), &salt, iterations);
        let client = mac(&salted, b"Client Key");
        let unproved = format!("c={},r={nonce}", BASE64_STANDARD.encode(HEADER));
        let all = format!("{},{answer},{unproved}", self.first);
        let signature = mac(&Sha512::digest(&client), all.as_bytes());
        let proof: Vec<u8> = client.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        let awaiting = Awaiting { signature: mac(&mac(&salted, b"Server Key"), all.as_bytes()) };
        Ok((format!("{unproved},p={}", BASE64_STANDARD.encode(proof)), awaiting))
    }
}

impl Awaiting {
    /// Checks the broker's last message.
    ///
    /// # Errors
    /// If the broker does not know the password either.
    pub(super) fn check(self, answer: &str) -> anyhow::Result<()> {
        let signature = BASE64_STANDARD.decode(part(answer, 'v')?).context("the signature is not in base64")?;
        ensure!(
            signature == self.signature,
            "the broker does not know the password: it is not the one that it claims to be"
        );
        Ok(())
    }
}

/// The value of one attribute of a message.
fn part(message: &str, name: char) -> anyhow::Result<&str> {
    let value = message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    value.with_context(|| format!("the broker's message has no `{name}`"))
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// PBKDF2 of one block, as RFC 5802 defines it.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut last = mac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut all = last.clone();
    for _ in 1..iterations {
        last = mac(password, &last);
        all.iter_mut().zip(&last).for_each(|(all, last)| *all ^= last);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The broker's side, with the same password or another.
    fn answers(theirs: &str) -> anyhow::Result<()> {
        let exchange = Exchange::new("a,b=c", "pencil", "mine".to_owned());
        assert_eq!(exchange.first(), "n,,n=a=2Cb=3Dc,r=mine");
        let first = exchange.first.clone();
        let salt = BASE64_STANDARD.encode("salt");
        let answer = format!("r=mineyours,s={salt},i=4096");
        let (last, awaiting) = exchange.last(&answer)?;
        let (unproved, _) = last.split_once(",p=").expect("a proof");
        let server = mac(&salted(theirs.as_bytes(), b"salt", 4096), b"Server Key");
        let signature = mac(&server, format!("{first},{answer},{unproved}").as_bytes());
        awaiting.check(&format!("v={}", BASE64_STANDARD.encode(signature)))
    }

    #[test]
    fn a_broker_that_does_not_know_the_password_is_not_believed() {
        answers("pencil").expect("the same password");
        assert!(answers("crayon").expect_err("another").to_string().contains("does not know the password"));
    }

    #[test]
    fn an_answer_to_another_exchange_or_with_a_cheap_hash_is_refused() {
        for bad in
            ["r=yours,s=c2FsdA==,i=4096", "r=mine,s=c2FsdA==,i=4096", "r=mineyours,s=c2FsdA==,i=1", "e=other-error"]
        {
            assert!(Exchange::new("a", "pencil", "mine".to_owned()).last(bad).is_err(), "{bad}");
        }
    }
}
