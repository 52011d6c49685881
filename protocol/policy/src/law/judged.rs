//! Hosts with their states, and what the law made of them, in words for people.

use super::choice::{Abilities, Choice, choose};
use super::duty::Duty;
use super::options::LawOptions;
use super::outcome::{Candidate, Outcome};
use super::rows::{Row, row_of};
use super::situation::{HostSituation, HostState, MxSecurity, Situation, state_of};
use super::verdict::{Answer, JudgedHost, Loser, MatchName, Verdict, Why};
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding, RememberedPolicy};
use crate::profile::{Floor, Profile};
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
                (
                    index,
                    HostSituation {
                        preference,
                        state,
                        listed,
                        addresses,
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
) -> Verdict {
    let abilities = Abilities {
        family: profile.family,
        floor: profile.floor,
        own_dane: profile.own_dane,
        address_limit: profile.address_limit,
    };
    let choice = choose(situation, abilities);
    let row = row_of(situation);
    let hosts = judged.under(&choice);
    let all_unknown = situation
        .hosts
        .iter()
        .all(|host| host.state == HostState::AddressFailed);
    let mut verdict = match choice.answer {
        // MX-13: no host is known to be reachable, so nobody is helped by "no policy".
        Some(Candidate::NotFound) if all_unknown && choice.nothing_owed => {
            let words = failed_hosts(findings, &hosts);
            Verdict::temp(Row::Dt15, Reason::AddressLookupFailed, words)
        }
        Some(candidate) => chosen(
            candidate, findings, &hosts, situation, &choice, profile, row,
        ),
        None => refused(findings, &hosts, situation, row),
    };
    verdict.losers = losers(findings, judged, &choice);
    verdict.hosts = hosts;
    // What is said in place of the choice's answer is what happens.
    let said = match verdict.answer {
        Answer::Temp => Some(Outcome::Skip),
        Answer::May => Some(Outcome::Clear),
        _ => None,
    };
    for host in &mut verdict.hosts {
        host.outcome = match said {
            Some(said) if host.state != HostState::Unreachable => said,
            _ => host.outcome,
        };
    }
    verdict
}

fn chosen(
    candidate: Candidate,
    findings: &Findings,
    hosts: &[JudgedHost],
    situation: &Situation,
    choice: &Choice,
    profile: &Profile,
    row: Row,
) -> Verdict {
    let (answer, reason, words) = match candidate {
        Candidate::NotFound if choice.nothing_owed && half_dane_is_off(situation, profile) => (
            Answer::May,
            Reason::NoPolicy,
            "DANE behind an insecure MX set is switched off",
        ),
        Candidate::NotFound => (
            Answer::NotFound,
            Reason::NoPolicy,
            "the destination demands nothing",
        ),
        Candidate::DaneOnly => (
            Answer::DaneOnly,
            Reason::DaneAllHosts,
            "every host used must match its TLSA records",
        ),
        Candidate::Dane if choice.half_dane_used => (
            Answer::Dane,
            Reason::HalfDane,
            "hosts with TLSA records must match them; the MX set itself is insecure",
        ),
        // PF-07: where every host used is authenticated, `dane-only` was chosen.
        Candidate::Dane => (
            Answer::Dane,
            Reason::DaneSomeHosts,
            "hosts with TLSA records must match them, others are reached as before",
        ),
        Candidate::Encrypt => (
            Answer::Encrypt,
            Reason::TlsaUnusable,
            "TLSA records exist and none is usable: TLS is owed, authentication is not possible",
        ),
        Candidate::Secure => (
            Answer::Secure(owing_web_pki(findings, hosts)),
            Reason::StsEnforce,
            "an MTA-STS policy is enforced",
        ),
    };
    Verdict::plain(answer, row, reason, words.to_owned())
}

/// PD-07: the operator switched half-DANE off, and an MTA whose own level is `dane` would use it.
fn half_dane_is_off(situation: &Situation, profile: &Profile) -> bool {
    let as_if_on = Situation {
        half_dane: true,
        ..situation.clone()
    };
    !situation.half_dane
        && profile.floor == Floor::Dane
        && as_if_on.uses_half_dane(profile.family, profile.floor)
}

/// PF-12: exactly the current hosts that the policy permits and that owe web PKI, sorted.
fn owing_web_pki(findings: &Findings, hosts: &[JudgedHost]) -> Vec<MatchName> {
    let mut names: Vec<MatchName> = hosts
        .iter()
        .filter(|host| host.duty == Duty::WebPki && host.state != HostState::Unreachable)
        .filter_map(|host| findings.hosts.get(host.index))
        .map(|finding| MatchName::Host(finding.host.0.clone()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// TEMP, with the reason that weighs most.
fn refused(findings: &Findings, hosts: &[JudgedHost], situation: &Situation, row: Row) -> Verdict {
    let has = |state| hosts.iter().any(|host| host.state == state);
    let usable = has(HostState::UsableEndEntity) || has(HostState::UsableTrustAnchor);
    if situation.mandatory && situation.mx == MxSecurity::Insecure {
        let words = "the rule demands DANE, and the MX lookup is not secured by DNSSEC";
        return Verdict::temp(row, Reason::MxInsecure, words);
    }
    if usable {
        let words = "hosts must be authenticated by DANE, which this profile's MTA cannot do";
        return Verdict::temp(row, Reason::MtaCannotAuthenticate, words);
    }
    if has(HostState::Failed) {
        return Verdict::temp(row, Reason::TlsaLookupFailed, failed_hosts(findings, hosts));
    }
    if has(HostState::AddressFailed) {
        return Verdict::temp(
            row,
            Reason::AddressLookupFailed,
            failed_hosts(findings, hosts),
        );
    }
    if situation.mandatory {
        let words = "the rule demands DANE, and no host has usable TLSA records";
        return Verdict::temp(row, Reason::DaneRequired, words);
    }
    if situation.enforce && !situation.hosts.iter().any(|host| host.listed) {
        let findings = hosts
            .iter()
            .filter_map(|host| findings.hosts.get(host.index));
        let names: Vec<String> = findings
            .map(|finding| finding.host.to_string())
            .take(NAMED)
            .collect();
        let words = format!(
            "the enforced MTA-STS policy permits none of the MX hosts {}",
            names.join(" ")
        );
        return Verdict::temp(row, Reason::StsNoMxMatches, words);
    }
    let words = "no answer that the MTA understands keeps every host at its duty";
    Verdict::temp(row, Reason::MtaCannotAuthenticate, words)
}

/// Which lookups failed, in words: the postmaster reads them in the log of the MTA.
fn failed_hosts(findings: &Findings, hosts: &[JudgedHost]) -> String {
    let words: Vec<String> = hosts
        .iter()
        .filter(|host| matches!(host.state, HostState::Failed | HostState::AddressFailed))
        .filter_map(|host| findings.hosts.get(host.index))
        .map(failed_host)
        .take(NAMED)
        .collect();
    words.join("; ")
}

fn failed_host(host: &HostFinding) -> String {
    let name = &host.host;
    let addresses = [(&host.ipv4, "A"), (&host.ipv6, "AAAA")];
    let failed_address = addresses
        .into_iter()
        .find_map(|(finding, family)| match finding {
            AddressFinding::Failed(failure) => Some((family, failure)),
            AddressFinding::Present { .. } | AddressFinding::Absent { .. } => None,
        });
    match (&host.dane, failed_address) {
        (DaneFinding::Failed(failure), _) => {
            format!(
                "TLSA of {name}: {}, {}",
                failure.kind.word(),
                failure.detail
            )
        }
        (_, Some((family, failure))) => {
            format!(
                "{family} of {name}: {}, {}",
                failure.kind.word(),
                failure.detail
            )
        }
        _ => format!("{name}: unknown"),
    }
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

/// Hosts named in one TEMP text: the MTA logs about 200 characters of it.
const NAMED: usize = 3;
