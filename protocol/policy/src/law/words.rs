//! The verdict of a choice, with its reason and words for people.

use super::choice::{Abilities, Choice};
use super::duty::Duty;
use super::outcome::{Candidate, MATCH_LIMIT, Outcome, is_named};
use super::rows::Row;
use super::situation::{HostState, MxSecurity, Situation};
use super::verdict::{Answer, JudgedHost, MatchName, Verdict};
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding};
use crate::profile::{Family, Floor, OwnDane, Profile};
use crate::reason::Reason;

/// The verdict that a choice comes to.
pub(super) fn chosen(
    candidate: Candidate,
    findings: &Findings,
    hosts: &[JudgedHost],
    situation: &Situation,
    choice: &Choice,
    profile: &Profile,
    row: Row,
) -> Verdict {
    let (answer, reason, words) = match candidate {
        Candidate::NotFound if would_bend(hosts) => {
            (Answer::NotFound, Reason::PinsWouldBend, WOULD_BEND)
        }
        Candidate::Encrypt if would_bend(hosts) => {
            (Answer::Encrypt, Reason::PinsWouldBend, WOULD_BEND)
        }
        Candidate::NotFound if choice.nothing_owed && half_dane_is_off(situation, profile) => (
            Answer::May,
            Reason::NoPolicy,
            "DANE behind an insecure MX set is switched off",
        ),
        Candidate::NotFound if choice.nothing_owed || profile.family != Family::Sendmail => (
            Answer::NotFound,
            Reason::NoPolicy,
            "the destination demands nothing",
        ),
        // The map has no word for it, and none is needed.
        Candidate::NotFound => (Answer::NotFound, held_to(hosts), held_by(profile)),
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
        Candidate::Dane if profile.family == Family::Exim => {
            (Answer::Dane, Reason::DaneSomeHosts, EACH_ITS_DUTY)
        }
        // PF-07: where every host used is authenticated, `dane-only` was chosen.
        Candidate::Dane => (
            Answer::Dane,
            Reason::DaneSomeHosts,
            "hosts with TLSA records must match them, others are reached as before",
        ),
        Candidate::Encrypt if situation.implicit_tls && !some_unusable(hosts) => (
            Answer::Encrypt,
            Reason::ImplicitTls,
            "TLS begins with the connection, so nothing is ever sent without it",
        ),
        // The floor alone asks for TLS, and some host is refused.
        Candidate::Encrypt if !some_unusable(hosts) => {
            (Answer::Encrypt, Reason::DaneSomeHosts, EACH_ITS_DUTY)
        }
        Candidate::Encrypt => (
            Answer::Encrypt,
            Reason::TlsaUnusable,
            "TLSA records exist and none is usable: TLS is owed, authentication is not possible",
        ),
        // Their words stand with what is pinned.
        Candidate::Fingerprint | Candidate::Anchored => {
            return refused(findings, hosts, situation, profile, row);
        }
        Candidate::Secure => (
            Answer::Secure(owing_web_pki(findings, hosts, situation, profile)),
            Reason::StsEnforce,
            "an MTA-STS policy is enforced",
        ),
    };
    Verdict::plain(answer, row, reason, words.to_owned())
}

/// DT-07b: some host gets less than its TLSA records ask for, as is declared of an MTA without DANE.
fn would_bend(hosts: &[JudgedHost]) -> bool {
    hosts.iter().any(|host| {
        host.duty == Duty::Dane && !matches!(host.outcome, Outcome::Dane | Outcome::Skip)
    })
}

/// PD-07: the operator switched half-DANE off, and an MTA whose own level is `dane` would use it.
fn half_dane_is_off(situation: &Situation, profile: &Profile) -> bool {
    let as_if_on = Situation {
        half_dane: true,
        ..situation.clone()
    };
    !situation.half_dane
        && profile.floor == Floor::Dane
        && matches!(profile.family, Family::Postfix | Family::Pins)
        && as_if_on.uses_half_dane(Family::Postfix, profile.floor)
}

/// PF-12: exactly the current hosts that the policy permits and that owe web PKI, sorted.
fn owing_web_pki(
    findings: &Findings,
    hosts: &[JudgedHost],
    situation: &Situation,
    profile: &Profile,
) -> Vec<MatchName> {
    let mx = situation.mx;
    let abilities = Abilities::of(profile);
    let mut names: Vec<MatchName> = hosts
        .iter()
        .filter(|host| host.duty == Duty::WebPki && host.state != HostState::Unreachable)
        .filter(|host| is_named(host.state, host.duty, mx, abilities))
        .filter_map(|host| findings.hosts.get(host.index))
        .map(|finding| MatchName::Host(finding.host.0.clone()))
        .collect();
    if profile.family == Family::Sendmail {
        // Best hosts first: who finds no place is refused, and not taken for another.
        let mut room = MATCH_LIMIT + 1;
        names.retain(|name| {
            let left = room.checked_sub(name.to_string().len() + 1);
            room = left.unwrap_or(room);
            left.is_some()
        });
    }
    names.sort();
    names.dedup();
    names
}

/// TEMP, with the reason that weighs most.
pub(super) fn refused(
    findings: &Findings,
    hosts: &[JudgedHost],
    situation: &Situation,
    profile: &Profile,
    row: Row,
) -> Verdict {
    let has = |state| hosts.iter().any(|host| host.state == state);
    let usable = has(HostState::UsableEndEntity) || has(HostState::UsableTrustAnchor);
    if situation.mandatory && situation.mx == MxSecurity::Insecure {
        let words = "the rule demands DANE, and the MX lookup is not secured by DNSSEC";
        return Verdict::temp(row, Reason::MxInsecure, words);
    }
    if usable && situation.mx == MxSecurity::Secure {
        return Verdict::temp(row, Reason::MtaCannotAuthenticate, cannot(profile));
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
    let words = match profile.family {
        Family::Sendmail => cannot(profile),
        _ => "no answer that the MTA understands keeps every host at its duty",
    };
    Verdict::temp(row, Reason::MtaCannotAuthenticate, words)
}

/// Why the MTA cannot be told what is owed, with the cure: the postmaster reads it in the MTA's log.
fn cannot(profile: &Profile) -> &'static str {
    match (profile.family, profile.own_dane) {
        (Family::Sendmail, OwnDane::Yes) => {
            "Sendmail would send mail to a host below what that host owes; its session check would not \
             (verifier = true)"
        }
        (Family::Sendmail, _) => {
            "a host owes what Sendmail cannot be told; its session check can (verifier = true), or its \
             own DANE (8.18)"
        }
        _ => "hosts must be authenticated by DANE, which this profile's MTA cannot do",
    }
}

/// What the hosts are held to, where the MTA is told nothing and does it by itself.
fn held_to(hosts: &[JudgedHost]) -> Reason {
    let outcomes = || {
        let outcomes = hosts.iter().map(|host| host.outcome);
        outcomes.filter(|outcome| *outcome != Outcome::Skip)
    };
    let some = |wanted| outcomes().any(|outcome| outcome == wanted);
    if outcomes().all(|outcome| outcome == Outcome::Dane) {
        Reason::DaneAllHosts
    } else if some(Outcome::Dane) {
        Reason::DaneSomeHosts
    } else if some(Outcome::WebPki) {
        Reason::StsEnforce
    } else if some_unusable(hosts) {
        Reason::TlsaUnusable
    } else {
        Reason::DaneSomeHosts
    }
}

fn held_by(profile: &Profile) -> &'static str {
    if profile.verifier {
        "the session check holds each host to what it owes"
    } else {
        "Sendmail's own DANE holds each host to its TLSA records"
    }
}

fn some_unusable(hosts: &[JudgedHost]) -> bool {
    hosts.iter().any(|host| host.state == HostState::Unusable)
}

/// Which lookups failed, in words: the postmaster reads them in the log of the MTA.
pub(super) fn failed_hosts(findings: &Findings, hosts: &[JudgedHost]) -> String {
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

/// What `strict` would change.
const WOULD_BEND: &str = "the best hosts owe no authentication, and pins would bend mail away from them to \
                          hosts behind; strict = true in the profile pins all the same";
/// Exim asks about each.
const EACH_ITS_DUTY: &str = "each host is held to what it owes, and to no more";

/// Hosts named in one TEMP text: the MTA logs about 200 characters of it.
const NAMED: usize = 3;
