//! Findings over time. A look that could not see whether something is mended neither raises nor clears it.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;

use super::finding::{Finding, Severity};
use super::judge::{Judged, PolicyMemory};
use super::shown::{WatchedDomain, WatchedFinding, WatchedHost, WatchedPolicy, rfc3339};

/// One domain, from look to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    looked: Option<Timestamp>,
    findings: Vec<Stands>,
    is_doubtful: bool,
    hosts: Vec<WatchedHost>,
    policy: Option<WatchedPolicy>,
    pub(super) memory: Option<PolicyMemory>,
}

/// A finding that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    /// Which.
    pub finding: Finding,
    /// Since when.
    pub since: Timestamp,
    /// The last look saw it.
    pub seen: bool,
}

/// What a look has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New, or graver than before.
    pub come: Vec<Finding>,
    /// Mended.
    pub gone: Vec<Finding>,
}

impl Standing {
    /// Takes over what a look at `now` came to.
    pub fn take_over(&mut self, judged: Judged, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        let before = std::mem::take(&mut self.findings);
        let earlier = |finding: &Finding| before.iter().find(|own| own.finding.is_same(finding));
        for finding in judged.findings {
            let known = earlier(&finding);
            if known.is_none_or(|own| own.finding.severity < finding.severity) {
                changes.come.push(finding.clone());
            }
            self.findings.push(Stands {
                since: known.map_or(now, |own| own.since),
                finding,
                seen: true,
            });
        }
        for old in &before {
            if self
                .findings
                .iter()
                .any(|own| own.finding.is_same(&old.finding))
            {
                continue;
            }
            if judged.doubts.iter().any(|doubt| doubt.covers(&old.finding)) {
                self.findings.push(Stands {
                    seen: false,
                    ..old.clone()
                });
            } else {
                changes.gone.push(old.finding.clone());
            }
        }
        self.findings
            .sort_by_key(|own| std::cmp::Reverse(own.finding.severity));
        self.looked = Some(now);
        self.is_doubtful = judged.doubts.iter().any(|doubt| doubt.weighs);
        self.hosts = judged.hosts;
        self.policy = judged.policy;
        self.memory = judged.memory;
        changes
    }

    /// What stands, the worst first.
    #[must_use]
    pub fn findings(&self) -> &[Stands] {
        &self.findings
    }

    /// The word for all of it.
    #[must_use]
    pub fn result(&self) -> &'static str {
        let is_alarm = |own: &Stands| own.finding.severity == Severity::Alarm;
        match self.looked {
            None => "not-looked-at",
            Some(_) if self.findings.iter().any(is_alarm) => "alarm",
            Some(_) if self.is_doubtful => "inconclusive",
            Some(_) => "well",
        }
    }

    /// Its mail hosts, as the last look saw them.
    #[must_use]
    pub fn hosts(&self) -> &[WatchedHost] {
        &self.hosts
    }

    /// When it was looked at last.
    #[must_use]
    pub fn looked(&self) -> Option<Timestamp> {
        self.looked
    }

    /// All of it, for page and programs.
    #[must_use]
    pub fn shown(&self, domain: &DomainName) -> WatchedDomain {
        let findings = self.findings.iter();
        WatchedDomain {
            domain: domain.to_string(),
            looked: self.looked.map(rfc3339),
            result: self.result(),
            findings: findings
                .map(|own| WatchedFinding::of(&own.finding, own.since, own.seen))
                .collect(),
            hosts: self.hosts.clone(),
            policy: self.policy.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::finding::{Basis, Doubt, Kind};

    fn judged(findings: &[Finding], doubts: &[Doubt]) -> Judged {
        Judged {
            findings: findings.to_vec(),
            doubts: doubts.to_vec(),
            hosts: Vec::new(),
            policy: None,
            memory: None,
        }
    }

    fn alarm() -> Finding {
        let host = DomainName::parse("mx.e.test").unwrap();
        Finding::new(Kind::TlsaNoMatch, Severity::Alarm, "w", "c", "d").of(&host)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    /// An alarm comes, is doubted, and goes; what is doubted neither comes nor goes.
    #[test]
    fn doubt_neither_raises_nor_clears() {
        let mut standing = Standing::default();
        assert_eq!(standing.result(), "not-looked-at");
        let doubt = Doubt::on(&[Basis::Dane]);
        let first = standing.take_over(judged(&[], std::slice::from_ref(&doubt)), at(1));
        assert_eq!(
            (first, standing.result()),
            (Changes::default(), "inconclusive")
        );
        let come = standing.take_over(judged(&[alarm()], &[]), at(2));
        assert_eq!(come.come, [alarm()]);
        let again = standing.take_over(judged(&[alarm()], &[]), at(3));
        assert_eq!(again, Changes::default());
        let doubted = standing.take_over(judged(&[], &[doubt]), at(4));
        assert_eq!(doubted, Changes::default());
        assert_eq!(standing.result(), "alarm");
        let stands = standing.findings().first().unwrap();
        assert_eq!((stands.since, stands.seen), (at(2), false));
        let other = Doubt::on(&[Basis::Tlsrpt]);
        let gone = standing.take_over(judged(&[], &[other]), at(5));
        assert_eq!(gone.gone, [alarm()]);
        assert_eq!(standing.result(), "inconclusive");
        standing.take_over(judged(&[], &[]), at(6));
        assert_eq!(standing.result(), "well");
    }

    /// What grows worse is told again, and keeps the time since when it stands.
    #[test]
    fn graver_is_new() {
        let mut standing = Standing::default();
        let warning = Finding {
            severity: Severity::Warning,
            ..alarm()
        };
        standing.take_over(judged(&[warning], &[]), at(1));
        let changes = standing.take_over(judged(&[alarm()], &[]), at(2));
        assert_eq!(changes.come, [alarm()]);
        assert_eq!(standing.findings().first().unwrap().since, at(1));
    }
}
