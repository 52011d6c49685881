//! Which row of the table a situation is called by, row by row, and which fit none.

use hoplock_policy::law::rows::row_of;
use hoplock_policy::law::situation::{HostSituation, HostState, MxSecurity, Situation};

use MxSecurity::{Insecure, Secure};

/// Hosts as in the golden table; `gone` has no address.
fn situation(mx: MxSecurity, enforce: bool, hosts: &str) -> Situation {
    let specs = hosts.split(", ").filter(|spec| !spec.is_empty());
    let hosts = specs.map(|spec| {
        let (preference, state) = spec.split_once(':').unwrap();
        HostSituation {
            preference: preference.parse().unwrap(),
            state: match state.trim_end_matches("(unlisted)") {
                "ee" => HostState::UsableEndEntity,
                "ta" => HostState::UsableTrustAnchor,
                "unusable" => HostState::Unusable,
                "none" => HostState::NoneSecure,
                "failed" => HostState::Failed,
                "unknown" => HostState::AddressFailed,
                "gone" => HostState::Unreachable,
                other => panic!("{other}"),
            },
            listed: enforce && !state.ends_with("(unlisted)"),
            addresses: 1,
            pinned: false,
            anchored: false,
        }
    });
    Situation {
        mx,
        hosts: hosts.collect(),
        enforce,
        mandatory: false,
        half_dane: true,
        implicit_tls: false,
    }
}

fn check(mx: MxSecurity, enforce: bool, rows: &[(&str, &str)]) {
    for (hosts, id) in rows {
        let mut situation = situation(mx, enforce, hosts);
        for _ in 0..situation.hosts.len().max(1) {
            assert_eq!(row_of(&situation).id(), *id, "{mx:?} {enforce} {hosts}");
            // PD-14: order is of no consequence.
            if !situation.hosts.is_empty() {
                situation.hosts.rotate_left(1);
            }
        }
    }
}

/// PD-15: rows behind an insecure MX set.
#[test]
fn rows_behind_an_insecure_mx_set() {
    check(
        Insecure,
        false,
        &[
            ("", "DT-01"),
            ("10:gone", "DT-01"),
            ("10:none", "DT-03"),
            ("10:ee", "DT-20"),
            ("10:none, 20:unusable", "DT-20"),
            ("10:none, 20:unusable, 30:failed", "DT-20f"),
            ("10:ta, 20:unknown", "DT-20f"),
            ("10:none, 20:failed", "DT-20n"),
            ("10:unknown, 20:unknown", "DT-15"),
            ("10:unknown, 20:failed", "law"),
            ("10:failed", "law"),
        ],
    );
    check(
        Insecure,
        true,
        &[
            ("", "DT-01s"),
            ("10:gone", "DT-01s"),
            ("10:none", "DT-04"),
            ("10:none(unlisted), 20:ee", "DT-04"),
            ("10:none(unlisted), 20:ee(unlisted)", "DT-26"),
        ],
    );
}

/// PD-15: rows of a secure MX set without an enforced policy.
#[test]
fn rows_of_a_secure_mx_set() {
    check(
        Secure,
        false,
        &[
            ("", "DT-01"),
            ("10:none, 20:none", "DT-05"),
            ("10:ee", "DT-06"),
            ("10:ee, 20:ee", "DT-06"),
            ("10:ta, 20:ee", "DT-06"),
            ("10:ee, 10:ta", "DT-06"),
            ("10:ee, 20:ta, 30:ee", "DT-06"),
            ("10:ee, 10:ta, 20:ta", "DT-06"),
            ("10:ta, 20:ta", "DT-16"),
            ("10:ee, 20:ta, 30:ta", "DT-18"),
            ("10:ee, 20:none", "DT-07"),
            ("5:gone, 10:ee, 20:none", "DT-07"),
            ("10:none, 20:ee", "DT-07b"),
            ("10:ee, 10:none", "DT-07c"),
            ("10:ee, 10:none, 20:none", "DT-07c"),
            ("10:unusable", "DT-09"),
            ("10:unusable, 20:ee", "DT-10"),
            ("10:none, 20:unusable", "DT-11"),
            ("10:ee, 20:failed", "DT-12"),
            ("10:ee, 20:unusable, 30:failed", "DT-12u"),
            ("10:none, 20:failed", "DT-13"),
            ("10:none, 20:failed, 30:unknown", "DT-13"),
            ("10:none, 20:unknown", "DT-13a"),
            ("10:ee, 20:none, 30:unknown", "DT-13u"),
            ("10:unusable, 20:failed", "DT-14"),
            ("10:failed, 20:unknown", "DT-15"),
            ("10:ee, 20:unusable, 30:none", "law"),
            ("10:unusable, 20:none, 30:failed", "law"),
            ("10:ee, 20:unusable, 30:none, 40:failed", "law"),
        ],
    );
}

/// PD-15: rows of a secure MX set under an enforced policy.
#[test]
fn rows_under_an_enforced_policy() {
    check(
        Secure,
        true,
        &[
            ("10:none, 20:none(unlisted)", "DT-05s"),
            ("10:ee, 20:ee(unlisted)", "DT-06"),
            ("10:ee, 20:none", "DT-08"),
            ("10:ee, 20:none(unlisted)", "DT-08"),
            ("10:none, 20:ee", "DT-08b"),
            ("10:none(unlisted), 10:none, 20:ee", "DT-08b"),
            ("10:none(unlisted), 20:ee", "DT-08c"),
            ("10:none(unlisted), 20:ee, 30:none", "law"),
            ("10:none(unlisted), 20:none, 30:ee", "law"),
            ("10:ee, 10:none", "law"),
            ("10:ee, 10:none(unlisted)", "law"),
            ("10:unusable", "DT-09s"),
            ("10:ee, 20:unusable", "DT-10s"),
            ("10:unusable, 20:ee", "law"),
            ("10:ee, 10:unusable", "law"),
            ("10:unusable, 20:none", "DT-11s"),
            ("10:ee, 20:failed(unlisted)", "DT-12"),
            ("10:none, 20:failed", "DT-13s"),
            ("10:unusable, 20:failed", "DT-14s"),
            ("10:failed, 20:unknown", "DT-15s"),
            ("10:ta", "DT-16"),
            ("10:ee, 20:ta", "DT-18"),
            ("10:none(unlisted)", "DT-26"),
            ("10:none(unlisted), 20:unusable(unlisted)", "DT-26"),
            ("10:none(unlisted), 20:failed", "law"),
            ("10:ee, 20:none, 30:failed", "law"),
            ("10:ee, 20:unusable, 30:none", "law"),
            ("10:unusable, 20:none, 30:failed", "law"),
        ],
    );
}

/// PD-15: rows of a rule that demands DANE, with a policy or without.
#[test]
fn rows_of_a_demand_for_dane() {
    for (mx, hosts, id) in [
        (Insecure, "10:ee", "DT-24"),
        (Secure, "10:none, 20:ee, 30:failed", "DT-22"),
        (Secure, "10:none, 20:failed", "DT-25"),
        (Secure, "10:unknown", "DT-25"),
        (Secure, "10:none, 20:unusable", "DT-23"),
    ] {
        for enforce in [false, true] {
            let mut situation = situation(mx, enforce, hosts);
            situation.mandatory = true;
            assert_eq!(row_of(&situation).id(), id, "{mx:?} {hosts}");
        }
    }
}
