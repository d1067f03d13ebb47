//! Reports each finding once, in a system that is audited repeatedly.

use std::collections::BTreeSet;

use super::{Finding, Report};

/// Findings of earlier looks.
#[derive(Debug, Default)]
pub struct Watch {
    /// Found at the previous look; perhaps only an artefact of reading the databases at different moments.
    suspected: BTreeSet<Finding>,
    told: BTreeSet<Finding>,
}

/// Result of one look.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Found at this look and the one before, and not reported yet.
    pub wrong: Vec<Finding>,
    /// Reported earlier, and no longer found.
    pub mended: Vec<Finding>,
    /// What was examined, in words.
    pub looked_at: String,
}

impl Watch {
    /// What is new after another look. The databases are not read at one moment, so a finding has to be seen twice.
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

    /// Tells whether nothing is known to be wrong.
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
