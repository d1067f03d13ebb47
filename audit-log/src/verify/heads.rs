//! The comparison with heads: signed ones, and one that an earlier verification remembered.

use std::collections::BTreeMap;

use super::{Finding, Trusted, Walk, finding::Witness};
use crate::{
    hash::Hash,
    head::{Head, SignedHead},
    topic::Announced,
};

/// Adds what speaks against the rows, and returns the latest row that a signed head stands for. `bad` are rows that are already
/// known to be wrong.
pub(super) fn compare(walk: &mut Walk, announced: Option<&Announced>, trusted: &Trusted, bad: &[i64]) -> Option<i64> {
    let signed = announced.map(|announced| well_signed(walk, announced, trusted)).unwrap_or_default();
    let covered = against(walk, &signed, Witness::Head, bad);
    let may_say_more = !walk.findings.iter().any(|finding| {
        matches!(finding, Finding::CutOff { .. } | Finding::Rewritten { .. } | Finding::OtherLog { .. })
    });
    if let Some(remembered) = trusted.remembered.filter(|_| may_say_more) {
        if walk.genesis() == Some(remembered.genesis) {
            against(walk, &BTreeMap::from([(remembered.seq, remembered.hash)]), Witness::Remembered, bad);
        } else {
            let place = "the file of an earlier verification".to_owned();
            walk.findings.push(Finding::OtherLog { place });
        }
    }
    covered
}

/// The heads of this log whose signatures are right, by number.
fn well_signed(walk: &mut Walk, announced: &Announced, trusted: &Trusted) -> BTreeMap<i64, Hash> {
    let mut heads: BTreeMap<i64, Hash> = BTreeMap::new();
    if announced.lost > 0 {
        walk.findings.push(Finding::HeadsLost { records: announced.lost });
    }
    let mut other_log = None;
    for (place, value) in &announced.heads {
        let place = place.clone();
        match judged(value, trusted) {
            Err(finding) => walk.findings.push(finding(place)),
            // One is enough: all heads of the other log say the same.
            Ok(head) if Some(head.genesis) != walk.genesis() => other_log = other_log.or(Some(place)),
            Ok(head) => {
                let known = *heads.entry(head.seq).or_insert(head.hash);
                let forked = Finding::Forked { seq: head.seq };
                if known != head.hash && !walk.findings.contains(&forked) {
                    walk.findings.push(forked);
                    // Of two heads, the one that fits no row is evidence.
                    if walk.hashes.get(&head.seq) == Some(&known) {
                        heads.insert(head.seq, head.hash);
                    }
                }
            }
        }
    }
    let none = heads.is_empty() && other_log.is_none() && !walk.hashes.is_empty();
    walk.findings.extend(other_log.map(|place| Finding::OtherLog { place }));
    if none {
        walk.findings.push(Finding::NoHeads);
    }
    heads
}

/// The head in a record, or what is wrong with it.
fn judged(value: &[u8], trusted: &Trusted) -> Result<Head, impl FnOnce(String) -> Finding + use<>> {
    enum Wrong {
        NoHead,
        UnknownKey(String),
        BadSignature(i64),
    }
    let judged = match SignedHead::from_json(value) {
        Err(_) => Err(Wrong::NoHead),
        Ok(signed) => match signed.claimed(&trusted.keys) {
            None => Err(Wrong::UnknownKey(signed.key)),
            Some(key) if !signed.is_signed_by(key) => Err(Wrong::BadSignature(signed.head.seq)),
            Some(_) => Ok(signed.head),
        },
    };
    judged.map_err(|wrong| {
        move |place| match wrong {
            Wrong::NoHead => Finding::NoHead { place },
            Wrong::UnknownKey(key) => Finding::UnknownKey { place, key },
            Wrong::BadSignature(seq) => Finding::BadSignature { place, seq },
        }
    })
}

/// Compares rows with heads, by number; returns the latest row that agrees with its head.
fn against(walk: &mut Walk, heads: &BTreeMap<i64, Hash>, witness: Witness, bad: &[i64]) -> Option<i64> {
    let end = walk.end();
    let (mut agrees, mut differs) = (None, None);
    for (seq, hash) in heads.range(..=end) {
        match walk.hashes.get(seq) {
            Some(there) if there == hash => agrees = Some(*seq),
            // A row that is missing, or wrong in itself, is named already.
            None => {}
            Some(_) if bad.contains(seq) => {}
            Some(_) => {
                // Heads after it only say that somebody signed what was written anew.
                differs = Some((agrees.unwrap_or(0) + 1, *seq));
                break;
            }
        }
    }
    if let Some((first, known)) = differs {
        walk.findings.push(Finding::Rewritten { first, known, witness });
    }
    if let Some((known, _)) = heads.range(end + 1..).next_back() {
        walk.findings.push(Finding::CutOff { end, known: *known, witness });
    }
    agrees
}
