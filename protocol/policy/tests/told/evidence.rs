//! Hosts, records, policies and lookups, as they are shown.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Answer, Denial, FailureKind, RecordType, SecurityStatus};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, MxFinding, NoHosts, PolicySource, RememberedPolicy, Selection,
    StsFailure, StsFailureKind, StsFinding,
};
use hoplock_policy::law::Answer as Told;
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::TlsaBaseDomain;
use hoplock_policy::reason::Reason;
use hoplock_policy::sts::StsPolicy;
use serde_json::json;

use super::{Case, NOW, SECURE, failure, name};

const INSECURE: SecurityStatus = SecurityStatus::Insecure;

fn plain() -> Case {
    Case::new(Told::NotFound, Reason::NoPolicy)
}

/// PD-15, MX-22: how the hosts were found, and what that rests on.
#[test]
fn the_mx_finding_is_told() {
    let no_hosts = |why| MxFinding::NoHosts {
        why,
        status: INSECURE,
    };
    for (mx, words, status) in [
        (
            MxFinding::Hosts(Selection::Mx(SECURE)),
            "secure (proved by DNSSEC)",
            "secure",
        ),
        (
            MxFinding::Hosts(Selection::Mx(INSECURE)),
            "insecure (not proved by DNSSEC)",
            "insecure",
        ),
        (
            MxFinding::Hosts(Selection::Implicit(SECURE)),
            "none (secure), so the domain is its own mail host",
            "secure",
        ),
        (
            MxFinding::Hosts(Selection::Named),
            "not asked for, example.com names the host itself",
            "secure",
        ),
        (
            no_hosts(NoHosts::NxDomain),
            "the domain does not exist (insecure)",
            "insecure",
        ),
        (
            no_hosts(NoHosts::NullMx),
            "the domain takes no mail (null MX) (insecure)",
            "insecure",
        ),
        (
            no_hosts(NoHosts::NoUsableExchange),
            "no record names a host (insecure)",
            "insecure",
        ),
        (
            MxFinding::Failed(failure(FailureKind::Timeout)),
            "FAILED: dns-timeout, no answer",
            "failed",
        ),
    ] {
        let mut case = plain();
        case.findings.mx = mx;
        case.has(&format!("\n\nMX records: {words}\n"));
        assert_eq!(case.explain()["mx"]["status"], status);
    }
    let mut asked_nothing = plain();
    asked_nothing.asked = "localhost";
    assert_eq!(asked_nothing.explain()["mx"]["status"], "not-asked");
    asked_nothing.has("\n\nLookups: none were needed\n");
}

/// MX-13, PD-15: addresses are proved, said, absent or unknown, and a host says what its trouble is.
#[test]
fn addresses_and_trouble_are_told() {
    let present = |status| AddressFinding::Present { status, count: 1 };
    let absent = || AddressFinding::Absent { status: SECURE };
    let unknown = || AddressFinding::Failed(failure(FailureKind::Refused));
    let trouble = Some("dns-refused: no answer");
    for (ipv4, ipv6, addresses, state, trouble) in [
        (
            present(SECURE),
            absent(),
            "secure",
            HostState::NoneSecure,
            None,
        ),
        (
            present(INSECURE),
            present(SECURE),
            "secure",
            HostState::NoneSecure,
            None,
        ),
        (
            absent(),
            present(INSECURE),
            "insecure",
            HostState::NoneSecure,
            None,
        ),
        (
            present(INSECURE),
            unknown(),
            "insecure",
            HostState::NoneSecure,
            None,
        ),
        (absent(), absent(), "none", HostState::Unreachable, None),
        (
            absent(),
            unknown(),
            "failed",
            HostState::AddressFailed,
            trouble,
        ),
        (
            unknown(),
            absent(),
            "failed",
            HostState::AddressFailed,
            trouble,
        ),
    ] {
        let mut case = plain().host(state, Outcome::Skip);
        let host = &mut case.findings.hosts[0];
        (host.ipv4, host.ipv6) = (ipv4, ipv6);
        let told = &case.explain()["mx"]["hosts"][0];
        assert_eq!(told["addresses"], addresses);
        assert_eq!(
            told.get("trouble"),
            trouble.map(|words| json!(words)).as_ref()
        );
        match trouble {
            Some(words) => case.has(&format!("\n        {words}\n")),
            None => case.has_not("no answer"),
        }
    }
    let mut case = plain().host(HostState::Failed, Outcome::Skip);
    case.findings.hosts[0].dane = DaneFinding::Failed(failure(FailureKind::Bogus));
    assert_eq!(
        case.explain()["mx"]["hosts"][0]["trouble"],
        "dnssec-bogus: no answer"
    );
    case.findings.hosts[0].dane = DaneFinding::NotAsked;
    assert_eq!(case.explain()["mx"]["hosts"][0].get("trouble"), None);
}

/// PD-15: digests are shown whole, longer data by its beginning, and what is no record as it came.
#[test]
fn records_are_shown_as_people_write_them() {
    let rdata = |length| [vec![3, 0, 0], vec![0xab; length]].concat();
    for (rdata, shown) in [
        (rdata(64), format!("3 0 0 {}", "ab".repeat(64))),
        (
            rdata(65),
            format!("3 0 0 {}... (65 octets)", "ab".repeat(17)),
        ),
        (
            rdata(900),
            format!("3 0 0 {}... (900 octets)", "ab".repeat(17)),
        ),
        (rdata(0), "\\# 3 030000".to_owned()),
        (Vec::new(), "\\# 0".to_owned()),
    ] {
        let mut case = plain().host(HostState::UsableEndEntity, Outcome::Dane);
        case.findings.hosts[0].dane = DaneFinding::Records {
            base: TlsaBaseDomain(name("base.example.com")),
            rdata: vec![rdata],
        };
        let owner = "TLSA records at _25._tcp.base.example.com:";
        case.has_words(&format!("{owner} {shown} MTA-STS: "));
        let told = &case.explain()["mx"]["hosts"][0];
        assert_eq!(told["tlsa_base"], "base.example.com");
    }
}

/// MX-10, MX-08: an alias in the place of a host, and what its publisher did wrong, is pointed out.
#[test]
fn oddities_are_pointed_out() {
    let mut case = plain().host(HostState::NoneSecure, Outcome::Clear);
    case.has_not("points at an alias");
    case.findings.hosts[0].aliased = true;
    case.findings
        .warnings
        .push("a null MX beside others".to_owned());
    case.has("\n        the MX record points at an alias\n");
    case.has("\n  warning: a null MX beside others\n");
    assert_eq!(
        case.explain()["warnings"],
        json!(["a null MX beside others"])
    );
}

/// PD-15: why there is no policy, where anybody knows.
#[test]
fn the_absence_of_a_policy_is_told() {
    let failed = StsFailure {
        kind: StsFailureKind::Fetch,
        detail: "status 404".to_owned(),
    };
    for (sts, words, told) in [
        (
            StsFinding::NotApplicable,
            "MTA-STS: does not apply here",
            json!({"state": "absent"}),
        ),
        (
            StsFinding::Absent(String::new()),
            "MTA-STS: none",
            json!({"state": "absent"}),
        ),
        (
            StsFinding::Absent("no record".to_owned()),
            "MTA-STS: none, no record",
            json!({"state": "absent", "trouble": "no record"}),
        ),
        (
            StsFinding::Failed(failed),
            "MTA-STS: NOT KNOWN, sts-policy-fetch-error: status 404",
            json!({"state": "failed", "trouble": "sts-policy-fetch-error: status 404"}),
        ),
    ] {
        let mut case = plain();
        case.findings.sts = sts;
        case.has(&format!("\n\n{words}\n"));
        assert_eq!(case.explain()["sts"], told);
    }
}

/// PD-15: a policy is shown with its age and the first twenty of its patterns, and how many more
/// there are.
#[test]
fn a_policy_is_shown_with_some_of_its_patterns() {
    let policy = |mode: &str, patterns: usize, fetched, source| {
        let lines: String = (1..=patterns)
            .map(|number| format!("mx: p{number}.example.com\n"))
            .collect();
        let text = format!("version: STSv1\nmode: {mode}\n{lines}max_age: 86400\n");
        let remembered = RememberedPolicy {
            policy: StsPolicy::parse(text.as_bytes()).unwrap(),
            id: "7".to_owned(),
            fetched,
        };
        StsFinding::Policy {
            remembered: Arc::new(remembered),
            source,
            trouble: None,
        }
    };
    let (cache, fetched) = (PolicySource::Cache, PolicySource::Fetched);
    let told = |sts| {
        let mut case = plain();
        case.findings.sts = sts;
        case
    };
    told(policy("testing", 1, NOW, fetched))
        .has("\n\nMTA-STS: testing, fetched for this answer, id 7, expires in 24 h\n");
    told(policy("none", 1, Moment::default(), cache))
        .has("\n\nMTA-STS: none, remembered, id 7, expires in 22 h\n");
    for (patterns, more) in [
        (20, None),
        (21, Some("and 1 more")),
        (45, Some("and 25 more")),
    ] {
        let case = told(policy("enforce", patterns, NOW, cache));
        case.has(" p20.example.com");
        case.has_not("p21.example.com");
        match more {
            Some(words) => case.has_words(words),
            None => case.has_not(" more"),
        }
    }
    // Over by both clocks.
    let mut old = NOW;
    old.wall.0 -= 86_400_000;
    old.uptime = Duration::ZERO;
    let mut case = told(policy("enforce", 1, old, cache));
    case.has("expires in 22 h\n");
    let text = "version: STSv1\nmode: enforce\nmx: p1.example.com\nmax_age: 7200\n";
    if let StsFinding::Policy { remembered, .. } = &mut case.findings.sts {
        Arc::make_mut(remembered).policy = StsPolicy::parse(text.as_bytes()).unwrap();
    }
    case.has("id 7, EXPIRED\n");
}

/// PD-15: each lookup with its aliases and, where it failed, the cause.
#[test]
fn lookups_are_told_one_by_one() {
    let mut case = plain();
    case.has("\n\nLookups: none\n");
    let denial = Denial {
        status: INSECURE,
        aliases: vec![name("b.test"), name("c.test")],
        ttl: Duration::from_secs(900),
    };
    case.lookup("a.test", RecordType::A, Answer::NoData(denial));
    let failed = |detail| Answer::failed(FailureKind::Timeout, detail);
    case.lookup("d.test", RecordType::Mx, failed("5 s"));
    case.lookup("e.test", RecordType::Mx, failed(""));
    case.has("NODATA   900 s  12 ms\n        alias of b.test\n        alias of c.test\n");
    case.has("TIMEOUT  -      12 ms\n        5 s\n");
    assert!(
        case.text().ends_with("TIMEOUT  -      12 ms\n"),
        "no empty line for no cause"
    );
    let told = &case.explain()["lookups"];
    let timeout = json!({"name": "d.test", "type": "MX", "status": "indeterminate",
                         "rcode": "TIMEOUT", "ttl": null, "ms": 12, "detail": "5 s"});
    assert_eq!(told[1], timeout);
    assert_eq!(told[0].get("detail"), None);
}
