//! What a session owes under a verdict of the law, or by the evidence that came with its report.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{self, Question, RecordType, Reply, SecurityStatus};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, NoHosts, PolicySource,
    RememberedPolicy, Selection, StsFailure, StsFailureKind, StsFinding, Validation,
};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::golden::postfix;
use hoplock_policy::law::{Answer, Conditions, FirstContact, LawOptions, Verdict, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::{MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Floor, OwnDaneSeen};
use hoplock_policy::reason::Reason;
use hoplock_policy::rules::{Mode, Rule, Rules};
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::{DaneEvidence, Owed, StrangeHost};

use crate::by_rule::rule;
use crate::scene::policy;
use crate::{HOST, name, rdata};

pub(crate) const SECURE: SecurityStatus = SecurityStatus::Secure;
pub(crate) const INSECURE: SecurityStatus = SecurityStatus::Insecure;

/// Everything that is known of a destination.
pub(crate) struct Destination {
    pub(crate) findings: Findings,
    pub(crate) rules: Vec<Rule>,
    pub(crate) floor: Floor,
    pub(crate) options: LawOptions,
}

impl Destination {
    pub(crate) fn new(selection: Selection, hosts: Vec<HostFinding>) -> Self {
        Self {
            findings: Findings {
                next_hop: NextHop::parse("e.test"),
                mx: MxFinding::Hosts(selection),
                hosts,
                sts: StsFinding::Absent(String::new()),
                anchors: Vec::new(),
                anchor_failures: Vec::new(),
                end_entity_failed: Vec::new(),
                lookups: Vec::new(),
                warnings: Vec::new(),
                gathered: Moment::default(),
                lifetime: Duration::from_secs(300),
            },
            rules: Vec::new(),
            floor: Floor::May,
            options: LawOptions::default(),
        }
    }

    /// With a policy that is kept for a day.
    pub(crate) fn policy(mut self, mode: &str, patterns: &[&str]) -> Self {
        self.findings.sts = StsFinding::Policy {
            remembered: Arc::new(RememberedPolicy {
                policy: policy(mode, patterns),
                id: "1".to_owned(),
                fetched: Moment::default(),
            }),
            source: PolicySource::Cache,
            trouble: None,
        };
        self
    }

    pub(crate) fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    pub(crate) fn verdict(&self) -> Verdict {
        decide(
            &self.findings,
            &Rules::new(self.rules.clone()),
            &postfix(self.floor),
            &self.options,
            Conditions {
                validation: Validation::Validating,
                remembered_dane: false,
                own_dane: OwnDaneSeen::Works,
                now: Moment::default(),
            },
        )
    }

    /// What a session with this host owes, so many seconds after the verdict.
    pub(crate) fn later(&self, host: &str, seconds: u64) -> Result<Owed<'_>, StrangeHost> {
        Owed::under(
            &self.verdict(),
            Some(&self.findings),
            &name(host),
            &TlsaOptions::default(),
            &[],
            Moment::default().later(Duration::from_secs(seconds)),
            self.floor,
        )
    }

    pub(crate) fn owed(&self, host: &str) -> Result<Owed<'_>, StrangeHost> {
        self.later(host, 0)
    }

    pub(crate) fn duty(&self, host: &str) -> Result<Duty, StrangeHost> {
        self.owed(host).map(|owed| owed.duty)
    }
}

/// A host with one address, and this much DANE.
pub(crate) fn host(text: &str, preference: u16, dane: DaneFinding) -> HostFinding {
    HostFinding {
        host: MxHost(name(text)),
        preference,
        aliased: false,
        ipv4: AddressFinding::Present {
            status: SECURE,
            count: 1,
        },
        ipv6: AddressFinding::Absent { status: SECURE },
        dane,
    }
}

/// Records under this base.
pub(crate) fn records(base: &str, rdata: Vec<Vec<u8>>) -> DaneFinding {
    DaneFinding::Records {
        base: TlsaBaseDomain(name(base)),
        rdata,
    }
}

pub(crate) fn usable() -> DaneFinding {
    records(HOST, vec![rdata(3, 1, 1, b"a key")])
}

pub(crate) fn unusable() -> DaneFinding {
    records(HOST, vec![rdata(1, 1, 1, b"a key")])
}

pub(crate) fn failed() -> DaneFinding {
    DaneFinding::Failed(dns::LookupFailure {
        kind: dns::FailureKind::ServFail,
        detail: "SERVFAIL".to_owned(),
    })
}

fn evidence(destination: &Destination, host: &str) -> DaneEvidence {
    destination.owed(host).unwrap().dane.unwrap()
}

fn names(evidence: &DaneEvidence) -> Vec<String> {
    evidence.names.iter().map(ToString::to_string).collect()
}

/// PD-02, PD-06: a session owes the duty of its host, as the law has it.
#[test]
fn the_duty_of_the_host() {
    let none = || DaneFinding::NoneSecure;
    for (mx, dane, without, enforced, unlisted) in [
        (SECURE, usable(), Duty::Dane, Duty::Dane, Duty::Dane),
        (
            SECURE,
            unusable(),
            Duty::Encrypt,
            Duty::WebPki,
            Duty::Refuse,
        ),
        (SECURE, none(), Duty::Free, Duty::WebPki, Duty::Refuse),
        (SECURE, failed(), Duty::Refuse, Duty::Refuse, Duty::Refuse),
        (INSECURE, usable(), Duty::Free, Duty::WebPki, Duty::Refuse),
        (INSECURE, none(), Duty::Free, Duty::WebPki, Duty::Refuse),
    ] {
        let of = || Destination::new(Selection::Mx(mx), vec![host(HOST, 10, dane.clone())]);
        assert_eq!(of().duty(HOST), Ok(without), "{dane:?}");
        let named = of().policy("enforce", &["*.e.test"]);
        assert_eq!(named.duty(HOST), Ok(enforced), "{dane:?}");
        let other = of().policy("enforce", &["other.test"]);
        assert_eq!(other.duty(HOST), Ok(unlisted), "{dane:?}");
        let testing = of().policy("testing", &["other.test"]);
        assert_eq!(testing.duty(HOST), Ok(without), "{dane:?}");
    }
}

/// CM-26, TB-07: behind a secure MX set the names are the base, the next hop and what that is an alias
/// of; an alias of the record set's own name changes neither base nor names.
#[test]
fn names_behind_a_secure_mx_set() {
    let records = records("mx.provider.test", vec![rdata(2, 1, 1, b"a key")]);
    let hosts = vec![host(HOST, 10, records)];
    let mut destination = Destination::new(Selection::Mx(SECURE), hosts);
    let own = evidence(&destination, HOST);
    assert_eq!(own.base, Some(TlsaBaseDomain(name("mx.provider.test"))));
    assert_eq!(own.mx, SECURE);
    assert_eq!(names(&own), ["mx.provider.test", "e.test"]);
    let reply = |text: &str, record_type, aliases: &[&str]| Reply {
        question: Question::new(name(text), record_type),
        answer: dns::Answer::Records {
            status: SECURE,
            aliases: aliases.iter().map(|alias| name(alias)).collect(),
            data: Vec::new(),
            ttl: Duration::from_secs(60),
        },
        took: Duration::ZERO,
    };
    let owner = "_25._tcp.mx.provider.test";
    destination.findings.lookups = vec![
        reply("other.test", RecordType::Mx, &["wrong.test"]),
        reply("e.test", RecordType::A, &["wrong.test"]),
        reply(owner, RecordType::Tlsa, &["shared.provider.test"]),
        reply("e.test", RecordType::Mx, &["middle.test", "alias.test"]),
    ];
    let own = evidence(&destination, HOST);
    assert_eq!(own.base, Some(TlsaBaseDomain(name("mx.provider.test"))));
    assert_eq!(names(&own), ["mx.provider.test", "e.test", "alias.test"]);
    // The lists say all and no more.
    destination.findings.mx = MxFinding::Hosts(Selection::Mx(INSECURE));
    let own = evidence(&destination, HOST);
    assert_eq!(
        (names(&own), own.mx),
        (vec!["mx.provider.test".to_owned()], INSECURE)
    );
}

/// CM-27: without MX the names are the base, and the host's own name where that is another; brackets
/// and the domain itself are alike.
#[test]
fn names_without_mx() {
    for (selection, next_hop, own) in [
        (Selection::Implicit(SECURE), "e.test", "e.test"),
        (Selection::Named, "[mx.e.test]", HOST),
    ] {
        for (base, expected) in [(own, vec![own]), ("alias.test", vec!["alias.test", own])] {
            let dane = records(base, vec![rdata(2, 1, 1, b"a key")]);
            let mut destination = Destination::new(selection, vec![host(own, 0, dane)]);
            destination.findings.next_hop = NextHop::parse(next_hop);
            let own = evidence(&destination, own);
            assert_eq!(
                (names(&own), own.mx),
                (expected.iter().map(ToString::to_string).collect(), SECURE)
            );
        }
    }
}

/// SV-07, PD-02: a host of which nothing is known owes what the policy's patterns ask where nobody else
/// is known either; where the MX set is known and secure, mail does not belong there.
#[test]
fn hosts_that_are_not_known() {
    let known = |mx, dane| Destination::new(Selection::Mx(mx), vec![host(HOST, 10, dane)]);
    let pattern = ["*.e.test"];
    let strange = Err(StrangeHost);
    for (destination, expected) in [
        (known(SECURE, DaneFinding::NoneSecure), Ok(Duty::Free)),
        (known(INSECURE, usable()), strange),
        (known(SECURE, usable()), strange),
        (known(SECURE, unusable()), strange),
        (known(SECURE, failed()), strange),
        (
            known(INSECURE, usable()).policy("enforce", &pattern),
            Ok(Duty::WebPki),
        ),
        (known(SECURE, usable()).policy("enforce", &pattern), strange),
        (known(SECURE, usable()).policy("testing", &pattern), strange),
    ] {
        let words = destination.verdict();
        assert_eq!(destination.duty("mx9.e.test"), expected, "{words:?}");
    }
    let mut nobody = known(INSECURE, usable()).policy("enforce", &pattern);
    nobody.findings.mx = MxFinding::NoHosts {
        why: NoHosts::NxDomain,
        status: INSECURE,
    };
    nobody.findings.hosts = Vec::new();
    assert_eq!(nobody.duty("mx9.e.test"), Ok(Duty::WebPki));
    nobody.findings.sts = StsFinding::NotApplicable;
    assert_eq!(nobody.duty("mx9.e.test"), Ok(Duty::Free));
}

/// SV-07, RQ-06: a host that seemed to have no address is free of nothing: under an enforced policy it
/// owes what that asks.
#[test]
fn hosts_that_seemed_unreachable() {
    let mut gone = host("gone.e.test", 20, DaneFinding::NotAsked);
    gone.ipv4 = AddressFinding::Absent { status: SECURE };
    let with = |mx, hosts| Destination::new(Selection::Mx(mx), hosts);
    let both = || vec![host(HOST, 10, DaneFinding::NoneSecure), gone.clone()];
    let pattern = ["*.e.test"];
    for (destination, expected) in [
        (with(SECURE, both()), Ok(Duty::Free)),
        (
            with(INSECURE, both()).policy("enforce", &pattern),
            Ok(Duty::WebPki),
        ),
        (
            with(INSECURE, vec![gone.clone()]).policy("enforce", &pattern),
            Ok(Duty::WebPki),
        ),
        (
            with(SECURE, vec![host(HOST, 10, usable()), gone.clone()]),
            Err(StrangeHost),
        ),
    ] {
        assert_eq!(destination.duty("gone.e.test"), expected);
    }
}

/// ST-13, ST-28: where a policy may be in force that could not be had, a host may owe more than it seems,
/// unless DANE binds it.
#[test]
fn a_policy_that_could_not_be_had() {
    let none = || DaneFinding::NoneSecure;
    for (kind, first_contact, waits) in [
        (StsFailureKind::Store, FirstContact::Ignore, true),
        (StsFailureKind::Fetch, FirstContact::Defer, true),
        (StsFailureKind::Fetch, FirstContact::Ignore, false),
    ] {
        let of = |dane: DaneFinding| {
            let hosts = vec![host(HOST, 10, dane), host("mx2.e.test", 10, none())];
            let mut destination = Destination::new(Selection::Mx(SECURE), hosts);
            destination.options.first_contact = first_contact;
            destination.findings.sts = StsFinding::Failed(StsFailure {
                kind,
                detail: String::new(),
            });
            destination
        };
        let is_open = |dane| {
            let destination = of(dane);
            let owed = destination.owed(HOST).unwrap();
            destination
                .verdict()
                .open_policy(owed.duty, Some(&destination.findings))
                .is_some()
        };
        assert_eq!(is_open(none()), waits, "{kind:?}");
        assert_eq!(is_open(unusable()), waits, "{kind:?}");
        assert!(!is_open(usable()), "{kind:?}");
        assert!(!is_open(failed()), "{kind:?}");
    }
}

/// ST-28: it may owe more whatever the answer rests on: on other hosts, which the mail server cannot
/// authenticate. Not where a rule leaves policies aside.
#[test]
fn a_policy_that_cannot_be_read_under_another_answer() {
    let hosts = vec![
        host("mx2.e.test", 20, usable()),
        host(HOST, 10, DaneFinding::NoneSecure),
    ];
    let mut destination = Destination::new(Selection::Mx(SECURE), hosts);
    let mut verdict = destination.verdict();
    verdict.answer = Answer::Temp;
    verdict.reason = Reason::MtaCannotAuthenticate;
    for (kind, expected) in [
        (StsFailureKind::Fetch, false),
        (StsFailureKind::Store, true),
    ] {
        destination.findings.sts = StsFinding::Failed(StsFailure {
            kind,
            detail: "the disk".to_owned(),
        });
        let findings = Some(&destination.findings);
        for duty in [Duty::Free, Duty::Encrypt, Duty::OwnWebPki] {
            // It says what is open, and not what the answer rests on.
            let open = verdict.open_policy(duty, findings);
            let words =
                expected.then(|| (Reason::StoreFailed, format!("{}: the disk", kind.word())));
            assert_eq!(open, words);
        }
        assert_eq!(verdict.open_policy(Duty::Dane, findings), None);
        let mut ruled = verdict.clone();
        ruled.rule = Some(Box::new(Rule {
            sts: false,
            ..rule(Mode::Mandatory, None)
        }));
        assert_eq!(ruled.open_policy(Duty::Free, findings), None);
        // PD-01
        for reason in [Reason::RuleOff, Reason::RuleAudit, Reason::RuleFallback] {
            let off = Verdict {
                reason,
                ..verdict.clone()
            };
            assert_eq!(off.open_policy(Duty::Free, findings), None);
        }
    }
}

/// SV-04: the policy is the one in force when the session happened: one that has ended, or that
/// says none, is none.
#[test]
fn the_policy_in_force() {
    let hosts = || vec![host(HOST, 10, DaneFinding::NoneSecure)];
    let of = |mode| Destination::new(Selection::Mx(SECURE), hosts()).policy(mode, &[HOST]);
    for (mode, seconds, is_in_force) in [
        ("enforce", 0, true),
        ("testing", 0, true),
        ("none", 0, false),
        ("enforce", 86_399, true),
        ("enforce", 86_400, false),
        ("testing", 90_000, false),
    ] {
        let destination = of(mode);
        let owed = destination.later(HOST, seconds).unwrap();
        assert_eq!(owed.sts.is_some(), is_in_force, "{mode} after {seconds}");
    }
}

/// SV-05: sessions under different obligations never share a generation, and equal ones always do.
#[test]
fn generations() {
    let of = |dane| Destination::new(Selection::Mx(SECURE), vec![host(HOST, 10, dane)]);
    let key = |text: &[u8]| records(HOST, vec![rdata(3, 1, 1, text)]);
    let destinations = [
        of(key(b"one")),
        of(key(b"two")),
        of(DaneFinding::NoneSecure),
        of(unusable()),
        of(key(b"one")).policy("enforce", &[HOST]),
        of(key(b"one")).policy("testing", &[HOST]),
        of(DaneFinding::NoneSecure).policy("enforce", &[HOST]),
        of(DaneFinding::NoneSecure).policy("enforce", &["*.e.test"]),
    ];
    let generation = |destination: &Destination| destination.owed(HOST).unwrap().generation();
    for (at, one) in destinations.iter().enumerate() {
        for (place, other) in destinations.iter().enumerate() {
            let is_same = generation(one) == generation(other);
            assert_eq!(is_same, at == place, "{at} {place}");
        }
    }
}

/// TU-10, PD-02, ST-23: evidence that comes with a report obliges as the law would have it: usable records
/// before any policy, unusable ones to TLS, a tested policy to nothing.
#[test]
fn by_evidence() {
    use hoplock_policy::tlsa::TlsaSet;
    use hoplock_policy::verify::ReferenceNames;
    let set = |rdata: &[Vec<u8>]| {
        let rdata = rdata.iter().map(Vec::as_slice);
        TlsaSet::read(rdata, &TlsaOptions::default())
    };
    let (good, bad) = (rdata(3, 1, 1, b"a key"), rdata(1, 1, 1, b"a key"));
    let usable = || Some(set(std::slice::from_ref(&good)));
    let mixed = || Some(set(&[good.clone(), bad.clone()]));
    let unusable = || Some(set(std::slice::from_ref(&bad)));
    let empty = || Some(set(&[]));
    for (records, mode, expected) in [
        (None, None, None),
        (None, Some("none"), None),
        (None, Some("testing"), Some(Duty::Free)),
        (None, Some("enforce"), Some(Duty::WebPki)),
        (empty(), None, Some(Duty::Free)),
        (empty(), Some("enforce"), Some(Duty::WebPki)),
        (usable(), None, Some(Duty::Dane)),
        (mixed(), None, Some(Duty::Dane)),
        (usable(), Some("enforce"), Some(Duty::Dane)),
        (usable(), Some("none"), Some(Duty::Dane)),
        (unusable(), None, Some(Duty::Encrypt)),
        (unusable(), Some("testing"), Some(Duty::Encrypt)),
        (unusable(), Some("none"), Some(Duty::Encrypt)),
        (unusable(), Some("enforce"), Some(Duty::WebPki)),
    ] {
        let policy = mode.map(|mode| policy(mode, &[HOST]));
        let names = ReferenceNames::exactly([name(HOST)]);
        let owed = Owed::by_evidence(records.clone(), names, None, policy.as_ref(), &[]);
        let duty = owed.map(|owed| owed.duty);
        assert_eq!(duty, expected, "{records:?} {mode:?}");
    }
}

/// SB-04: behind secure SRV records the base and the target count first, and the domain whose service it
/// is; behind insecure ones nothing that they say.
#[test]
fn names_of_services() {
    for (status, expected) in [
        (SECURE, &["base.test", "mx.test", "e.test"][..]),
        (INSECURE, &["base.test"]),
    ] {
        let dane = records("base.test", vec![rdata(2, 1, 1, b"a key")]);
        let hosts = vec![host("mx.test", 0, dane)];
        let mut destination = Destination::new(Selection::Srv(status), hosts);
        destination.findings.next_hop = NextHop::parse("_submission._tcp.e.test");
        let evidence = evidence(&destination, "mx.test");
        assert_eq!(names(&evidence), expected, "{status:?}");
        let duty = destination.duty("mx.test").unwrap();
        assert_eq!(duty == Duty::Dane, status == SECURE, "{duty:?}");
    }
}
