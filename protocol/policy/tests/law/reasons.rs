//! The reason and the words for each kind of answer, and the hosts that are shown beside it.

use hoplock_policy::dns::{FailureKind, LookupFailure};
use hoplock_policy::findings::{AddressFinding, DaneFinding};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::outcome::{Candidate, Outcome};
use hoplock_policy::law::situation::HostState;
use hoplock_policy::profile::{Floor, OwnDane};
use hoplock_policy::rules::Mode;

use super::{Case, INSECURE, SECURE, name, rule};

/// PD-15: each answer has the reason that led to it.
#[test]
fn answers_have_their_reason() {
    for (case, said) in [
        (
            Case::new(SECURE, "10:ee, 20:failed"),
            ("dane-only", "DT-12", "dane-all-hosts"),
        ),
        (
            Case::new(SECURE, "10:ee, 20:none"),
            ("dane", "DT-07", "dane-some-hosts"),
        ),
        (
            Case::new(SECURE, "10:none, 20:failed"),
            ("dane", "DT-13", "dane-some-hosts"),
        ),
        (
            Case::new(SECURE, "10:unusable"),
            ("encrypt", "DT-09", "tlsa-unusable"),
        ),
        (
            Case::new(INSECURE, "10:ee, 20:none"),
            ("dane", "DT-20", "half-dane"),
        ),
        (Case::new(INSECURE, "10:ee"), ("dane", "DT-20", "half-dane")),
        (
            Case::enforced(SECURE, "10:none"),
            ("secure", "DT-05s", "sts-enforce"),
        ),
        (
            Case::new(SECURE, "10:none"),
            ("NOTFOUND", "DT-05", "no-policy"),
        ),
        (
            Case::new(SECURE, "10:unusable").floor(Floor::Secure),
            ("NOTFOUND", "DT-09", "no-policy"),
        ),
    ] {
        assert_eq!(case.said(), said);
    }
}

/// PD-15, PD-11: each delay has the reason that weighs most.
#[test]
fn delays_have_the_reason_that_weighs_most() {
    let without_dane = |mut case: Case| {
        case.profile.own_dane = OwnDane::No;
        case
    };
    let demanded = |case: Case| case.rule(rule(Mode::Mandatory));
    for (case, row, reason) in [
        (
            without_dane(Case::new(SECURE, "10:ta, 20:failed")),
            "DT-12",
            "mta-cannot-authenticate",
        ),
        (
            without_dane(Case::new(SECURE, "10:ta")),
            "DT-16",
            "mta-cannot-authenticate",
        ),
        (
            demanded(Case::new(INSECURE, "10:ee, 20:failed")),
            "DT-24",
            "mx-insecure",
        ),
        (
            demanded(Case::new(SECURE, "10:none, 20:failed")),
            "DT-25",
            "tlsa-lookup-failed",
        ),
        (
            demanded(Case::new(SECURE, "10:none, 20:address-failed")),
            "DT-25",
            "address-lookup-failed",
        ),
        (
            demanded(Case::enforced(SECURE, "10:none(unlisted)")),
            "DT-23",
            "dane-required",
        ),
        (
            Case::new(SECURE, "10:failed, 20:address-failed"),
            "DT-15",
            "tlsa-lookup-failed",
        ),
        (
            Case::new(SECURE, "10:address-failed"),
            "DT-15",
            "address-lookup-failed",
        ),
        (
            Case::enforced(SECURE, "10:none(unlisted)"),
            "DT-26",
            "sts-no-mx-matches",
        ),
        (
            Case::enforced(INSECURE, "10:none(unlisted)"),
            "DT-26",
            "sts-no-mx-matches",
        ),
    ] {
        assert_eq!(case.said(), ("TEMP", row, reason));
    }
}

/// MX-13, FT-02: where no host's address is known mail waits, even if nothing is demanded; one host
/// that is known to be there is enough to send it.
#[test]
fn unknown_addresses_alone_delay() {
    let waits = ("TEMP", "DT-15", "address-lookup-failed");
    for (mx, hosts, said) in [
        (INSECURE, "10:address-failed", waits),
        (INSECURE, "10:address-failed, 20:address-failed", waits),
        (INSECURE, "10:address-failed, 20:gone", waits),
        (
            INSECURE,
            "10:address-failed, 20:none",
            ("NOTFOUND", "DT-20n", "no-policy"),
        ),
        (
            INSECURE,
            "10:address-failed, 20:failed",
            ("NOTFOUND", "law", "no-policy"),
        ),
        (INSECURE, "10:none", ("NOTFOUND", "DT-03", "no-policy")),
    ] {
        assert_eq!(Case::new(mx, hosts).said(), said, "{hosts}");
    }
}

/// PD-15: a delay names the lookups that failed, three of them at most, with kind and cause.
#[test]
fn a_delay_names_what_failed() {
    let failure = |kind, detail: &str| LookupFailure {
        kind,
        detail: detail.to_owned(),
    };
    let servfail = "dns-servfail, SERVFAIL";
    let mut case = Case::new(SECURE, "10:failed, 20:address-failed, 30:failed, 40:failed");
    let tlsa = |host: usize| format!("TLSA of mx{host}.example.com: {servfail}");
    let address = format!("A of mx1.example.com: {servfail}");
    assert_eq!(
        case.verdict().detail,
        [tlsa(0), address.clone(), tlsa(2)].join("; ")
    );
    case.findings.hosts.truncate(2);
    case.findings.hosts.remove(0);
    assert_eq!(case.verdict().detail, address);
    let host = &mut case.findings.hosts[0];
    host.ipv4 = AddressFinding::Absent { status: SECURE };
    host.ipv6 = AddressFinding::Failed(failure(FailureKind::Timeout, "5 s"));
    assert_eq!(
        case.verdict().detail,
        "AAAA of mx1.example.com: dns-timeout, 5 s"
    );
    let host = &mut case.findings.hosts[0];
    host.ipv4 = AddressFinding::Present {
        status: SECURE,
        count: 1,
    };
    host.ipv6 = AddressFinding::Absent { status: SECURE };
    host.dane = DaneFinding::NotAsked;
    assert_eq!(case.verdict().detail, "mx1.example.com: unknown");
}

/// PD-15, ST-22: where a policy permits none of the hosts, some of them are named.
#[test]
fn hosts_outside_the_policy_are_named() {
    let unlisted = "10:none(unlisted), 20:none(unlisted), 30:none(unlisted), 40:none(unlisted)";
    assert_eq!(
        Case::enforced(SECURE, unlisted).verdict().detail,
        "the enforced MTA-STS policy permits none of the MX hosts \
         mx0.example.com mx1.example.com mx2.example.com"
    );
}

/// MX-14, PD-15: a host without an address is shown, owes nothing and gets nothing; the others are
/// judged as if it were not there.
#[test]
fn hosts_without_an_address_are_shown_beside_the_others() {
    let verdict = Case::enforced(SECURE, "10:gone, 20:none, 30:gone, 40:ee").verdict();
    let shown: Vec<_> = verdict
        .hosts
        .iter()
        .map(|host| (host.index, host.state, host.duty, host.outcome, host.listed))
        .collect();
    let gone = (HostState::Unreachable, Duty::Free, Outcome::Skip);
    let web = (HostState::NoneSecure, Duty::WebPki, Outcome::WebPki);
    let dane = (HostState::UsableEndEntity, Duty::Dane, Outcome::Skip);
    assert_eq!(
        shown,
        [(0, gone), (1, web), (2, gone), (3, dane)]
            .map(|(index, (state, duty, outcome))| (index, state, duty, outcome, true))
    );
    let names = super::hosts(&["mx1.example.com"]);
    assert_eq!(verdict.answer, hoplock_policy::law::Answer::Secure(names));
}

/// PD-15: an answer that would be too weak is told with the host that it would be too weak for, by its
/// own name also where hosts before it have no address.
#[test]
fn losing_answers_name_the_host_they_fail() {
    let verdict = Case::new(SECURE, "10:gone, 20:none, 30:ee").verdict();
    let host_of = |answer| {
        let mut losers = verdict.losers.iter();
        let loser = losers.find(|loser| loser.answer == answer).unwrap();
        loser.host.clone()
    };
    let weak = Some(name("mx2.example.com"));
    assert_eq!(host_of(Candidate::NotFound), weak);
    assert_eq!(host_of(Candidate::Encrypt), weak);
    assert_eq!(host_of(Candidate::DaneOnly), None);
    assert_eq!(verdict.losers.len(), 4);
}
