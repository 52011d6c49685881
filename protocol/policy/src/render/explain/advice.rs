//! Mail waits: whose problem it probably is, what to look at, and the way out.

use super::page::Page;
use crate::dns::{FailureKind, LookupFailure, RecordType, Reply};
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding, MxFinding};
use crate::law::situation::HostState;
use crate::next_hop::NextHop;
use crate::profile::Family;
use crate::reason::Reason;
use crate::render::{View, safe};

/// The lookup for which mail waits.
pub(super) struct FailedLookup<'a> {
    pub(super) record_type: RecordType,
    pub(super) owner: String,
    pub(super) failure: &'a LookupFailure,
}

/// Advice in three parts.
struct Advice {
    whose: String,
    look: Vec<String>,
    way_out: String,
}

/// Writes the advice, where mail waits and there is some.
pub(super) fn write(page: &mut Page, view: &View<'_>) {
    if !view.rendered.waits() {
        return;
    }
    let advice = match FailedLookup::of(view) {
        Some(failed) => for_lookup(&failed, view),
        None => for_reason(view),
    };
    page.fact("whose", &advice.whose);
    for (number, command) in advice.look.iter().enumerate() {
        page.fact(if number == 0 { "look" } else { "" }, command);
    }
    page.fact("way out", &advice.way_out);
}

impl<'a> FailedLookup<'a> {
    /// The lookup that the verdict's reason speaks of; `None` where it speaks of none.
    pub(super) fn of(view: &View<'a>) -> Option<Self> {
        let findings = view.findings?;
        let hosts = view.verdict.hosts.iter();
        let mut hosts =
            hosts.filter_map(|judged| Some((judged.state, findings.hosts.get(judged.index)?)));
        match view.verdict.reason {
            Reason::MxLookupFailed => match &findings.mx {
                MxFinding::Failed(failure) => Some(Self::mx(findings, failure)),
                MxFinding::Hosts(_) | MxFinding::NoHosts { .. } => None,
            },
            Reason::TlsaLookupFailed => hosts.find_map(|(state, host)| match &host.dane {
                DaneFinding::Failed(failure) if state == HostState::Failed => {
                    Some(Self::tlsa(findings, host, failure))
                }
                _ => None,
            }),
            Reason::AddressLookupFailed => hosts
                .filter(|(state, _)| *state == HostState::AddressFailed)
                .find_map(|(_, host)| Self::address(host)),
            _ => None,
        }
    }

    /// The host or domain that the question is about, without `_25._tcp` in front.
    pub(super) fn host(&self) -> &str {
        let labels = self.owner.split_inclusive('.');
        let front: usize = labels
            .take_while(|label| label.starts_with('_'))
            .map(str::len)
            .sum();
        self.owner.get(front..).unwrap_or_default()
    }

    fn mx(findings: &'a Findings, failure: &'a LookupFailure) -> Self {
        let asked = findings.lookups.iter().find(|reply| {
            has_failed(reply, failure) && reply.question.record_type != RecordType::Txt
        });
        asked.map_or_else(
            || Self {
                record_type: RecordType::Mx,
                owner: findings.next_hop.to_string(),
                failure,
            },
            |reply| Self::asked(reply, failure),
        )
    }

    /// The status of an alias is looked up too, so the question is not always for TLSA.
    fn tlsa(findings: &'a Findings, host: &HostFinding, failure: &'a LookupFailure) -> Self {
        let name = host.host.0.as_str();
        let mut failed = findings.lookups.iter().filter(|reply| {
            has_failed(reply, failure) && reply.question.name.as_str().ends_with(name)
        });
        if let Some(reply) = failed.next() {
            return Self::asked(reply, failure);
        }
        let port = findings.port_of(&host.host).unwrap_or(SMTP);
        Self {
            record_type: RecordType::Tlsa,
            owner: format!("_{port}._tcp.{name}"),
            failure,
        }
    }

    fn address(host: &'a HostFinding) -> Option<Self> {
        let families = [(&host.ipv4, RecordType::A), (&host.ipv6, RecordType::Aaaa)];
        families
            .into_iter()
            .find_map(|(finding, record_type)| match finding {
                AddressFinding::Failed(failure) => Some(Self {
                    record_type,
                    owner: host.host.to_string(),
                    failure,
                }),
                AddressFinding::Present { .. } | AddressFinding::Absent { .. } => None,
            })
    }

    fn asked(reply: &Reply, failure: &'a LookupFailure) -> Self {
        Self {
            record_type: reply.question.record_type,
            owner: reply.question.name.to_string(),
            failure,
        }
    }
}

fn has_failed(reply: &Reply, failure: &LookupFailure) -> bool {
    matches!(&reply.answer, crate::dns::Answer::Failed(own) if own == failure)
}

fn for_lookup(failed: &FailedLookup<'_>, view: &View<'_>) -> Advice {
    let (record_type, owner, host) = (failed.record_type, &failed.owner, failed.host());
    let whose = match failed.failure.kind {
        FailureKind::Bogus => format!(
            "probably the operator of {host}: its DNSSEC signatures are wrong; or somebody forges \
             its answers"
        ),
        FailureKind::ServFail | FailureKind::Refused | FailureKind::Malformed => format!(
            "probably the operator of {host}: its name servers do not answer such questions \
             properly; if every destination fails, your own resolver"
        ),
        FailureKind::Timeout => format!(
            "probably the operator of {host}: its name servers do not answer in time; if every \
             destination fails, your own resolver or network"
        ),
        FailureKind::AliasLoop => format!("the operator of {host}: its aliases lead nowhere"),
        FailureKind::Unreachable => {
            "yours: this machine cannot reach its resolver, or has no descriptor left".to_owned()
        }
        FailureKind::NotExamined => {
            "the destination's: it has more hosts than hoplock examines".to_owned()
        }
    };
    let without_checks =
        format!("dig +cd {record_type} {owner}   (if this one answers, DNSSEC is at fault)");
    let mut look = vec![format!("dig +dnssec {record_type} {owner}")];
    if matches!(
        failed.failure.kind,
        FailureKind::Bogus | FailureKind::ServFail
    ) {
        look.push(without_checks);
    }
    look.push(again(view));
    Advice {
        whose,
        look,
        way_out: let_through(view),
    }
}

fn for_reason(view: &View<'_>) -> Advice {
    let name = view
        .next_hop
        .name()
        .map_or_else(|| safe(view.asked), ToString::to_string);
    let (whose, look, way_out) = match view.verdict.reason {
        Reason::StsNoMxMatches => (
            "probably its operator: MX records and MTA-STS policy disagree; or somebody forges its \
             MX records"
                .to_owned(),
            vec![
                format!("dig MX {name}"),
                format!("curl https://mta-sts.{name}/.well-known/mta-sts.txt"),
            ],
            rule(view, "--no-sts", "the policy does not count"),
        ),
        Reason::StsFirstContact => (
            "probably its operator: the policy host does not serve what the DNS announces".to_owned(),
            vec![format!("curl -v https://mta-sts.{name}/.well-known/mta-sts.txt")],
            "[sts] on_first_contact_failure = \"ignore\" sends mail before a policy was ever seen"
                .to_owned(),
        ),
        Reason::StoreFailed => (
            "yours: hoplock's state file cannot be read or written".to_owned(),
            vec!["hoplock doctor".to_owned(), "df, and hoplock's log".to_owned()],
            "make room, or mend the disk; it is tried again by itself".to_owned(),
        ),
        Reason::MtaCannotAuthenticate => return cannot_authenticate(view.family),
        Reason::DaneRequired | Reason::MxInsecure => (
            "yours: your rule demands more than the destination publishes".to_owned(),
            vec![format!("dig +dnssec MX {name}")],
            "change the rule: mode = \"opportunistic\", or a fallback".to_owned(),
        ),
        Reason::ResolverNotValidating => (
            "yours: nothing that this resolver says can be proved".to_owned(),
            vec!["dig +dnssec SOA com   (the flags must show \"ad\")".to_owned()],
            "run a resolver that validates (unbound) on 127.0.0.1 and name it in [dns] servers"
                .to_owned(),
        ),
        Reason::Deadline | Reason::Busy => (
            "nobody's yet: the lookups go on, and their result is kept".to_owned(),
            vec![again(view)],
            "none is needed: the next attempt finds the answer".to_owned(),
        ),
        Reason::Rule => (
            "yours: the rule is listed below".to_owned(),
            Vec::new(),
            "change the rule's answer, or give it what it lists".to_owned(),
        ),
        Reason::Internal => (
            "ours: please report it with the lines of the log".to_owned(),
            vec![again(view)],
            let_through(view),
        ),
        _ => (
            "yours or the destination's: see what each host is owed below".to_owned(),
            vec![again(view)],
            let_through(view),
        ),
    };
    Advice {
        whose,
        look,
        way_out,
    }
}

/// The MTA cannot be relied on to do what is owed.
fn cannot_authenticate(family: Family) -> Advice {
    let (whose, look, way_out) = match family {
        Family::Sendmail => (
            "yours: a host of this destination owes what this Sendmail cannot be told, or is not known \
             to do by itself",
            vec![
                "sendmail -d0.13 -bt </dev/null   (must name DANE; and O DANE=true in sendmail.cf)",
            ],
            "the session check, with verifier = true in the profile; or own_dane = \"yes\" for a \
             Sendmail 8.18 that does DANE over a resolver that validates",
        ),
        _ => (
            "yours: this destination must be authenticated by DANE; the mail server is not known to be \
             able to, and its records cannot be handed over as pins or trust anchors",
            vec![
                "hoplock doctor",
                "postconf smtp_dns_support_level   (must be dnssec, for DANE of its own)",
            ],
            "anchor_directory and probe = true in the profile, for trust anchors; or a Postfix that \
             validates, and own_dane = \"yes\" where hoplock cannot see that",
        ),
    };
    Advice {
        whose: whose.to_owned(),
        look: look.into_iter().map(str::to_owned).collect(),
        way_out: way_out.to_owned(),
    }
}

/// The same question without the daemon's memory.
fn again(view: &View<'_>) -> String {
    let next_hop = match view.next_hop {
        NextHop::NotADomain(_) => safe(view.asked),
        next_hop => next_hop.to_string(),
    };
    format!("hoplock explain --direct '{}'", next_hop.replace('\'', ""))
}

/// A rule that lets mail out all the same.
fn let_through(view: &View<'_>) -> String {
    match view.family {
        // It cannot be told `encrypt`, and would wait.
        Family::Sendmail => rule(view, "--mode audit", "nothing is demanded"),
        Family::Postfix | Family::Pins | Family::Exim => {
            rule(view, "--answer encrypt", "TLS of anybody will do")
        }
    }
}

/// The command, and what it costs.
fn rule(view: &View<'_>, order: &str, then: &str) -> String {
    let name = view
        .next_hop
        .name()
        .map_or_else(|| "example.com".to_owned(), ToString::to_string);
    format!(
        "hoplock rule add '{name}' {order} --until 2d --comment WHY; until then {then}, so be sure that it \
         is no attack"
    )
}

/// Where a next hop has no port of its own.
const SMTP: u16 = 25;
