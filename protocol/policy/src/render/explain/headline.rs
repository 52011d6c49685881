//! What happens to mail, and why, in one sentence.

use super::advice::FailedLookup;
use crate::findings::{MxFinding, NoHosts};
use crate::law::duty::Duty;
use crate::law::outcome::Outcome;
use crate::law::situation::HostState;
use crate::law::{Answer, MatchName, Verdict};
use crate::profile::Family;
use crate::reason::Reason;
use crate::render::exim::Level;
use crate::render::{Rendered, View};

/// The sentence, without the destination's name in front.
pub(super) fn sentence(view: &View<'_>) -> String {
    let verdict = view.verdict;
    let mta = view.family.mta();
    let words = match (&verdict.answer, view.rendered) {
        (Answer::Temp, _) | (_, Rendered::Temp(_) | Rendered::Level(Level::Defer(_))) => {
            return format!("MAIL WAITS: {}.", delay(view));
        }
        (Answer::NotFound, _) => match by_itself(verdict) {
            Some(words) => words,
            None => return format!("{}; {mta}'s own level applies.", nothing(view)),
        },
        // Sendmail has no word for less.
        (Answer::None | Answer::May, Rendered::NotFound) => {
            return format!(
                "a rule of yours asks for no more than {mta}'s own level, which applies."
            );
        }
        _ if view.family == Family::Exim && !is_ordered(verdict) => each_host(verdict),
        (Answer::None, _) => format!("mail is sent WITHOUT TLS{}", by_rule(verdict)),
        (Answer::May, _) => {
            format!(
                "mail is sent over TLS where it is offered{}",
                by_rule(verdict)
            )
        }
        (Answer::Encrypt, _) => encrypt(verdict),
        (Answer::Dane, _) => dane(verdict),
        (Answer::DaneOnly, _) => format!("mail must be authenticated by DANE{}", by_rule(verdict)),
        (Answer::Secure(names) | Answer::Verify(names), _) => format!(
            "{} demands a valid certificate for {}",
            by_policy_or_rule(verdict),
            named(names)
        ),
        (Answer::Fingerprint(digests), _) => {
            let which = match digests.as_slice() {
                [_] => "the key".to_owned(),
                several => format!("one of the {} keys", several.len()),
            };
            let whose = if is_ordered(verdict) {
                "listed in a rule of yours"
            } else {
                "that the hosts' TLSA records name"
            };
            format!("mail needs {which} {whose}")
        }
        (Answer::Anchored { names, .. }, _) => format!(
            "mail needs a certificate for {} from an authority that the hosts' TLSA records name",
            named(names)
        ),
    };
    format!("{words} ({}).", told(view))
}

/// What the MTA is told.
fn told(view: &View<'_>) -> String {
    let mta = view.family.mta();
    match view.rendered {
        Rendered::NotFound => format!("{mta} is told nothing, and sees to it by itself"),
        Rendered::Level(level) => {
            let level = level.to_string();
            format!("{mta} is told {level:?}, and asks about each host")
        }
        Rendered::Ok(_) | Rendered::Temp(_) => {
            format!("{mta} is told {:?}", view.verdict.answer.word())
        }
    }
}

/// What is demanded where the MTA is told nothing and holds hosts to it all the same.
fn by_itself(verdict: &Verdict) -> Option<String> {
    Some(match verdict.reason {
        Reason::DaneAllHosts => "mail must be authenticated by DANE".to_owned(),
        Reason::DaneSomeHosts | Reason::StsEnforce => each_host(verdict),
        Reason::TlsaUnusable => encrypt(verdict),
        _ => return None,
    })
}

/// How many hosts owe what.
fn each_host(verdict: &Verdict) -> String {
    let count = |duty: Duty| {
        let hosts = verdict.hosts.iter();
        let counting = hosts.filter(|host| host.state != HostState::Unreachable);
        counting.filter(|host| host.duty == duty).count()
    };
    let duties = [
        (Duty::Dane, "must be authenticated by DANE"),
        (Duty::WebPki, "must show a certificate valid for its name"),
        (
            Duty::OwnWebPki,
            "must show a certificate valid for your own names",
        ),
        (Duty::Encrypt, "must take mail over TLS"),
        (Duty::Free, "owes nothing"),
        (Duty::Refuse, "gets no mail"),
    ];
    let parts: Vec<String> = duties
        .into_iter()
        .map(|(duty, words)| (count(duty), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    if parts.is_empty() {
        return "whoever takes mail must show a certificate that the MTA-STS policy permits"
            .to_owned();
    }
    format!("of its hosts, {}", parts.join(", "))
}

/// True where a rule gives the level, whatever each host owes.
fn is_ordered(verdict: &Verdict) -> bool {
    matches!(
        verdict.reason,
        Reason::Rule | Reason::RuleOff | Reason::RuleAudit | Reason::RuleFallback
    )
}

/// Why nothing is demanded.
fn nothing(view: &View<'_>) -> &'static str {
    match (
        view.verdict.reason,
        view.findings.map(|findings| &findings.mx),
    ) {
        (Reason::NotADomain, _) => "this is no mail domain that could publish a policy",
        (Reason::ParentKey, _) => "a parent domain decides nothing for its children",
        (Reason::RuleOff, _) => "a rule of yours switches hoplock off here",
        (Reason::RuleAudit, _) => "a rule of yours only audits",
        (_, Some(MxFinding::NoHosts { why, .. })) => match why {
            NoHosts::NxDomain => "this domain does not exist",
            NoHosts::NullMx => "this domain takes no mail (null MX)",
            NoHosts::NoService => "this domain offers no such service",
            NoHosts::NoUsableExchange => "no MX record of this domain names a host",
        },
        (Reason::PinsWouldBend, _) => {
            "the best hosts owe no authentication, and pins would bend mail away from them"
        }
        (Reason::NoHosts, _) => "no mail host of this destination has an address",
        _ => "this destination demands nothing",
    }
}

fn encrypt(verdict: &Verdict) -> String {
    match verdict.reason {
        Reason::TlsaUnusable => "mail must go over TLS, but nobody is authenticated, for no TLSA \
                                 record here can be used"
            .to_owned(),
        Reason::PinsWouldBend => {
            "mail must go over TLS, and nobody is authenticated, for pins would \
                                  bend mail away from the best hosts"
                .to_owned()
        }
        _ => format!(
            "mail must go over TLS, and no certificate is checked{}",
            by_rule(verdict)
        ),
    }
}

fn dane(verdict: &Verdict) -> String {
    let count = |outcome| {
        let hosts = verdict.hosts.iter();
        hosts.filter(|host| host.outcome == outcome).count()
    };
    let used = verdict.hosts.len() - count(Outcome::Skip);
    match verdict.reason {
        Reason::Rule => {
            "hosts with TLSA records must be authenticated by DANE, as a rule of yours \
                         says"
                .to_owned()
        }
        Reason::HalfDane => "hosts with TLSA records must be authenticated by DANE, though the MX \
                             records that name them are unsigned"
            .to_owned(),
        _ => format!(
            "{} of {used} hosts must be authenticated by DANE, others cannot be",
            count(Outcome::Dane)
        ),
    }
}

/// What a delay is for, short enough for the first line.
fn delay(view: &View<'_>) -> String {
    if let Some(failed) = FailedLookup::of(view) {
        return format!(
            "the {} lookup of {} failed ({})",
            failed.record_type,
            failed.host(),
            failed.failure.kind.word()
        );
    }
    let mta = view.family.mta();
    let words = match view.verdict.reason {
        Reason::TlsaLookupFailed => "what a host publishes as TLSA could not be found out",
        Reason::MxLookupFailed => "the MX records could not be looked up",
        Reason::AddressLookupFailed => "no host's address could be looked up",
        Reason::StsNoMxMatches => "its MTA-STS policy permits none of its MX hosts",
        Reason::StsFirstContact => "its MTA-STS policy could not be had",
        Reason::StoreFailed => "what is remembered of its MTA-STS policy cannot be read or kept",
        Reason::DaneRequired => "a rule of yours demands DANE, and no host has usable TLSA records",
        Reason::MxInsecure => "a rule of yours demands DANE, and its MX records are unsigned",
        Reason::ResolverNotValidating => "your resolver does not validate DNSSEC",
        Reason::Deadline => {
            return format!("the lookups take longer than {mta} may wait");
        }
        Reason::Busy => "hoplock has too much to do",
        Reason::MtaCannotAuthenticate if !view.verdict.anchors_wanted.is_empty() => {
            "no trust anchor that its hosts' TLSA records name is known yet"
        }
        Reason::ReplyTooLong => "the answer would be longer than the mail server reads",
        Reason::Rule => "a rule of yours says so",
        Reason::Internal => "hoplock failed at this one lookup",
        _ => {
            return format!("no answer that this {mta} understands keeps the mail safe");
        }
    };
    words.to_owned()
}

fn named(names: &[MatchName]) -> String {
    match names {
        [MatchName::Host(name)] => name.to_string(),
        names if names.len() <= NAMED => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            names.join(" or ")
        }
        names => format!("one of {} names", names.len()),
    }
}

fn by_policy_or_rule(verdict: &Verdict) -> &'static str {
    match verdict.reason {
        Reason::StsEnforce => "MTA-STS",
        Reason::RuleFallback => "the fallback of a rule of yours",
        _ => "a rule of yours",
    }
}

fn by_rule(verdict: &Verdict) -> &'static str {
    match verdict.reason {
        Reason::Rule | Reason::RuleOff | Reason::RuleAudit => ", as a rule of yours says",
        Reason::RuleFallback => ", the fallback that a rule of yours gives",
        _ => "",
    }
}

/// Names that the first line has room for.
const NAMED: usize = 3;
