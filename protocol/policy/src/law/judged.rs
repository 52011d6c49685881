//! Hosts with their states, and what the law made of them.

use super::choice::{Abilities, Choice, choose};
use super::duty::Duty;
use super::options::LawOptions;
use super::outcome::{Candidate, Outcome};
use super::pinned::{Means, Pinning};
use super::rows::{Row, row_of};
use super::situation::{HostSituation, HostState, Situation, state_of};
use super::verdict::{Answer, JudgedHost, Loser, MatchName, Verdict, Why};
use super::words::{chosen, failed_hosts, refused};
use crate::findings::{Findings, RememberedPolicy};
use crate::profile::{Family, Profile};
use crate::reason::Reason;

/// The hosts of a destination in the eyes of one profile, best preference first.
pub(super) struct Judged {
    /// Place in the findings, and what the law looks at.
    hosts: Vec<(usize, HostSituation)>,
}

impl Judged {
    pub(super) fn of(
        findings: &Findings,
        sts: Option<&RememberedPolicy>,
        profile: &Profile,
        options: &LawOptions,
        dane: bool,
    ) -> Self {
        let mut hosts: Vec<(usize, HostSituation)> = findings
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                let (state, addresses) = state_of(host, profile, &options.tlsa);
                let state = if dane { state } else { without_dane(state) };
                let listed = sts.is_some_and(|sts| sts.policy.permits(&host.host.0));
                let preference = host.preference;
                let means = if profile.family == Family::Pins {
                    Means::of(host, findings, profile, options)
                } else {
                    Means::default()
                };
                (
                    index,
                    HostSituation {
                        preference,
                        state,
                        listed,
                        addresses,
                        pinned: !means.pins.is_empty(),
                        anchored: !means.anchors.is_empty(),
                    },
                )
            })
            .collect();
        // PD-14: the same set in another order is the same set.
        hosts.sort_by(|(a, left), (b, right)| {
            let name = |index: &usize| findings.hosts.get(*index).map(|host| &host.host);
            (left.preference, name(a), left).cmp(&(right.preference, name(b), right))
        });
        hosts.dedup_by(|(a, left), (b, right)| {
            left.preference == right.preference
                && findings.hosts.get(*a).map(|host| &host.host)
                    == findings.hosts.get(*b).map(|host| &host.host)
        });
        Self { hosts }
    }

    /// The hosts that count: those without any address have left the aggregate (MX-14).
    pub(super) fn reachable(&self) -> Vec<HostSituation> {
        self.counting().map(|(_, host)| host.clone()).collect()
    }

    fn counting(&self) -> impl Iterator<Item = &(usize, HostSituation)> {
        self.hosts
            .iter()
            .filter(|(_, host)| host.state != HostState::Unreachable)
    }

    /// All hosts, those without an address included, under a choice for the counting ones.
    fn under(&self, choice: &Choice) -> Vec<JudgedHost> {
        let mut judged = choice.duties.iter().zip(&choice.outcomes);
        self.hosts
            .iter()
            .map(|(index, host)| {
                let (duty, outcome) = match host.state {
                    HostState::Unreachable => (Duty::Free, Outcome::Skip),
                    _ => judged
                        .next()
                        .map_or((Duty::Refuse, Outcome::Skip), |(duty, outcome)| {
                            (*duty, *outcome)
                        }),
                };
                JudgedHost {
                    index: *index,
                    state: host.state,
                    duty,
                    outcome,
                    listed: host.listed,
                }
            })
            .collect()
    }
}

/// DANE is off, or nothing can be proved: what is left of a state is whether there is an address.
fn without_dane(state: HostState) -> HostState {
    match state {
        HostState::Unreachable | HostState::AddressFailed => state,
        HostState::UsableEndEntity
        | HostState::UsableTrustAnchor
        | HostState::Unusable
        | HostState::NoneSecure
        | HostState::NoneInsecure
        | HostState::Failed => HostState::NoneInsecure,
    }
}

/// Duty, outcome and choice for a destination with hosts.
pub(super) fn with_hosts(
    findings: &Findings,
    judged: &Judged,
    situation: &Situation,
    profile: &Profile,
    options: &LawOptions,
) -> Verdict {
    let abilities = Abilities::of(profile);
    let choice = choose(situation, abilities);
    let row = row_of(situation);
    let hosts = judged.under(&choice);
    let all_unknown = situation
        .hosts
        .iter()
        .all(|host| host.state == HostState::AddressFailed);
    let pinning = Pinning {
        findings,
        profile,
        options,
    };
    let mut verdict = match choice.answer {
        // MX-13: no host is known to be reachable, so nobody is helped by "no policy".
        Some(Candidate::NotFound | Candidate::Encrypt)
            if all_unknown && (choice.nothing_owed || situation.implicit_tls) =>
        {
            let words = failed_hosts(findings, &hosts);
            Verdict::temp(Row::Dt15, Reason::AddressLookupFailed, words)
        }
        Some(candidate @ (Candidate::Fingerprint | Candidate::Anchored)) => {
            pinning.chosen(candidate, &hosts, row)
        }
        Some(candidate) => chosen(
            candidate, findings, &hosts, situation, &choice, profile, row,
        ),
        None => refused(findings, &hosts, situation, profile, row),
    };
    if profile.family == Family::Pins && verdict.reason == Reason::MtaCannotAuthenticate {
        verdict.detail = pinning.cannot(&hosts);
    }
    verdict.anchors_wanted = pinning.wanted(situation, &hosts);
    verdict.losers = losers(findings, judged, &choice);
    verdict.hosts = hosts;
    // What is said in place of the choice's answer is what happens.
    let said = match verdict.answer {
        Answer::Temp => Some(Outcome::Skip),
        Answer::May => Some(Outcome::Clear),
        _ => None,
    };
    for host in &mut verdict.hosts {
        // MX-13: an MTA without DANE is counted on for nobody whom nobody resolves.
        let is_gone = host.state == HostState::Unreachable
            || host.state == HostState::AddressFailed && profile.family == Family::Pins;
        host.outcome = match said {
            Some(said) if !is_gone => said,
            _ if host.outcome == Outcome::WebPki && !stands_in(&verdict.answer, host, findings) => {
                Outcome::Skip
            }
            _ => host.outcome,
        };
    }
    verdict
}

/// False for a host whom the list of names had no place for.
fn stands_in(answer: &Answer, host: &JudgedHost, findings: &Findings) -> bool {
    let Answer::Secure(names) = answer else {
        return true;
    };
    let finding = findings.hosts.get(host.index);
    finding.is_some_and(|finding| names.contains(&MatchName::Host(finding.host.0.clone())))
}

fn losers(findings: &Findings, judged: &Judged, choice: &Choice) -> Vec<Loser> {
    let counting: Vec<usize> = judged.counting().map(|(index, _)| *index).collect();
    choice
        .losers
        .iter()
        .map(|(answer, why)| {
            let host = match why {
                Why::WeakerThanDuty { host } => counting
                    .get(*host)
                    .and_then(|index| findings.hosts.get(*index))
                    .map(|finding| finding.host.0.clone()),
                _ => None,
            };
            Loser {
                answer: *answer,
                why: *why,
                host,
            }
        })
        .collect()
}
