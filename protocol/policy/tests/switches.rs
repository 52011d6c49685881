//! OP-06: the whole golden table, in every column, before and after each switch: what changes is exactly
//! what the switch names, and nothing beside it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{
    DaneFinding, Findings, MxFinding, Selection, StsFinding, Validation,
};
use hoplock_policy::law::golden::{EXAMPLES, Example, built_in, postfix};
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Conditions, LawOptions, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::profile::{Family, Floor, OwnDaneSeen, Profile};
use hoplock_policy::rules::{Mode, Rule, RulePattern, Rules};
use hoplock_policy::sts::StsPolicy;

/// All that can be switched, as it is by default.
struct Switches {
    options: LawOptions,
    strict: bool,
    probe: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            options: LawOptions::default(),
            strict: false,
            probe: true,
        }
    }
}

/// The columns: P, P under floor `encrypt`, F, S and E.
fn columns(switches: &Switches) -> Vec<(&'static str, Profile)> {
    let columns = [
        ("P", postfix(Floor::May)),
        ("P dane", postfix(Floor::Dane)),
        ("P encrypt", postfix(Floor::Encrypt)),
        ("F", built_in("pins", Floor::May)),
        ("S", built_in("sendmail", Floor::May)),
        ("E", built_in("exim", Floor::May)),
    ];
    let switched = |(name, profile): (&'static str, Profile)| {
        let profile = Profile {
            strict: switches.strict,
            probe: switches.probe,
            anchor_directory: "/anchors".to_owned(),
            ..profile
        };
        (name, profile)
    };
    columns.into_iter().map(switched).collect()
}

/// The rows of the table; those with a policy also in testing mode; and records that switches speak of.
fn rows() -> Vec<(String, Example, Findings)> {
    let mut rows = Vec::new();
    for example in EXAMPLES {
        let id = example.row.id().to_owned();
        rows.push((id.clone(), *example, example.findings()));
        if example.enforce {
            let mut findings = example.findings();
            testing(&mut findings);
            rows.push((format!("{id} testing"), *example, findings));
        }
    }
    for (id, rdata) in [
        ("0 0 1", [&[0, 0, 1][..], &[0; 32]].concat()),
        ("1 1 1", [&[1, 1, 1][..], &[0; 32]].concat()),
        ("2 1 1", [&[2, 1, 1][..], &[0; 32]].concat()),
    ] {
        let example = Example {
            row: Row::Dt06,
            mx: Some(SecurityStatus::Secure),
            hosts: "10:ee",
            enforce: false,
            mandatory: false,
        };
        let mut findings = example.findings();
        if let DaneFinding::Records { rdata: own, .. } = &mut findings.hosts[0].dane {
            *own = vec![rdata];
        }
        rows.push((id.to_owned(), example, findings));
    }
    rows
}

fn testing(findings: &mut Findings) {
    if let StsFinding::Policy { remembered, .. } = &mut findings.sts {
        let text = remembered.policy.text.replace("enforce", "testing");
        let mut own = (**remembered).clone();
        own.policy = StsPolicy::parse(text.as_bytes()).unwrap();
        *remembered = Arc::new(own);
    }
}

fn table(switches: &Switches) -> BTreeMap<String, String> {
    table_of(switches, |_| {})
}

/// The table, where the evidence of each row is first changed.
fn table_of(switches: &Switches, change: impl Fn(&mut Findings)) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for (id, example, mut findings) in rows() {
        change(&mut findings);
        for (column, profile) in columns(switches) {
            let mut rules = Vec::new();
            if example.mandatory {
                rules.push(Rule::new(RulePattern::Any, Mode::Mandatory));
            }
            let cell = said(&example, &findings, &profile, rules, &switches.options);
            table.insert(format!("{id} | {column}"), cell);
        }
    }
    table
}

/// What is said to the MTA of `profile`, in the words of the table, and how many hosts are to be probed.
fn said(
    example: &Example,
    findings: &Findings,
    profile: &Profile,
    rules: Vec<Rule>,
    options: &LawOptions,
) -> String {
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now: Moment::default(),
    };
    let verdict = decide(findings, &Rules::new(rules), profile, options, conditions);
    let words = match profile.family {
        Family::Exim => example.words_for_exim(&verdict),
        _ => example.words(&verdict),
    };
    match verdict.anchors_wanted.len() {
        0 => words,
        count => format!("{words}, and {count} to probe"),
    }
}

/// The cells that differ, each with what it was and what it is.
fn changes(set: impl Fn(&mut Switches)) -> Vec<String> {
    changes_from(|_| {}, set)
}

fn changes_from(before: impl Fn(&mut Switches), set: impl Fn(&mut Switches)) -> Vec<String> {
    let mut switches = Switches::default();
    before(&mut switches);
    let before = table(&switches);
    set(&mut switches);
    let after = table(&switches);
    assert_eq!(before.len(), after.len());
    let cells = before.iter().zip(&after);
    cells
        .filter(|((_, old), (_, new))| old != new)
        .map(|((cell, old), (_, new))| format!("{cell} | {old} -> {new}"))
        .collect()
}

fn check(name: &str, changes: &[String], expected: &str) {
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(changes, expected, "{name}:\n{}", changes.join("\n"));
}

/// OP-06, PD-07: half-DANE off takes it from a Postfix that uses it: rows behind an insecure MX set without an
/// enforced policy.
#[test]
fn half_dane() {
    let changes = changes(|switches| switches.options.half_dane = false);
    check(
        "half_dane",
        &changes,
        "DT-04 testing | P | dane -> NOTFOUND
         DT-04 testing | P dane | dane -> may
         DT-20 | P | dane -> NOTFOUND
         DT-20 | P dane | dane -> may
         DT-20f | P | dane -> NOTFOUND
         DT-20f | P dane | dane -> may",
    );
}

/// OP-06: `strict` pins where the best tier owes nothing beyond encryption, lets nobody through whose
/// addresses could be hidden, and changes no other column.
#[test]
fn strict() {
    let changes = changes(|switches| switches.strict = true);
    check(
        "strict",
        &changes,
        "DT-07b | F | NOTFOUND -> fingerprint match={20:ee}
         DT-08b testing | F | NOTFOUND -> fingerprint match={20:ee}
         DT-08c testing | F | NOTFOUND -> fingerprint match={20:ee}
         DT-13a | F | NOTFOUND -> TEMP",
    );
}

/// OP-06, DT-16: without probes nobody is to be probed; those rows wait for good.
#[test]
fn probe() {
    let changes = changes(|switches| switches.probe = false);
    check(
        "probe",
        &changes,
        "2 1 1 | F | TEMP, and 1 to probe -> TEMP
         DT-16 | F | TEMP, and 1 to probe -> TEMP",
    );
}

/// OP-06, OP-04, TU-08: digests of trust anchors off: hosts that have nothing else owe TLS, where hoplock
/// judges records; who does DANE by himself judges them by himself.
#[test]
fn trust_anchor_digests() {
    let changes = changes(|switches| switches.options.tlsa.trust_anchor_digests = false);
    let to = "each host its duty:";
    check(
        "trust_anchor_digests",
        &changes,
        &format!(
            "2 1 1 | E | {to} 10:ee dane -> {to} 10:ee encrypt
             2 1 1 | F | TEMP, and 1 to probe -> encrypt
             DT-16 | E | {to} 10:ta dane -> {to} 10:ta encrypt
             DT-16 | F | TEMP, and 1 to probe -> encrypt
             DT-18 | E | {to} 10:ee dane, 20:ta dane -> {to} 10:ee dane, 20:ta encrypt"
        ),
    );
}

/// OP-06, TU-03: a complete set of authorities counts for digests of usage 0, and where usages are mapped.
#[test]
fn complete_ca_set() {
    let alone = changes(|switches| switches.options.tlsa.complete_ca_set = true);
    check("complete_ca_set alone", &alone, "");
    let mapped = changes_from(
        |switches| switches.options.tlsa.map_pkix_usages = true,
        |switches| switches.options.tlsa.complete_ca_set = true,
    );
    let to = "each host its duty:";
    check(
        "complete_ca_set",
        &mapped,
        &format!(
            "0 0 1 | E | {to} 10:ee encrypt -> {to} 10:ee dane
             0 0 1 | F | encrypt -> TEMP, and 1 to probe"
        ),
    );
}

/// OP-06, TU-03: mapped, a record of usage 1 is one of usage 3 to pins and to Exim, and nothing else is
/// changed: neither other records, nor who does DANE by himself.
#[test]
fn map_pkix_usages() {
    let default = Switches::default();
    let before = table(&default);
    let mapped = table(&{
        let mut switches = Switches::default();
        switches.options.tlsa.map_pkix_usages = true;
        switches
    });
    let renamed = table_of(&default, |findings| {
        for host in &mut findings.hosts {
            if let DaneFinding::Records { rdata, .. } = &mut host.dane {
                for rdata in rdata.iter_mut().filter(|rdata| rdata[0] == 1) {
                    rdata[0] = 3;
                }
            }
        }
    });
    let mut changed = 0;
    for (cell, after) in &mapped {
        let is_pushed = cell.ends_with("| F") || cell.ends_with("| E");
        let expected = if is_pushed { &renamed } else { &before };
        assert_eq!(after, &expected[cell], "{cell}");
        changed += usize::from(*after != before[cell]);
    }
    assert_eq!(changed, 28);
}

/// OP-06, ST-23: a policy in testing mode is as good as none, and with the switch as good as an enforced one;
/// rows without one stay as they are.
#[test]
fn testing_as_enforce() {
    let before = table(&Switches::default());
    let after = table(&{
        let mut switches = Switches::default();
        switches.options.testing_as_enforce = true;
        switches
    });
    let mut changed = 0;
    for (cell, new) in &after {
        let enforced = cell.replace(" testing |", " |");
        assert_eq!(new, &before[&enforced], "{cell}");
        changed += usize::from(*new != before[cell]);
    }
    assert_eq!(changed, 65);
}

/// OP-06: MTA-STS off, everywhere or for one destination: an enforced policy is as good as one in testing
/// mode, which is as good as none; rows without one stay as they are.
#[test]
fn sts() {
    let before = table(&Switches::default());
    let after = table(&{
        let mut switches = Switches::default();
        switches.options.sts = false;
        switches
    });
    let mut changed = 0;
    for (cell, new) in &after {
        let testing = cell.replacen(" |", " testing |", 1);
        let expected = before.get(&testing).unwrap_or(&before[cell]);
        assert_eq!(new, expected, "{cell}");
        changed += usize::from(*new != before[cell]);
    }
    assert_eq!(changed, 65);
    for (id, example, findings) in rows() {
        for (column, profile) in columns(&Switches::default()) {
            let mut rule = Rule::new(
                RulePattern::Any,
                if example.mandatory {
                    Mode::Mandatory
                } else {
                    Mode::Opportunistic
                },
            );
            rule.sts = false;
            let said = said(
                &example,
                &findings,
                &profile,
                vec![rule],
                &LawOptions::default(),
            );
            assert_eq!(said, after[&format!("{id} | {column}")], "{id} | {column}");
        }
    }
}

/// OP-06, OP-01: DANE off: every destination is as one in unsigned space, whose addresses alone are known.
#[test]
fn dane() {
    let before = table(&Switches::default());
    let after = table(&{
        let mut switches = Switches::default();
        switches.options.dane = false;
        switches
    });
    let unsigned = table_of(&Switches::default(), |findings| {
        if let MxFinding::Hosts(selection) = &mut findings.mx {
            *selection = Selection::Mx(SecurityStatus::Insecure);
        }
        for host in &mut findings.hosts {
            if !matches!(host.dane, DaneFinding::NotAsked) {
                host.dane = DaneFinding::NoneInsecure;
            }
        }
    });
    assert_eq!(after, unsigned);
    let changed = before.iter().filter(|(cell, old)| after[*cell] != **old);
    assert_eq!(changed.count(), 193);
}
