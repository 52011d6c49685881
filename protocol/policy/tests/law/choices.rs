//! The choice where an MTA tries only so many addresses, and what half-DANE owes.

use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::golden::Example;
use hoplock_policy::law::rows::Row;
use hoplock_policy::profile::{Floor, OwnDane};

use super::{Case, INSECURE, SECURE};
use hoplock_policy::findings::{AddressFinding, MxFinding, NoHosts};

/// PF-07, MX-09: hosts behind more addresses than the MTA tries win nothing for an answer; addresses
/// of the same preference and worse ones do not count against a host.
#[test]
fn hosts_out_of_reach_win_nothing() {
    for (hosts, addresses, limit, answer) in [
        ("10:ee, 20:none", &[5, 1], 5, "dane-only"),
        ("10:ee, 20:none", &[6, 1], 5, "dane-only"),
        ("10:ee, 20:none", &[4, 9], 5, "dane"),
        ("10:ee, 20:none", &[5, 1], 6, "dane"),
        ("10:ee, 20:none", &[50, 1], 0, "dane"),
        ("10:ee, 10:none", &[5, 5], 5, "dane"),
        ("10:none, 20:ee", &[5, 5], 5, "dane"),
    ] {
        let mut case = Case::new(SECURE, hosts);
        case.profile.address_limit = limit;
        for (host, count) in case.findings.hosts.iter_mut().zip(addresses) {
            host.ipv4 = AddressFinding::Present {
                status: SECURE,
                count: *count,
            };
        }
        assert_eq!(case.said().0, answer, "{hosts} {addresses:?} {limit}");
    }
    let mut three = Case::new(SECURE, "10:ee, 20:ee, 30:none");
    three.profile.address_limit = 2;
    assert_eq!(
        three.said().0,
        "dane-only",
        "addresses of better hosts add up"
    );
    three.profile.address_limit = 3;
    assert_eq!(three.said().0, "dane");
}

/// PD-07, TB-10: while DANE behind an insecure MX set is used, a failed host takes no mail; otherwise
/// it owes nothing.
#[test]
fn half_dane_leaves_failed_hosts_out() {
    for (hosts, half_dane, failed) in [
        ("10:ee, 20:failed", true, Duty::Refuse),
        ("10:ee, 20:address-failed", true, Duty::Refuse),
        ("10:ee, 20:failed", false, Duty::Free),
        ("10:none, 20:failed", true, Duty::Free),
    ] {
        let mut case = Case::new(INSECURE, hosts);
        case.options.half_dane = half_dane;
        let duties: Vec<Duty> = case.verdict().hosts.iter().map(|host| host.duty).collect();
        assert_eq!(duties, [Duty::Free, failed], "{hosts} {half_dane}");
    }
}

/// PD-16, PD-11: the default level `dane` of an MTA that does no DANE is counted on for no more than
/// `may`.
#[test]
fn a_default_of_dane_without_dane_is_may() {
    for (mx, hosts, own_dane, answer, outcomes) in [
        (
            SECURE,
            "10:unusable, 20:none",
            OwnDane::No,
            "encrypt",
            ["encrypt", "encrypt"],
        ),
        (
            SECURE,
            "10:unusable, 20:none",
            OwnDane::Yes,
            "dane",
            ["encrypt", "clear"],
        ),
        (
            INSECURE,
            "10:unusable, 20:none",
            OwnDane::No,
            "NOTFOUND",
            ["clear", "clear"],
        ),
    ] {
        let mut case = Case::new(mx, hosts).floor(Floor::Dane);
        case.profile.own_dane = own_dane;
        assert_eq!(case.said().0, answer, "{own_dane:?}");
        let judged = case.verdict().hosts;
        let seen: Vec<&str> = judged.iter().map(|host| host.outcome.word()).collect();
        assert_eq!(seen, outcomes, "{mx:?} {own_dane:?}");
    }
}

/// An example of the table without hosts is a domain that does not exist, not one with an empty set.
#[test]
fn an_example_without_hosts_does_not_exist() {
    let example = |mx, hosts| Example {
        row: Row::Law,
        mx,
        hosts,
        enforce: false,
        mandatory: false,
    };
    let nowhere = MxFinding::NoHosts {
        why: NoHosts::NxDomain,
        status: SECURE,
    };
    assert_eq!(example(Some(SECURE), "").findings().mx, nowhere);
    let found = example(Some(SECURE), "10:none").findings().mx;
    assert!(matches!(found, MxFinding::Hosts(_)));
    let failed = example(None, "").findings().mx;
    assert!(matches!(failed, MxFinding::Failed(_)));
}

/// SB-05: where TLS begins with the connection no answer is below `encrypt`, and what asks for more stands.
#[test]
fn tls_from_the_first_byte_is_never_less() {
    for (mx, hosts, without, with) in [
        (SECURE, "10:none", "NOTFOUND", "encrypt"),
        (INSECURE, "10:none", "NOTFOUND", "encrypt"),
        (SECURE, "10:gone", "NOTFOUND", "encrypt"),
        (SECURE, "10:ee", "dane-only", "dane-only"),
        (SECURE, "10:unusable", "encrypt", "encrypt"),
        // Under `dane` the second host could be reached in clear text.
        (SECURE, "10:ee, 20:none", "dane", "dane-only"),
        (INSECURE, "10:ee, 20:none", "dane", "encrypt"),
        (SECURE, "10:failed", "TEMP", "TEMP"),
        (INSECURE, "10:address-failed", "TEMP", "TEMP"),
    ] {
        let mut case = Case::new(mx, hosts);
        assert_eq!(case.said().0, without, "{mx:?} {hosts}");
        case.profile.wrapper = true;
        assert_eq!(case.said().0, with, "{mx:?} {hosts}");
    }
    let mut case = Case::new(SECURE, "10:none");
    case.profile.wrapper = true;
    assert_eq!(case.said(), ("encrypt", "DT-05", "implicit-tls"));
    assert_eq!(case.verdict().hosts[0].duty, Duty::Encrypt);
    // The mail server's own level may ask for more (PD-16).
    assert_eq!(case.floor(Floor::Secure).said().0, "NOTFOUND");
}
