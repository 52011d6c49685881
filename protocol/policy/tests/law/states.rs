//! What an MTA sees of one host: addresses in its families, records that it can use, aliases.

use hoplock_policy::dns::{FailureKind, LookupFailure};
use hoplock_policy::findings::{AddressFinding, DaneFinding, HostFinding};
use hoplock_policy::law::situation::{HostState, MxSecurity, state_of};
use hoplock_policy::name::{MxHost, TlsaBaseDomain};
use hoplock_policy::profile::{AddressFamilies, Family, Floor, OwnDane, Profile};
use hoplock_policy::tlsa::TlsaOptions;

use super::{INSECURE, SECURE, name};

fn failure() -> LookupFailure {
    LookupFailure {
        kind: FailureKind::Timeout,
        detail: String::new(),
    }
}

fn present(count: usize) -> AddressFinding {
    AddressFinding::Present {
        status: SECURE,
        count,
    }
}

fn host(ipv4: AddressFinding, ipv6: AddressFinding, dane: DaneFinding) -> HostFinding {
    HostFinding {
        host: MxHost(name("mx.e.test")),
        preference: 10,
        aliased: false,
        ipv4,
        ipv6,
        dane,
    }
}

fn profile() -> Profile {
    hoplock_policy::law::golden::postfix(Floor::May)
}

/// MX-13, MX-14, TB-12: addresses count in the families that the MTA uses; none at all is "gone" only
/// where every one of those lookups said so.
#[test]
fn addresses_count_in_the_families_in_use() {
    let absent = || AddressFinding::Absent { status: SECURE };
    let failed = || AddressFinding::Failed(failure());
    let none = HostState::NoneSecure;
    let (unknown, gone) = (HostState::AddressFailed, HostState::Unreachable);
    for (ipv4, ipv6, both, only4, only6) in [
        (present(2), present(3), (none, 5), (none, 2), (none, 3)),
        (present(2), absent(), (none, 2), (none, 2), (gone, 0)),
        (failed(), present(3), (none, 3), (unknown, 0), (none, 3)),
        (absent(), absent(), (gone, 0), (gone, 0), (gone, 0)),
        (absent(), failed(), (unknown, 0), (gone, 0), (unknown, 0)),
        (failed(), failed(), (unknown, 0), (unknown, 0), (unknown, 0)),
    ] {
        let host = host(ipv4, ipv6, DaneFinding::NoneSecure);
        for (families, expected) in [
            (AddressFamilies::Both, both),
            (AddressFamilies::Ipv4, only4),
            (AddressFamilies::Ipv6, only6),
        ] {
            let profile = Profile {
                families,
                ..profile()
            };
            let seen = state_of(&host, &profile, &TlsaOptions::default());
            assert_eq!(seen, expected, "{families:?} {host:?}");
        }
    }
}

/// TB-09, TB-10, MX-10: each finding has its state, and an alias that the MTA does not follow fails.
#[test]
fn each_finding_has_its_state() {
    let records = |rdata: &[Vec<u8>]| DaneFinding::Records {
        base: TlsaBaseDomain(name("mx.e.test")),
        rdata: rdata.to_vec(),
    };
    let record = |usage: u8| [vec![usage, 1, 1], vec![7; 32]].concat();
    for (dane, state) in [
        (records(&[record(3)]), HostState::UsableEndEntity),
        (records(&[record(2), record(3)]), HostState::UsableEndEntity),
        (
            records(&[record(2), record(1)]),
            HostState::UsableTrustAnchor,
        ),
        (records(&[record(1)]), HostState::Unusable),
        (records(&[vec![3, 1, 1]]), HostState::Unusable),
        (DaneFinding::NoneSecure, HostState::NoneSecure),
        (DaneFinding::NoneInsecure, HostState::NoneInsecure),
        (DaneFinding::Failed(failure()), HostState::Failed),
        (DaneFinding::NotAsked, HostState::Failed),
    ] {
        for (aliased, follow_mx_aliases) in
            [(false, false), (false, true), (true, true), (true, false)]
        {
            let host = HostFinding {
                aliased,
                ..host(present(1), present(1), dane.clone())
            };
            let profile = Profile {
                follow_mx_aliases,
                ..profile()
            };
            let expected = if aliased && !follow_mx_aliases {
                HostState::Failed
            } else {
                state
            };
            let seen = state_of(&host, &profile, &TlsaOptions::default());
            assert_eq!(seen, (expected, 2), "{host:?}");
        }
    }
}

/// TU-03, TU-08: which records count is the operator's matter only where the MTA does not judge them
/// by itself.
#[test]
fn an_mta_that_judges_tlsa_is_not_overruled() {
    let record = |usage: u8| [vec![usage, 1, 1], vec![7; 32]].concat();
    let found = |rdata| {
        let base = TlsaBaseDomain(name("mx.e.test"));
        let dane = DaneFinding::Records { base, rdata };
        host(present(1), present(1), dane)
    };
    let (anchor, mapped) = (found(vec![record(2)]), found(vec![record(1)]));
    let options = TlsaOptions {
        map_pkix_usages: true,
        trust_anchor_digests: false,
        ..TlsaOptions::default()
    };
    for (family, own_dane, by_itself) in [
        (Family::Postfix, OwnDane::Yes, true),
        (Family::Postfix, OwnDane::Auto, true),
        (Family::Postfix, OwnDane::No, false),
        (Family::Pins, OwnDane::No, false),
        (Family::Exim, OwnDane::Yes, false),
    ] {
        let profile = Profile {
            family,
            own_dane,
            ..profile()
        };
        let (of_anchor, of_mapped) = if by_itself {
            (HostState::UsableTrustAnchor, HostState::Unusable)
        } else {
            (HostState::Unusable, HostState::UsableEndEntity)
        };
        let state = |host| state_of(host, &profile, &options).0;
        assert_eq!(state(&anchor), of_anchor, "{family:?} {own_dane:?}");
        assert_eq!(state(&mapped), of_mapped, "{family:?} {own_dane:?}");
    }
}

/// MX-04: only what is proved makes the choice of hosts secure.
#[test]
fn only_a_proved_choice_is_secure() {
    use hoplock_policy::dns::SecurityStatus::{Bogus, Indeterminate};
    for (status, mx) in [
        (SECURE, MxSecurity::Secure),
        (INSECURE, MxSecurity::Insecure),
        (Bogus, MxSecurity::Insecure),
        (Indeterminate, MxSecurity::Insecure),
    ] {
        assert_eq!(MxSecurity::from(status), mx);
    }
}
