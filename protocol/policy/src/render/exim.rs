//! Exim: what the verbs of its `readsocket` protocol say of one verdict (EX-03 to EX-07).
//!
//! Exim has no map of policies. Its routers ask for a level, its transport asks for each host, and
//! each host gets exactly its duty: `level` chooses the router, `mx` turns a host away, and the
//! options and the certificates of each session hold what is left to its duty.
//! Not done here: the socket, and the judging of certificates ([`crate::verify`]).

use std::fmt;

use super::reasoned;
use crate::dns::SecurityStatus;
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, StsFinding};
use crate::law::duty::Duty;
use crate::law::rows::Row;
use crate::law::situation::HostState;
use crate::law::{Answer, JudgedHost, MatchName, Verdict};
use crate::name::DomainName;
use crate::reason::Reason;
use crate::rules::Mode;
use crate::tlsa::{TlsaOptions, TlsaSet};

/// Which router takes the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Some host owes more than nothing: each is asked about.
    Enforce,
    /// Nothing is demanded: Exim's own settings act.
    May,
    /// The message waits: `reason-word: words`.
    Defer(String),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforce => f.write_str("enforce"),
            Self::May => f.write_str("may"),
            Self::Defer(text) => write!(f, "defer {text}"),
        }
    }
}

/// Whether a session with one host may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, under the options and certificates that it owes.
    Ok,
    /// It may not, and Exim tries the next host: `reason-word: words`.
    Refuse(String),
    /// No host may be used for now: `reason-word: words`.
    Defer(String),
}

/// What one host owes in the eyes of Exim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owes {
    /// This duty, for what the destination has published.
    Duty(Duty),
    /// One of the digests or names that a rule lists: the certificate tells (EX-06).
    Ordered,
    /// It is none of the hosts that the destination names, and the destination binds its hosts.
    Stranger(Reason),
}

/// Which router takes the message, and with it whether the hosts are asked about.
#[must_use]
pub fn level(verdict: &Verdict) -> Level {
    let hands_off = verdict.hands_off();
    match verdict.answer {
        // EX-04: whatever is missing is a delay here, and never Exim's bounce.
        Answer::Temp => Level::Defer(reasoned(verdict.reason, &verdict.detail)),
        Answer::None | Answer::May => Level::May,
        Answer::NotFound if hands_off => Level::May,
        // MX-14: who has no address owes nothing, for nobody asks him.
        Answer::NotFound if counting(verdict).all(|host| host.duty == Duty::Free) => Level::May,
        Answer::NotFound
        | Answer::Encrypt
        | Answer::Dane
        | Answer::DaneOnly
        | Answer::Verify(_)
        | Answer::Secure(_)
        | Answer::Fingerprint(_)
        | Answer::Anchored { .. } => Level::Enforce,
    }
}

/// Whether a session with `host` may go on, before any certificate is seen.
#[must_use]
pub fn mx(verdict: &Verdict, findings: Option<&Findings>, host: &DomainName) -> Admission {
    if let Level::Defer(text) = level(verdict) {
        return Admission::Defer(text);
    }
    match owes(verdict, findings, host) {
        Owes::Duty(Duty::Refuse) => {
            let (reason, words) = why_refused(verdict, findings, host);
            Admission::Refuse(reasoned(reason, &words))
        }
        Owes::Stranger(reason) => {
            let words = match reason {
                Reason::StsHostNotListed => {
                    format!("the enforced MTA-STS policy does not permit {host}")
                }
                _ => format!("the destination, which binds its hosts, does not name {host}"),
            };
            Admission::Refuse(reasoned(reason, &words))
        }
        Owes::Duty(_) | Owes::Ordered => Admission::Ok,
    }
}

/// The value of one option of Exim's smtp transport for a session with `host`; `None` for an option
/// that is not known here.
#[must_use]
pub fn option(
    name: &str,
    verdict: &Verdict,
    findings: Option<&Findings>,
    host: &DomainName,
) -> Option<String> {
    // What waits gets no session; an option that is asked for all the same must not open one.
    let owes = match verdict.answer {
        Answer::Temp => Owes::Duty(Duty::Refuse),
        _ => owes(verdict, findings, host),
    };
    let is_free = owes == Owes::Duty(Duty::Free);
    let has_no_session = matches!(owes, Owes::Stranger(_) | Owes::Duty(Duty::Refuse));
    let by_policy = owes == Owes::Duty(Duty::WebPki);
    let yes = match name {
        "hosts_require_tls" => !is_free,
        // EX-05: Exim's own DANE is an addition for hosts that owe DANE. Where it takes hold it puts
        // aside what web PKI demands, so it is kept from every other host.
        "hosts_try_dane" => owes == Owes::Duty(Duty::Dane),
        // RFC 8461, 4.2. DANE (RFC 7672, 3.1.1) and pins need no authority that Exim knows.
        "tls_verify_hosts" => by_policy || has_no_session || owes == Owes::Duty(Duty::OwnWebPki),
        // EX-07: under MTA-STS the certificate is for the host. Names that the operator gives may
        // be others, and are looked for with the certificate.
        "tls_verify_cert_hostnames" => by_policy || has_no_session,
        // RFC 7672, 8.1; RFC 8461, 7.1.
        "tls_sni" => return Some(server_name(owes, findings, host)),
        // PD-13: only what is opportunistic may fall to clear text.
        "tls_tempfail_tryclear" => is_free,
        // EX-04: Exim bounces where it finds no DANE (RFC 7672, 6 says delay); and no TLS at all is
        // never our order. A resumed session shows no certificate, and a session that serves two
        // destinations was judged for one (EX-07).
        "hosts_require_dane"
        | "hosts_avoid_tls"
        | "hosts_verify_avoid_tls"
        | "tls_resumption_hosts"
        | "multi_domain" => false,
        _ => return None,
    };
    Some(if yes { "yes" } else { "no" }.to_owned())
}

/// The name for SNI: where the TLSA records stand, else the host as its MX record has it.
fn server_name(owes: Owes, findings: Option<&Findings>, host: &DomainName) -> String {
    let finding = findings.and_then(|findings| findings.host_named(host));
    match finding.map(|finding| (&finding.dane, &finding.host)) {
        Some((DaneFinding::Records { base, .. }, _)) if owes == Owes::Duty(Duty::Dane) => {
            base.to_string()
        }
        Some((_, name)) => name.to_string(),
        None => host.to_string(),
    }
}

/// What a session with `host` owes; the same as [`crate::verify::Owed::under`] has it for the session
/// itself, as far as it can be told without a certificate.
fn owes(verdict: &Verdict, findings: Option<&Findings>, host: &DomainName) -> Owes {
    let finding = findings.and_then(|findings| findings.host_named(host));
    if let Some(ordered) = by_operator(verdict, findings, finding) {
        return ordered;
    }
    if let Some(judged) = finding.and_then(|finding| judged(verdict, findings, finding)) {
        return Owes::Duty(judged.duty);
    }
    let is_insecure = !has_secure_set(findings);
    if verdict.answer == Answer::NotFound {
        let mut asked = counting(verdict).map(|host| host.duty);
        // PD-16: Exim's own level acts, for those who are known and for those who are not.
        return match asked.next() {
            None => Owes::Duty(Duty::Free),
            Some(own @ (Duty::Free | Duty::Encrypt | Duty::OwnWebPki))
                if asked.all(|duty| duty == own) =>
            {
                Owes::Duty(own)
            }
            Some(_) => Owes::Stranger(Reason::HostUnknown),
        };
    }
    // DT-01s, DT-04: no host is known for sure, and the policy's patterns say who may take mail. Where
    // the MX set is secure, a host outside it may have TLSA records that bind first (PD-02).
    if verdict.reason == Reason::StsEnforce && is_insecure {
        return if permits(verdict, findings, host) {
            Owes::Duty(Duty::WebPki)
        } else {
            Owes::Stranger(Reason::StsHostNotListed)
        };
    }
    Owes::Stranger(Reason::HostUnknown)
}

/// A rule of the operator stands above what the destination published (PD-01).
fn by_operator(
    verdict: &Verdict,
    findings: Option<&Findings>,
    finding: Option<&HostFinding>,
) -> Option<Owes> {
    let hands_off = verdict.hands_off();
    if !hands_off && verdict.row != Row::Rule && verdict.reason != Reason::RuleFallback {
        return None;
    }
    Some(match &verdict.answer {
        Answer::None | Answer::May => Owes::Duty(Duty::Free),
        Answer::Encrypt => Owes::Duty(Duty::Encrypt),
        Answer::Fingerprint(_)
        | Answer::Secure(_)
        | Answer::Verify(_)
        | Answer::Anchored { .. } => Owes::Ordered,
        Answer::Dane | Answer::DaneOnly => by_dane(verdict, findings, finding),
        Answer::Temp => Owes::Duty(Duty::Refuse),
        Answer::NotFound => Owes::Duty(Duty::Free),
    })
}

/// The operator's level `dane` or `dane-only`: DANE where there is any, which an insecure MX set has
/// not (RFC 7672, 2.2.1), and no session where that is not known (RFC 7672, 2.1.2).
fn by_dane(verdict: &Verdict, findings: Option<&Findings>, finding: Option<&HostFinding>) -> Owes {
    let is_secure = has_secure_set(findings);
    let Some(finding) = finding else {
        return match verdict.answer {
            Answer::Dane if findings.is_some() && !is_secure => Owes::Duty(Duty::Free),
            _ => Owes::Stranger(Reason::HostUnknown),
        };
    };
    let addresses = [&finding.ipv4, &finding.ipv6];
    let has_failed = |found: &&AddressFinding| matches!(found, AddressFinding::Failed(_));
    let is_unknown = match &finding.dane {
        DaneFinding::Failed(_) => true,
        DaneFinding::NotAsked => addresses.iter().any(has_failed),
        _ => false,
    };
    Owes::Duty(match &finding.dane {
        DaneFinding::Records { rdata, .. } if is_secure => {
            let records = rdata.iter().map(Vec::as_slice);
            let usable = TlsaSet::read(records, &TlsaOptions::default()).is_usable();
            match (usable, &verdict.answer) {
                (true, _) => Duty::Dane,
                (false, Answer::DaneOnly) => Duty::Refuse,
                (false, _) => Duty::Encrypt,
            }
        }
        _ if is_unknown || verdict.answer == Answer::DaneOnly => Duty::Refuse,
        _ => Duty::Free,
    })
}

/// Whether the policy in force lets the host take mail (RFC 8461, 4.1).
fn permits(verdict: &Verdict, findings: Option<&Findings>, host: &DomainName) -> bool {
    if let Some(StsFinding::Policy { remembered, .. }) = findings.map(|findings| &findings.sts) {
        return remembered.policy.permits(host);
    }
    let Answer::Secure(names) = &verdict.answer else {
        return false;
    };
    names.iter().any(|name| match name {
        MatchName::Host(name) => name == host,
        MatchName::Below(parent) => {
            let above = host.as_str().split_once('.').map(|(_, above)| above);
            above == Some(parent.as_str())
        }
    })
}

/// Why a host must get no mail, in the reason that weighs most.
fn why_refused(
    verdict: &Verdict,
    findings: Option<&Findings>,
    host: &DomainName,
) -> (Reason, String) {
    let finding = findings.and_then(|findings| findings.host_named(host));
    let judged = finding.and_then(|finding| judged(verdict, findings, finding));
    let mandatory = verdict
        .rule
        .as_ref()
        .is_some_and(|rule| rule.mode == Mode::Mandatory);
    match judged.map(|judged| (judged.state, judged.listed)) {
        Some((HostState::Failed, _)) => (
            Reason::TlsaLookupFailed,
            format!("what {host} publishes as TLSA could not be found out"),
        ),
        Some((HostState::AddressFailed, _)) => (
            Reason::AddressLookupFailed,
            format!("the addresses of {host} could not be looked up"),
        ),
        Some(_) if mandatory => (
            Reason::DaneRequired,
            format!("the rule demands DANE, and {host} has no usable TLSA records"),
        ),
        Some((_, false)) => (
            Reason::StsHostNotListed,
            format!("the enforced MTA-STS policy does not permit {host}"),
        ),
        _ => (
            Reason::HostRefused,
            format!("{host} cannot be authenticated as it must be"),
        ),
    }
}

/// What the law made of a host; nothing where it seemed to have no address.
fn judged<'a>(
    verdict: &'a Verdict,
    findings: Option<&Findings>,
    finding: &HostFinding,
) -> Option<&'a JudgedHost> {
    let own = |judged: &JudgedHost| findings?.hosts.get(judged.index);
    counting(verdict).find(|judged| own(judged).is_some_and(|own| own.host == finding.host))
}

fn counting(verdict: &Verdict) -> impl Iterator<Item = &JudgedHost> {
    let hosts = verdict.hosts.iter();
    hosts.filter(|host| host.state != HostState::Unreachable)
}

fn has_secure_set(findings: Option<&Findings>) -> bool {
    findings.is_some_and(|findings| match findings.mx {
        MxFinding::Hosts(selection) => selection.status() == SecurityStatus::Secure,
        MxFinding::NoHosts { .. } | MxFinding::Failed(_) => false,
    })
}
