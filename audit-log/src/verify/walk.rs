//! The way through all entries, in order.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Finding, Intent, Trusted, Verdict, finding::Witness, heads};
use crate::{entry::Entry, hash::Hash, head::Head, store::Chain, topic::Announced};

/// Maximum number of hashes computed to find out under which numbers rows were written; each row costs one for each number.
const SOUGHT: u64 = 5_000_000;

/// An entry whose own hash is wrong, kept to find out why.
struct Suspect {
    entry: Entry,
    fields: Vec<&'static str>,
}

/// Goes through the entries of a log.
pub struct Walk {
    chain: Chain,
    /// Hash of each row by its number, as the table has it.
    pub(super) hashes: BTreeMap<i64, Hash>,
    /// Number of the last row, and its hash if it is sound.
    last: (i64, Option<Hash>),
    micros: i64,
    entries: u64,
    pub(super) findings: Vec<Finding>,
    suspects: Vec<Suspect>,
    open: BTreeMap<Uuid, Intent>,
}

impl Walk {
    /// Begins at the log's genesis.
    pub fn new(chain: Chain) -> Self {
        Walk {
            last: (0, chain.genesis.0),
            chain,
            hashes: BTreeMap::new(),
            micros: 0,
            entries: 0,
            findings: Vec::new(),
            suspects: Vec::new(),
            open: BTreeMap::new(),
        }
    }

    /// Takes the next entry, by number.
    pub fn entry(&mut self, entry: &Entry) {
        self.entries += 1;
        self.act(entry);
        let (last, last_hash) = self.last;
        if entry.seq <= last {
            self.findings.push(Finding::Foreign { seq: entry.seq });
            return;
        }
        let follows = entry.seq == last + 1;
        if !follows {
            self.findings.push(Finding::Taken { first: last + 1, last: entry.seq - 1 });
        }
        let fields = entry.changed_fields();
        let sound = fields.is_empty() && entry.hash.0.is_some() && entry.hash_as(entry.seq) == entry.hash.0;
        if !sound {
            self.suspects.push(Suspect { entry: entry.clone(), fields });
        } else if follows && last_hash.is_some() && entry.previous.0 != last_hash {
            self.findings.push(Finding::Unlinked { seq: entry.seq });
        }
        if let Some(hash) = entry.hash.0 {
            self.hashes.insert(entry.seq, hash);
        }
        // A row whose own hash is wrong says nothing about the next one.
        self.last = (entry.seq, entry.hash.0.filter(|_| sound));
        self.micros = entry.micros;
    }

    fn act(&mut self, entry: &Entry) {
        match entry.outcome.as_str() {
            "began" => {
                let intent = Intent {
                    seq: entry.seq,
                    act: entry.act,
                    actor: entry.actor.clone(),
                    action: entry.action.clone(),
                    object: (entry.object_kind.clone(), entry.object_id.clone()),
                    micros: entry.micros,
                };
                self.open.insert(entry.act, intent);
            }
            "done" | "failed" => {
                self.open.remove(&entry.act);
            }
            _ => {}
        }
    }

    /// Compares the entries with what is known from elsewhere.
    pub fn finish(mut self, announced: Option<&Announced>, trusted: &Trusted) -> Verdict {
        let suspects = std::mem::take(&mut self.suspects);
        let bad: Vec<i64> = suspects.iter().map(|suspect| suspect.entry.seq).collect();
        let sought = SOUGHT / self.entries.max(1);
        for (number, suspect) in (0..).zip(suspects) {
            let finding = self.explain(suspect, number < sought);
            self.findings.push(finding);
        }
        let end = self.last.0;
        let covered = heads::compare(&mut self, announced, trusted, &bad);
        self.compare_note(end);
        let cut = self.findings.iter().any(|finding| matches!(finding, Finding::CutOff { .. }));
        if self.entries == 0 && !trusted.may_be_empty && !cut {
            self.findings.push(Finding::Empty);
        }
        let uncovered = self.hashes.keys().filter(|seq| covered.is_none_or(|covered| **seq > covered)).count();
        let mut open: Vec<Intent> = self.open.into_values().collect();
        open.sort_by_key(|intent| intent.seq);
        let genesis = self.chain.genesis.0;
        let hash = self.hashes.get(&end);
        Verdict {
            entries: self.entries,
            findings: self.findings,
            covered,
            uncovered: uncovered as u64,
            open,
            end: genesis.zip(hash).map(|(genesis, hash)| Head { genesis, seq: end, hash: *hash, micros: self.micros }),
        }
    }

    /// The reason why a row's own hash is wrong.
    fn explain(&self, Suspect { entry, fields }: Suspect, seek: bool) -> Finding {
        let seq = entry.seq;
        if !fields.is_empty() {
            return Finding::Changed { seq, fields };
        }
        // Rows may have been taken away as well.
        let numbers = 1..=i64::try_from(self.entries).unwrap_or(i64::MAX).saturating_add(1_000);
        let from = seek.then(|| numbers.into_iter().find(|from| entry.hash_as(*from) == entry.hash.0)).flatten();
        match from {
            Some(from) if entry.hash.0.is_some() => Finding::Moved { seq, from },
            _ => Finding::Rehashed { seq },
        }
    }

    /// Compares the log's own note of its end, unless something stronger already speaks against it.
    fn compare_note(&mut self, end: i64) {
        let cut = self.findings.iter().any(|finding| matches!(finding, Finding::CutOff { .. }));
        let noted = self.chain.last_seq;
        let hash = if end == 0 { self.chain.genesis.0 } else { self.hashes.get(&end).copied() };
        if noted > end && !cut {
            self.findings.push(Finding::CutOff { end, known: noted, witness: Witness::Note });
        } else if noted < end || noted == end && self.chain.last_hash.0 != hash {
            self.findings.push(Finding::WrongEnd { noted, end });
        }
    }

    /// Number of the last row.
    pub(super) fn end(&self) -> i64 {
        self.last.0
    }

    /// What the first entry names as its previous hash.
    pub(super) fn genesis(&self) -> Option<Hash> {
        self.chain.genesis.0
    }
}
