//! Telling what is wrong once, in a system that is looked at again and again.

use std::collections::BTreeSet;

use super::{Finding, Report};

/// What was found before.
#[derive(Debug, Default)]
pub struct Watch {
    /// At the last look, and perhaps only caught between two reads.
    suspected: BTreeSet<Finding>,
    told: BTreeSet<Finding>,
}

/// What one look has brought.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Wrong at this look and at the one before, and not told yet.
    pub wrong: Vec<Finding>,
    /// Told, and no longer so.
    pub mended: Vec<Finding>,
    /// What was looked at, in words.
    pub looked_at: String,
}

impl Watch {
    /// The news after another look. Databases are not read at one moment, so what is wrong has to be so twice.
    pub fn news(&mut self, report: Report) -> News {
        let looked_at = report.invariants.iter().map(|invariant| invariant.looked_at.as_str()).collect::<Vec<_>>();
        let looked_at =
            [looked_at.first(), looked_at.last()].into_iter().flatten().copied().collect::<Vec<_>>().join("; ");
        let found: BTreeSet<Finding> = report.invariants.into_iter().flat_map(|invariant| invariant.findings).collect();
        let mended: Vec<Finding> = self.told.difference(&found).cloned().collect();
        let wrong: Vec<Finding> =
            found.intersection(&self.suspected).filter(|one| !self.told.contains(one)).cloned().collect();
        self.told.retain(|finding| found.contains(finding));
        self.told.extend(wrong.iter().cloned());
        self.suspected = found;
        News { wrong, mended, looked_at }
    }

    /// Tells whether nothing is wrong for all that is known now.
    pub fn was_sound(&self) -> bool {
        self.told.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Invariant;

    fn report(findings: &[&str]) -> Report {
        let findings = findings.iter().map(|what| Finding::general(*what)).collect();
        Report { invariants: vec![Invariant { what: "all is well", looked_at: "1 order".into(), findings }] }
    }

    fn told(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.what.as_str()).collect()
    }

    #[test]
    fn what_is_wrong_twice_is_told_once_and_so_is_that_it_is_mended() {
        let mut watch = Watch::default();
        assert_eq!(told(&watch.news(report(&["late", "lost"])).wrong), [""; 0], "it may be on its way");
        assert_eq!(told(&watch.news(report(&["lost"])).wrong), ["lost"]);
        assert!(!watch.was_sound());
        let again = watch.news(report(&["lost"]));
        assert!(again.wrong.is_empty() && again.mended.is_empty(), "{again:?}");
        assert_eq!(told(&watch.news(report(&[])).mended), ["lost"]);
        assert!(watch.was_sound());
    }
}
