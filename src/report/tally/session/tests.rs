//! Judged sessions as counters, policy by policy.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{FailureKind, LookupFailure, SecurityStatus};
use hoplock_policy::findings::{
    AddressFinding, MxFinding, PolicySource, RememberedPolicy, Selection, StsFailureKind,
};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::tlsrpt::Day;
use hoplock_policy::verify::PolicyResult;

use super::super::{Collecting, Tally};
use super::*;
use crate::store::sqlite::{SqliteReports, SqliteStore};
use crate::world::SessionSource;

const NOW: Moment = Moment {
    wall: Timestamp(1_795_737_600_000),
    uptime: Duration::from_secs(1_000_000),
};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn host(text: &str, dane: DaneFinding) -> HostFinding {
    let addresses = AddressFinding::Present {
        status: SecurityStatus::Secure,
        count: 1,
    };
    HostFinding {
        host: MxHost(name(text)),
        preference: 10,
        aliased: false,
        ipv4: addresses.clone(),
        ipv6: addresses,
        dane,
    }
}

fn records(base: &str, usage: u8) -> DaneFinding {
    let mut rdata = vec![usage, 1, 1];
    rdata.extend([0xab; 32]);
    DaneFinding::Records {
        base: TlsaBaseDomain(name(base)),
        rdata: vec![rdata],
    }
}

fn sts(mode: &str, trouble: Option<StsFailureKind>) -> StsFinding {
    let text = format!("version: STSv1\r\nmode: {mode}\nmx: *.e.test\nmax_age: 86400\n");
    StsFinding::Policy {
        remembered: Arc::new(RememberedPolicy {
            policy: StsPolicy::parse(text.as_bytes()).unwrap(),
            id: "1".to_owned(),
            fetched: NOW,
        }),
        source: PolicySource::Cache,
        trouble: trouble.map(failed),
    }
}

fn failed(kind: StsFailureKind) -> StsFailure {
    StsFailure {
        kind,
        detail: "in words".to_owned(),
    }
}

fn findings(hosts: Vec<HostFinding>, sts: StsFinding) -> Findings {
    Findings {
        next_hop: NextHop::parse("e.test"),
        mx: MxFinding::Hosts(Selection::Mx(SecurityStatus::Secure)),
        hosts,
        sts,
        anchors: Vec::new(),
        anchor_failures: Vec::new(),
        end_entity_failed: Vec::new(),
        lookups: Vec::new(),
        warnings: Vec::new(),
        gathered: NOW,
        lifetime: Duration::from_secs(300),
    }
}

fn verdict(outcome: SessionOutcome, reason: Reason) -> SessionVerdict {
    SessionVerdict {
        outcome,
        reason,
        detail: String::new(),
        matched: None,
        warnings: Vec::new(),
        results: Vec::new(),
    }
}

fn result(policy: PolicyKind, outcome: SessionOutcome, reason: Reason) -> PolicyResult {
    PolicyResult {
        policy,
        outcome,
        reason,
        detail: String::new(),
    }
}

/// Lines such as `tlsa mx.e.test ok`, in their order.
fn told(findings: &Findings, verdict: &SessionVerdict) -> Vec<String> {
    let session = Session {
        next_hop: Some(NextHop::parse("e.test")),
        mx_host: Some(MxHost(name("mx.e.test"))),
        address: Some("192.0.2.1".parse().unwrap()),
        ..Session::unknown()
    };
    lines(&counts(&session, verdict, findings, NOW))
}

fn lines(counts: &Counts) -> Vec<String> {
    let lines = counts.iter().map(|(counter, count)| {
        assert_eq!(*count, 1);
        let of =
            |policy: &TalliedPolicy| format!("{} {}", policy.kind.word().unwrap(), policy.domain);
        match counter {
            Counter::Successful(policy) => format!("{} ok", of(policy)),
            Counter::Failed(policy) => format!("{} failed", of(policy)),
            Counter::Detail(policy, own) => format!("{} {}", of(policy), own.result.word()),
            Counter::Record(text) => text.clone(),
        }
    });
    lines.collect()
}

/// RP-06: DANE goes by its base domain, MTA-STS by the mail domain, and what has neither by none.
#[test]
fn policies_and_their_domains() {
    let dane = || vec![host("mx.e.test", records("base.e.test", 3))];
    let none = || vec![host("mx.e.test", DaneFinding::NoneSecure)];
    let absent = || StsFinding::Absent(String::new());
    let by_dane = verdict(SessionOutcome::AuthenticatedDane, Reason::TlsaMatch);
    let told_dane = told(&findings(dane(), absent()), &by_dane);
    assert_eq!(told_dane, ["tlsa base.e.test ok"]);
    let by_sts = verdict(SessionOutcome::AuthenticatedSts, Reason::StsMatch);
    let told_sts = told(&findings(none(), sts("enforce", None)), &by_sts);
    assert_eq!(told_sts, ["sts e.test ok"]);
    let plain = verdict(SessionOutcome::Encrypted, Reason::OpportunisticTls);
    for own in [absent(), sts("none", None)] {
        let told = told(&findings(none(), own), &plain);
        assert_eq!(told, ["no-policy-found e.test ok"]);
    }
    let clear = verdict(SessionOutcome::Cleartext, Reason::NoPolicy);
    let told_clear = told(&findings(none(), absent()), &clear);
    let expected = [
        "no-policy-found e.test failed",
        "no-policy-found e.test starttls-not-supported",
    ];
    assert_eq!(told_clear, expected);
}

/// RP-06, SV-08: where both apply each has its own result; ST-23: failures under testing are reported.
#[test]
fn both_policies_and_testing() {
    let dane = vec![host("mx.e.test", records("mx.e.test", 3))];
    let both = SessionVerdict {
        results: vec![
            result(
                PolicyKind::Dane,
                SessionOutcome::AuthenticatedDane,
                Reason::TlsaMatch,
            ),
            result(
                PolicyKind::Sts,
                SessionOutcome::Failed,
                Reason::CertificateExpired,
            ),
        ],
        ..verdict(SessionOutcome::AuthenticatedDane, Reason::TlsaMatch)
    };
    let expected = [
        "tlsa mx.e.test ok",
        "sts e.test failed",
        "sts e.test certificate-expired",
    ];
    assert_eq!(told(&findings(dane, sts("enforce", None)), &both), expected);
    let testing = SessionVerdict {
        results: vec![result(
            PolicyKind::Sts,
            SessionOutcome::Failed,
            Reason::CertificateNameMismatch,
        )],
        ..verdict(SessionOutcome::Encrypted, Reason::OpportunisticTls)
    };
    let none = vec![host("mx.e.test", DaneFinding::NoneInsecure)];
    let expected = ["sts e.test failed", "sts e.test certificate-host-mismatch"];
    assert_eq!(
        told(&findings(none, sts("testing", None)), &testing),
        expected
    );
}

/// RP-04: no record matched, none can be used, none can be seen.
#[test]
fn failures_of_dane() {
    let absent = || StsFinding::Absent(String::new());
    let dane = vec![host("mx.e.test", records("mx.e.test", 3))];
    let no_match = verdict(SessionOutcome::Failed, Reason::TlsaNoMatch);
    let told_no_match = told(&findings(dane, absent()), &no_match);
    assert_eq!(
        told_no_match,
        ["tlsa mx.e.test failed", "tlsa mx.e.test tlsa-invalid"]
    );
    // Delivered under TLS alone, and its owner should know.
    let unusable = vec![host("mx.e.test", records("mx.e.test", 1))];
    let plain = verdict(SessionOutcome::Encrypted, Reason::EncryptedAsOwed);
    let told_unusable = told(&findings(unusable, absent()), &plain);
    assert_eq!(
        told_unusable,
        ["tlsa mx.e.test ok", "tlsa mx.e.test tlsa-invalid"]
    );
    let unseen = DaneFinding::Failed(LookupFailure {
        kind: FailureKind::Bogus,
        detail: String::new(),
    });
    let unseen = vec![host("mx.e.test", unseen)];
    let no_lookup = verdict(SessionOutcome::Failed, Reason::TlsaLookupFailed);
    assert_eq!(
        told(&findings(unseen, absent()), &no_lookup),
        ["tlsa mx.e.test failed", "tlsa mx.e.test dnssec-invalid"]
    );
}

/// RP-05, ST-13: three kinds of trouble, also where a remembered policy covered the delivery; trouble of
/// ours is none of the domain's.
#[test]
fn trouble_with_policies() {
    let none = || vec![host("mx.e.test", DaneFinding::NoneSecure)];
    let by_sts = verdict(SessionOutcome::AuthenticatedSts, Reason::StsMatch);
    let plain = verdict(SessionOutcome::Encrypted, Reason::OpportunisticTls);
    for (kind, word) in [
        (StsFailureKind::Fetch, Some("sts-policy-fetch-error")),
        (StsFailureKind::Invalid, Some("sts-policy-invalid")),
        (StsFailureKind::WebPki, Some("sts-webpki-invalid")),
        (StsFailureKind::Store, None),
        (StsFailureKind::Pending, None),
    ] {
        let covered = findings(none(), sts("enforce", Some(kind)));
        let detail = word.map(|word| format!("sts e.test {word}"));
        let expected: Vec<_> = ["sts e.test ok".to_owned()]
            .into_iter()
            .chain(detail.clone())
            .collect();
        assert_eq!(told(&covered, &by_sts), expected);
        let uncovered = findings(none(), StsFinding::Failed(failed(kind)));
        let expected = match detail {
            Some(detail) => vec!["sts e.test failed".to_owned(), detail],
            None => vec!["no-policy-found e.test ok".to_owned()],
        };
        assert_eq!(told(&uncovered, &plain), expected);
    }
}

/// RP-07: a policy stands there in its own words, line by line, and so do its patterns; records are those of
/// the zone, in one order.
#[test]
fn policies_in_their_words() {
    let sts = sts("enforce", None);
    let StsFinding::Policy { remembered, .. } = &sts else {
        panic!("it is one");
    };
    let policy = sts_policy("e.test", Some(&remembered.policy));
    let lines = [
        "version: STSv1",
        "mode: enforce",
        "mx: *.e.test",
        "max_age: 86400",
    ];
    assert_eq!(policy.strings, lines);
    assert_eq!(policy.mx_hosts, ["*.e.test"]);
    let DaneFinding::Records { base, rdata } = records("mx.e.test", 3) else {
        panic!("it is one");
    };
    let later = vec![3, 1, 2, 0xcd];
    let rdata = vec![later, rdata[0].clone(), rdata[0].clone()];
    let twice = host("mx.e.test", DaneFinding::Records { base, rdata });
    let (policy, _) = tlsa_policy(&twice).unwrap();
    let own = format!("3 1 1 {}", "ab".repeat(32));
    assert_eq!(policy.strings, [own.as_str(), "3 1 2 cd"]);
    assert!(policy.mx_hosts.is_empty());
}

/// RP-05, RP-16: one collector counts a session. What the log tells once more of sessions that came by
/// datagrams does not count; what is judged of a datagram adds what its mail server cannot know, and nothing
/// else; a probe is no mail.
#[tokio::test]
async fn one_collector_counts_a_session() {
    let dane = vec![host("mx.e.test", records("mx.e.test", 3))];
    let all = findings(dane, sts("enforce", Some(StsFailureKind::Fetch)));
    let kept = verdict(SessionOutcome::AuthenticatedDane, Reason::TlsaMatch);
    let session = Session {
        mx_host: Some(MxHost(name("mx.e.test"))),
        ..Session::unknown()
    };
    let own = Collecting {
        enabled: true,
        by_datagrams: false,
    };
    let datagrams = Collecting {
        by_datagrams: true,
        ..own
    };
    let trouble = "sts e.test sts-policy-fetch-error";
    let (whole, beside) = (vec!["tlsa mx.e.test ok", trouble], vec![trouble]);
    for (collecting, source, expected) in [
        (own, SessionSource::PostfixLog, whole.clone()),
        (datagrams, SessionSource::PostfixLog, vec![]),
        (datagrams, SessionSource::Tlsrpt, beside),
        (datagrams, SessionSource::Exim, whole.clone()),
        (datagrams, SessionSource::Sendmail, whole.clone()),
        (own, SessionSource::SessionJson, whole),
        (own, SessionSource::Probe, vec![]),
        (Collecting::default(), SessionSource::Exim, vec![]),
    ] {
        let store = Arc::new(SqliteStore::in_memory(NOW).unwrap());
        let tally = Tally::new(Arc::new(SqliteReports::of(store)), collecting);
        tally.session(&session, &kept, &all, (NOW.wall, source), NOW);
        let counted = tally.reports().counts(Day::of(NOW.wall), name("e.test"));
        let counted = counted.await.unwrap();
        assert_eq!(lines(&counted), expected, "{collecting:?} {source:?}");
    }
}

/// RP-09: what nobody knows, and trouble of the network that passes, is not counted; nor is a policy that
/// a rule of the operator stood before.
#[test]
fn what_is_not_counted() {
    let dane = vec![host("mx.e.test", records("mx.e.test", 3))];
    let all = findings(dane, sts("enforce", None));
    for own in [
        verdict(SessionOutcome::Indeterminate, Reason::ReportIncomplete),
        verdict(SessionOutcome::Failed, Reason::HostNotReached),
        verdict(SessionOutcome::AuthenticatedPinned, Reason::PinMatch),
        verdict(SessionOutcome::Encrypted, Reason::RuleOff),
    ] {
        assert!(told(&all, &own).is_empty(), "{own:?}");
    }
}
