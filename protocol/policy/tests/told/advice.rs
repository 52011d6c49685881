//! Whose problem a delay is, where to look, and the way out.

use hoplock_policy::dns::{Answer, FailureKind, RecordType};
use hoplock_policy::findings::{AddressFinding, DaneFinding, MxFinding};
use hoplock_policy::law::Answer as Told;
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;

use super::{Case, SECURE, failure};

const AGAIN: &str = "hoplock explain --direct 'example.com'";
const OFF: &str = "hoplock rule add 'example.com' --answer encrypt --until 2d --comment WHY; until then TLS \
                   of anybody will do, so be sure that it is no attack";

/// PD-15, OP-02: each reason for a delay has its owner, its commands, and its way out.
#[test]
fn each_reason_has_its_advice() {
    let sts = "curl https://mta-sts.example.com/.well-known/mta-sts.txt";
    for (reason, whose, look, way_out) in [
        (
            Reason::StsNoMxMatches,
            "probably its operator: MX records and MTA-STS policy disagree",
            format!("dig MX example.com {sts}"),
            "hoplock rule add 'example.com' --no-sts --until 2d",
        ),
        (
            Reason::StsFirstContact,
            "probably its operator: the policy host does not serve",
            sts.replace("curl", "curl -v"),
            "[sts] on_first_contact_failure = \"ignore\"",
        ),
        (
            Reason::StoreFailed,
            "yours: hoplock's state file",
            "hoplock doctor df, and hoplock's log".to_owned(),
            "make room, or mend the disk",
        ),
        (
            Reason::MtaCannotAuthenticate,
            "yours: this destination must be authenticated by DANE",
            "hoplock doctor postconf smtp_dns_support_level   (must be dnssec, for DANE of its own)".to_owned(),
            "anchor_directory and probe = true in the profile, for trust anchors",
        ),
        (
            Reason::DaneRequired,
            "yours: your rule demands more",
            "dig +dnssec MX example.com".to_owned(),
            "change the rule: mode = \"opportunistic\"",
        ),
        (
            Reason::MxInsecure,
            "yours: your rule demands more",
            "dig +dnssec MX example.com".to_owned(),
            "change the rule: mode = \"opportunistic\"",
        ),
        (
            Reason::ResolverNotValidating,
            "yours: nothing that this resolver says can be proved",
            "dig +dnssec SOA com   (the flags must show \"ad\")".to_owned(),
            "run a resolver that validates (unbound)",
        ),
        (
            Reason::Deadline,
            "nobody's yet: the lookups go on",
            AGAIN.to_owned(),
            "none is needed",
        ),
        (
            Reason::Busy,
            "nobody's yet: the lookups go on",
            AGAIN.to_owned(),
            "none is needed",
        ),
        (
            Reason::Rule,
            "yours: the rule is listed below",
            String::new(),
            "change the rule's answer",
        ),
        (
            Reason::Internal,
            "ours: please report it",
            AGAIN.to_owned(),
            OFF,
        ),
        (
            Reason::TlsaLookupFailed,
            "yours or the destination's",
            AGAIN.to_owned(),
            OFF,
        ),
    ] {
        let case = Case::new(Told::Temp, reason);
        let said = case.fact("whose");
        assert!(said.starts_with(whose), "{reason}: {said}");
        assert_eq!(case.fact("look"), look, "{reason}");
        let said = case.fact("way out");
        assert!(said.starts_with(way_out), "{reason}: {said}");
    }
    let goes = Case::new(Told::Encrypt, Reason::TlsaUnusable);
    assert_eq!(goes.fact("whose"), "", "mail that goes needs no advice");
}

/// PD-15: each kind of failed lookup has its owner; where signatures may be at fault, the question
/// without them is among the commands.
#[test]
fn each_failed_lookup_has_its_advice() {
    let servers = "probably the operator of mx1.example.com: its name servers do not answer";
    for (kind, whose, signatures) in [
        (
            FailureKind::Bogus,
            "probably the operator of mx1.example.com: its DNSSEC signatures are wrong",
            true,
        ),
        (FailureKind::ServFail, servers, true),
        (FailureKind::Refused, servers, false),
        (FailureKind::Malformed, servers, false),
        (
            FailureKind::Timeout,
            "probably the operator of mx1.example.com: its name servers do not answer in time",
            false,
        ),
        (
            FailureKind::AliasLoop,
            "the operator of mx1.example.com: its aliases lead nowhere",
            false,
        ),
        (
            FailureKind::Unreachable,
            "yours: this machine cannot reach its resolver",
            false,
        ),
        (
            FailureKind::NotExamined,
            "the destination's: it has more hosts than hoplock examines",
            false,
        ),
    ] {
        let mut case = failed_tlsa();
        case.findings.hosts[0].dane = DaneFinding::Failed(failure(kind));
        let said = case.fact("whose");
        assert!(said.starts_with(whose), "{kind:?}: {said}");
        let plain = "dig +dnssec TLSA _25._tcp.mx1.example.com";
        let unsigned = if signatures {
            "dig +cd TLSA _25._tcp.mx1.example.com   (if this one answers, DNSSEC is at fault) "
        } else {
            ""
        };
        assert_eq!(case.fact("look"), format!("{plain} {unsigned}{AGAIN}"));
        assert_eq!(case.fact("way out"), OFF);
        let sentence = format!(
            "MAIL WAITS: the TLSA lookup of mx1.example.com failed ({}).",
            kind.word()
        );
        assert_eq!(case.sentence(), sentence);
    }
}

fn failed_tlsa() -> Case {
    let mut case = Case::new(Told::Temp, Reason::TlsaLookupFailed)
        .host(HostState::Failed, Outcome::Skip)
        .host(HostState::Failed, Outcome::Skip);
    for host in &mut case.findings.hosts {
        host.dane = DaneFinding::Failed(failure(FailureKind::Timeout));
    }
    case
}

/// PD-15, TB-05: the very question that failed is named: of the host that waits, with its own port,
/// and where its alias could not be looked up, that.
#[test]
fn the_tlsa_question_that_failed_is_named() {
    let failed = || Answer::Failed(failure(FailureKind::Timeout));
    let mut case = failed_tlsa();
    case.verdict.hosts[0].state = HostState::Unreachable;
    let second = "MAIL WAITS: the TLSA lookup of mx2.example.com failed (dns-timeout).";
    assert_eq!(case.sentence(), second);
    case.lookup("mx1.example.com", RecordType::Cname, failed());
    assert_eq!(case.sentence(), second);
    case.lookup("mx2.example.com", RecordType::Cname, failed());
    let alias = "MAIL WAITS: the CNAME lookup of mx2.example.com failed (dns-timeout).";
    assert_eq!(case.sentence(), alias);
    case = failed_tlsa();
    case.findings.next_hop = NextHop::parse("example.com:2525");
    let look = case.fact("look");
    let asked = "dig +dnssec TLSA _2525._tcp.mx1.example.com ";
    assert!(look.starts_with(asked), "{look}");
}

/// MX-13, PD-15: of addresses, the first family that failed at a host without any is named.
#[test]
fn the_address_question_that_failed_is_named() {
    let unknown = || AddressFinding::Failed(failure(FailureKind::Timeout));
    let mut case = Case::new(Told::Temp, Reason::AddressLookupFailed)
        .host(HostState::NoneSecure, Outcome::Skip)
        .host(HostState::AddressFailed, Outcome::Skip);
    for host in &mut case.findings.hosts {
        host.ipv6 = unknown();
    }
    for (ipv4, family) in [
        (AddressFinding::Absent { status: SECURE }, "AAAA"),
        (unknown(), "A"),
    ] {
        case.findings.hosts[1].ipv4 = ipv4;
        let sentence =
            format!("MAIL WAITS: the {family} lookup of mx2.example.com failed (dns-timeout).");
        assert_eq!(case.sentence(), sentence);
    }
}

/// MX-03, PD-15: of MX and aliases, the question that failed is named; one for a TXT record that failed
/// alike is not it.
#[test]
fn the_mx_question_that_failed_is_named() {
    let failed = || Answer::Failed(failure(FailureKind::Timeout));
    let mut case = Case::new(Told::Temp, Reason::MxLookupFailed);
    case.findings.mx = MxFinding::Failed(failure(FailureKind::Timeout));
    let first = "MAIL WAITS: the MX lookup of example.com failed (dns-timeout).";
    assert_eq!(case.sentence(), first);
    case.lookup("_mta-sts.example.com", RecordType::Txt, failed());
    let other = Answer::failed(FailureKind::Refused, "no answer");
    case.lookup("other.example.com", RecordType::Mx, other);
    assert_eq!(case.sentence(), first);
    case.lookup("mail.example.com", RecordType::Mx, failed());
    let alias = "MAIL WAITS: the MX lookup of mail.example.com failed (dns-timeout).";
    assert_eq!(case.sentence(), alias);
}

/// ID-04: what is no name is repeated in commands escaped, and cannot end their quotes.
#[test]
fn commands_hold_nothing_foreign() {
    let mut case = Case::new(Told::Temp, Reason::Busy);
    case.asked = "a'; rm b\u{202e}.test";
    let text = case.text();
    let command = "hoplock explain --direct 'a; rm b\\u{202e}.test'\n";
    assert!(text.contains(command), "{text}");
}
