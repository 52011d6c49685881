//! An answer for people: what a tired postmaster understands at once, then all the evidence.

use std::fmt::Write as _;
use std::time::Duration;

use super::json::{addresses, presentation, trouble, words};
use super::view::View;
use crate::dns::Answer as Reply;
use crate::findings::{DaneFinding, Findings, MxFinding, NoHosts, Selection, StsFinding};
use crate::law::outcome::Outcome;
use crate::law::{Answer, Verdict};
use crate::next_hop::{NextHop, escaped};
use crate::reason::Reason;

/// The whole text.
#[must_use]
pub fn text(view: &View<'_>) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "{}: {}", escaped(view.asked), headline(view.verdict));
    let _ = writeln!(
        page,
        "  Postfix is told   {}",
        view.rendered.to_string().trim_end()
    );
    if !view.verdict.detail.is_empty() {
        let _ = writeln!(
            page,
            "  because           {}",
            escaped(&view.verdict.detail)
        );
    }
    let (row, reason) = (view.verdict.row, view.verdict.reason);
    let _ = writeln!(
        page,
        "  row and reason    {} ({}), {reason}",
        row.id(),
        row.words()
    );
    let _ = writeln!(
        page,
        "  kept for          {}",
        duration(view.verdict.expires_in)
    );
    if let Some(cure) = cure(view) {
        let _ = writeln!(page, "  what to do        {cure}");
    }
    if let Some(rule) = &view.verdict.rule {
        let comment = if rule.comment.is_empty() {
            String::new()
        } else {
            format!(": {}", escaped(&rule.comment))
        };
        let _ = writeln!(page, "  rule              {}{comment}", rule.pattern);
    }
    if let Some(would) = view.verdict.would_fail {
        let _ = writeln!(page, "  would have been   {would}");
    }
    if let Some(findings) = view.findings {
        evidence(&mut page, view, findings);
    }
    page
}

/// What happens to mail, in one sentence.
fn headline(verdict: &Verdict) -> String {
    match &verdict.answer {
        Answer::Temp => format!("MAIL WAITS ({}).", verdict.reason),
        Answer::NotFound if verdict.reason == Reason::NotADomain => {
            "no destination that policies are made for; Postfix's own level applies.".to_owned()
        }
        Answer::NotFound => "nothing is demanded; Postfix's own level applies.".to_owned(),
        Answer::None => "mail is sent without TLS, by a rule.".to_owned(),
        Answer::May => "mail is sent over TLS where it is offered.".to_owned(),
        Answer::Encrypt => "mail is sent over TLS only; the certificate is not checked.".to_owned(),
        Answer::Dane => "mail to hosts with TLSA records is authenticated by DANE; others are \
                         reached as before."
            .to_owned(),
        Answer::DaneOnly => "mail is sent only to hosts that DANE authenticates.".to_owned(),
        Answer::Secure(_) | Answer::Verify(_) => {
            "mail is sent only to hosts with a valid certificate for the names listed.".to_owned()
        }
        Answer::Fingerprint(_) => {
            "mail is sent only to hosts with one of the keys listed.".to_owned()
        }
    }
}

/// What the postmaster can do about mail that waits.
fn cure(view: &View<'_>) -> Option<String> {
    if view.verdict.answer != Answer::Temp {
        return None;
    }
    let asked = view.next_hop.to_string();
    Some(match view.verdict.reason {
        Reason::MxLookupFailed | Reason::TlsaLookupFailed | Reason::AddressLookupFailed => format!(
            "usually the destination's DNS: ask again with `hoplock explain --direct '{asked}'`; \
             to survive it, a rule for this destination with mode = \"off\" and an expiry"
        ),
        Reason::StsNoMxMatches => {
            "the destination's MX records and its MTA-STS policy disagree: tell its postmaster, or \
             set a rule with sts = false and an expiry"
                .to_owned()
        }
        Reason::DaneRequired | Reason::MxInsecure => {
            "a rule of yours demands DANE here: change its mode or give it a fallback".to_owned()
        }
        Reason::ResolverNotValidating => {
            "your own resolver: run one that validates (unbound) on 127.0.0.1".to_owned()
        }
        Reason::Deadline | Reason::Busy => "nothing: the next attempt finds the answer".to_owned(),
        Reason::StsFirstContact => {
            "the destination's policy host, or [sts] on_first_contact_failure = \"ignore\""
                .to_owned()
        }
        _ => return None,
    })
}

fn evidence(page: &mut String, view: &View<'_>, findings: &Findings) {
    let _ = writeln!(page, "\nMX       {}", mx(findings, view.next_hop));
    for judged in &view.verdict.hosts {
        let Some(host) = findings.hosts.get(judged.index) else {
            continue;
        };
        let _ = writeln!(
            page,
            "  {:>5} {}: addresses {}, TLSA {}; owes {}, so Postfix will {}",
            host.preference,
            host.host,
            addresses(host),
            judged.state.word(),
            judged.duty.word(),
            deed(judged.outcome),
        );
        if let Some(words) = trouble(judged, host) {
            let _ = writeln!(page, "        {}", escaped(&words));
        }
        if let DaneFinding::Records { base, rdata } = &host.dane {
            for rdata in rdata {
                let _ = writeln!(page, "        {base} TLSA {}", presentation(rdata));
            }
        }
    }
    let _ = writeln!(page, "MTA-STS  {}", sts(findings, view));
    if !view.verdict.losers.is_empty() {
        let _ = writeln!(page, "not said");
        for loser in &view.verdict.losers {
            let host = loser
                .host
                .as_ref()
                .map_or(String::new(), |host| format!(" ({host})"));
            let _ = writeln!(page, "  {:<10} {}{host}", loser.answer.word(), loser.why);
        }
    }
    for warning in &findings.warnings {
        let _ = writeln!(page, "warning  {}", escaped(warning));
    }
    let _ = writeln!(page, "lookups");
    for reply in &findings.lookups {
        let ttl = reply
            .answer
            .ttl()
            .map_or("-".to_owned(), |ttl| ttl.as_secs().to_string());
        let detail = match &reply.answer {
            Reply::Failed(failure) => format!("  {}", escaped(&failure.detail)),
            _ => String::new(),
        };
        let _ = writeln!(
            page,
            "  {:<5} {}  {} {}, TTL {ttl} s, {} ms{detail}",
            reply.question.record_type,
            reply.question.name,
            reply.answer.status().word(),
            reply.answer.rcode(),
            reply.took.as_millis(),
        );
    }
}

fn mx(findings: &Findings, next_hop: &NextHop) -> String {
    match &findings.mx {
        MxFinding::Hosts(Selection::Named) => format!("not asked: {next_hop} names the host"),
        MxFinding::Hosts(Selection::Implicit(status)) => {
            format!("none ({}): the domain is its own host", status.word())
        }
        MxFinding::Hosts(Selection::Mx(status)) => format!("{} set", status.word()),
        MxFinding::NoHosts { why, status } => {
            let why = match why {
                NoHosts::NxDomain => "the domain does not exist",
                NoHosts::NullMx => "the domain takes no mail (null MX)",
                NoHosts::NoUsableExchange => "no MX record names a host",
            };
            format!("{why} ({})", status.word())
        }
        MxFinding::Failed(failure) => {
            format!(
                "FAILED: {}, {}",
                failure.kind.word(),
                escaped(&failure.detail)
            )
        }
    }
}

fn sts(findings: &Findings, view: &View<'_>) -> String {
    match &findings.sts {
        StsFinding::NotApplicable => "does not apply".to_owned(),
        StsFinding::Absent(why) => format!("none: {}", escaped(why)),
        StsFinding::Failed(failure) => format!("unknown: {}", escaped(&words(failure))),
        StsFinding::Policy {
            remembered,
            trouble,
            ..
        } => {
            let patterns: Vec<String> = remembered
                .policy
                .mx
                .iter()
                .map(ToString::to_string)
                .collect();
            let trouble = trouble.as_ref().map_or(String::new(), |failure| {
                format!("; {}", escaped(&words(failure)))
            });
            format!(
                "{} for {} (id {}, expires in {}){trouble}",
                remembered.policy.mode.word(),
                patterns.join(" "),
                remembered.id,
                duration(remembered.remaining(view.now)),
            )
        }
    }
}

fn deed(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Skip => "not use it",
        Outcome::Clear => "use it, over TLS where offered",
        Outcome::Encrypt => "use it over TLS only",
        Outcome::WebPki => "use it with a valid certificate for its name only",
        Outcome::OwnWebPki => "use it with a valid certificate for Postfix's own names only",
        Outcome::Dane => "use it when its TLSA records match only",
    }
}

fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "this answer only".to_owned(),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
