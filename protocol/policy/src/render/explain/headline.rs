//! What happens to mail, and why, in one sentence.

use super::advice::FailedLookup;
use crate::findings::{MxFinding, NoHosts};
use crate::law::outcome::Outcome;
use crate::law::{Answer, MatchName, Verdict};
use crate::reason::Reason;
use crate::render::{Rendered, View};

/// The sentence, without the destination's name in front.
pub(super) fn sentence(view: &View<'_>) -> String {
    let verdict = view.verdict;
    let words = match (&verdict.answer, view.rendered) {
        (_, Rendered::Temp(_)) | (Answer::Temp, _) => {
            return format!("MAIL WAITS: {}.", delay(view));
        }
        (Answer::NotFound, _) => {
            return format!("{}; Postfix's own level applies.", nothing(view));
        }
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
            format!("mail needs {which} listed in a rule of yours")
        }
    };
    format!("{words} (Postfix is told {:?}).", verdict.answer.word())
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
            NoHosts::NoUsableExchange => "no MX record of this domain names a host",
        },
        (Reason::NoHosts, _) => "no mail host of this destination has an address",
        _ => "this destination demands nothing",
    }
}

fn encrypt(verdict: &Verdict) -> String {
    match verdict.reason {
        Reason::TlsaUnusable => "mail must go over TLS, but nobody is authenticated, for no TLSA \
                                 record here can be used"
            .to_owned(),
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
        Reason::Deadline => "the lookups take longer than Postfix may wait",
        Reason::Busy => "hoplock has too much to do",
        Reason::Rule => "a rule of yours says so",
        Reason::Internal => "hoplock failed at this one lookup",
        _ => "no answer that this Postfix understands keeps the mail safe",
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
