//! Profile `pins`: what a Postfix without DANE of its own is handed in place of TLSA records, host by
//! host and certificate by certificate. The table stands in `golden.rs`, the search in `search_pins.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::time::Duration;

use hoplock_policy::dns::{FailureKind, LookupFailure, SecurityStatus};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Selection, StsFinding,
    Validation,
};
use hoplock_policy::law::{Answer, Conditions, LawOptions, MatchName, Verdict, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Floor, OwnDaneSeen, PinDigest, Profile};
use hoplock_policy::render::render;
use hoplock_policy::rules::{Fallback, Mode, Rule, RulePattern, Rules};
use hoplock_policy::tlsa::{ProbedAnchor, TlsaRecord, TrustAnchorBytes, anchor_file};
use hoplock_policy::verify::Certificate;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use sha2::{Digest as _, Sha256};

const SECURE: SecurityStatus = SecurityStatus::Secure;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn certificate(is_ca: bool) -> Certificate {
    let mut params = CertificateParams::new(vec!["mx.test".to_owned()]).unwrap();
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    Certificate::from_der(params.self_signed(&key).unwrap().der().to_vec())
}

fn record(certificate: &Certificate, usage: u8, selector: u8, matching: u8) -> TlsaRecord {
    TlsaRecord::naming(certificate, usage, selector, matching).unwrap()
}

/// A record of a digest that belongs to nobody.
fn digest(usage: u8, matching: u8, octet: u8) -> TlsaRecord {
    let length = if matching == 1 { 32 } else { 64 };
    TlsaRecord {
        usage,
        selector: 1,
        matching,
        data: vec![octet; length],
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn sha256(octets: &[u8]) -> String {
    hexadecimal(&Sha256::digest(octets))
}

/// One destination, `example.com`, and the MTA that asks.
#[derive(Clone)]
struct Case {
    findings: Findings,
    profile: Profile,
    options: LawOptions,
    rules: Vec<Rule>,
    now: Moment,
}

impl Case {
    fn new(mx: SecurityStatus) -> Self {
        let mut profile = Profile::built_in("pins").unwrap();
        profile.anchor_directory = "/var/spool/postfix/anchors".to_owned();
        profile.anchor_directory_in_chroot = "/anchors".to_owned();
        Self {
            findings: Findings {
                next_hop: NextHop::parse("example.com"),
                mx: MxFinding::Hosts(Selection::Mx(mx)),
                hosts: Vec::new(),
                sts: StsFinding::NotApplicable,
                anchors: Vec::new(),
                anchor_failures: Vec::new(),
                end_entity_failed: Vec::new(),
                lookups: Vec::new(),
                warnings: Vec::new(),
                gathered: Moment::default(),
                lifetime: Duration::from_secs(300),
            },
            profile,
            options: LawOptions::default(),
            rules: Vec::new(),
            now: Moment::default(),
        }
    }

    fn secure() -> Self {
        Self::new(SECURE)
    }

    /// With another host, `mx0.example.com` and so on.
    fn host(mut self, preference: u16, dane: DaneFinding) -> Self {
        let count = self.findings.hosts.len();
        self.findings.hosts.push(HostFinding {
            host: MxHost(name(&format!("mx{count}.example.com"))),
            preference,
            aliased: false,
            ipv4: AddressFinding::Present {
                status: SECURE,
                count: 1,
            },
            ipv6: AddressFinding::Absent { status: SECURE },
            dane,
        });
        self
    }

    fn records(self, preference: u16, records: &[TlsaRecord]) -> Self {
        let count = self.findings.hosts.len();
        let base = format!("mx{count}.example.com");
        self.records_at(preference, &base, records)
    }

    fn records_at(self, preference: u16, base: &str, records: &[TlsaRecord]) -> Self {
        let dane = DaneFinding::Records {
            base: TlsaBaseDomain(name(base)),
            rdata: records.iter().map(TlsaRecord::rdata).collect(),
        };
        self.host(preference, dane)
    }

    fn bare(self, preference: u16) -> Self {
        self.host(preference, DaneFinding::NoneSecure)
    }

    fn failed(self, preference: u16) -> Self {
        self.host(preference, DaneFinding::Failed(failure()))
    }

    fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    fn probed(mut self, record: &TlsaRecord, certificate: &Certificate) -> Self {
        let anchor = ProbedAnchor::proved_by(record, certificate).unwrap();
        self.findings.anchors.push(anchor);
        self
    }

    fn verdict(&self) -> Verdict {
        let conditions = Conditions {
            validation: Validation::Validating,
            remembered_dane: false,
            own_dane: OwnDaneSeen::Works,
            now: self.now,
        };
        let rules = Rules::new(self.rules.clone());
        decide(
            &self.findings,
            &rules,
            &self.profile,
            &self.options,
            conditions,
        )
    }

    fn reply(&self) -> String {
        render(&self.verdict(), &self.profile).to_string()
    }

    /// The pins, where there are any.
    fn pins(&self) -> Vec<String> {
        match self.verdict().answer {
            Answer::Fingerprint(pins) => pins,
            other => panic!("{other:?}"),
        }
    }

    fn wanted(&self) -> Vec<String> {
        let wanted = self.verdict().anchors_wanted;
        wanted.iter().map(ToString::to_string).collect()
    }
}

fn failure() -> LookupFailure {
    LookupFailure {
        kind: FailureKind::ServFail,
        detail: "SERVFAIL".to_owned(),
    }
}

/// DT-16, CM-26, PF-11: full-data anchors become a file, under exactly the reference names of DANE-TA.
#[test]
fn full_data_anchors_go_as_a_file() {
    let authority = certificate(true);
    let whole = TrustAnchorBytes::Certificate(authority.der().to_vec());
    let key = TrustAnchorBytes::PublicKey(authority.public_key().unwrap().to_vec());
    for (selector, anchor) in [(0, whole), (1, key)] {
        let case = Case::secure().records(10, &[record(&authority, 2, selector, 0)]);
        let names = ["example.com", "mx0.example.com"].map(|text| MatchName::Host(name(text)));
        let verdict = case.verdict();
        let anchors = vec![anchor];
        let file = anchor_file(&anchors).name;
        assert_eq!(
            verdict.answer,
            Answer::Anchored {
                names: names.to_vec(),
                anchors
            }
        );
        assert_eq!(verdict.reason.word(), "dane-trust-anchors");
        assert_eq!(
            case.reply(),
            format!(
                "OK secure match=example.com:mx0.example.com tafile=/anchors/{file} servername=hostname"
            )
        );
        assert_eq!(case.wanted(), Vec::<String>::new());
    }
}

/// DT-16: digests of anchors wait for the first probe, which is asked for by name; its certificate, proved by
/// the digest, is the anchor.
#[test]
fn digests_of_anchors_wait_for_a_probe() {
    let authority = certificate(true);
    for (selector, matching) in [(0, 1), (1, 1), (0, 2), (1, 2)] {
        let digest = record(&authority, 2, selector, matching);
        let case = Case::secure().records(10, std::slice::from_ref(&digest));
        let said = case.reply();
        assert!(
            said.starts_with("TEMP mta-cannot-authenticate: mx0.example.com: "),
            "{said}"
        );
        assert!(said.contains("being asked for"), "{said}");
        assert_eq!(case.wanted(), ["mx0.example.com"]);
        let known = case.probed(&digest, &authority);
        assert_eq!(known.verdict().answer.word(), "secure");
        assert_eq!(known.wanted(), Vec::<String>::new());
    }
}

/// DT-16, OP-06: why a host's anchor is not there is told with its cure, and nothing is probed where a
/// probe would be of no use.
#[test]
fn a_missing_anchor_is_told_with_its_cure() {
    let authority = certificate(true);
    let case = Case::secure().records(10, &[record(&authority, 2, 1, 1)]);
    let mut silent = case.clone();
    silent.profile.probe = false;
    let mut nowhere = case.clone();
    nowhere.profile.anchor_directory = String::new();
    let mut failed = case;
    let host = failed.findings.hosts[0].host.clone();
    failed
        .findings
        .anchor_failures
        .push((host, "no STARTTLS".to_owned()));
    let leaf = Case::secure().records(10, &[record(&certificate(false), 2, 0, 0)]);
    for (case, words, wanted) in [
        (silent, "set probe = true in the profile", &[][..]),
        (nowhere, "set anchor_directory in the profile", &[]),
        // The next probe may bring it.
        (
            failed,
            "no trust anchor was brought by a probe: no STARTTLS",
            &["mx0.example.com"],
        ),
        (
            leaf,
            "its trust anchor is no certificate of an authority",
            &[],
        ),
    ] {
        let said = case.reply();
        assert!(
            said.starts_with("TEMP mta-cannot-authenticate: mx0.example.com: "),
            "{said}"
        );
        assert!(said.contains(words), "{said}");
        assert_eq!(case.wanted(), wanted, "{words}");
    }
}

/// DT-18, DT-07b, OP-06: only hosts whose anchors would change the answer are to be probed.
#[test]
fn probes_are_asked_for_where_they_change_the_answer() {
    let (pinned, anchored) = ([digest(3, 1, 1)], [digest(2, 1, 2)]);
    let none: &[&str] = &[];
    let strict = |mut case: Case| {
        case.profile.strict = true;
        case
    };
    for (case, answer, wanted) in [
        (
            Case::secure().records(10, &pinned).records(20, &anchored),
            "fingerprint",
            none,
        ),
        (
            Case::secure().records(10, &anchored).records(20, &pinned),
            "fingerprint",
            &["mx0.example.com"][..],
        ),
        (
            Case::secure().records(10, &anchored).records(20, &anchored),
            "defer",
            &["mx0.example.com", "mx1.example.com"],
        ),
        (Case::secure().bare(10).records(20, &anchored), "none", none),
        (
            strict(Case::secure().bare(10).records(20, &anchored)),
            "defer",
            &["mx1.example.com"],
        ),
        (
            Case::secure().records(10, &anchored).failed(20),
            "defer",
            &["mx0.example.com"],
        ),
        (
            Case::new(SecurityStatus::Insecure).records(10, &anchored),
            "none",
            none,
        ),
        (
            Case::secure()
                .records(10, &anchored)
                .rule(Rule::new(RulePattern::Any, Mode::Audit)),
            "none",
            none,
        ),
        (
            Case::secure()
                .records(10, &anchored)
                .rule(Rule::new(RulePattern::Any, Mode::Mandatory)),
            "defer",
            &["mx0.example.com"],
        ),
    ] {
        assert_eq!(case.verdict().answer.word(), answer, "{wanted:?}");
        assert_eq!(case.wanted(), wanted, "{answer}");
    }
}

/// DT-16, PD-14: the anchors and names of all hosts stand together, each once, whatever the order.
#[test]
fn the_anchors_of_all_hosts_stand_together() {
    let (one, two) = (certificate(true), certificate(true));
    let (first, second) = (record(&one, 2, 0, 0), record(&two, 2, 1, 1));
    let case = Case::secure()
        .records(10, &[first.clone(), second.clone()])
        .records(20, &[first])
        .probed(&second, &two);
    let Answer::Anchored { names, anchors } = case.verdict().answer else {
        panic!("{:?}", case.verdict().answer);
    };
    assert_eq!(anchors.len(), 2);
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["example.com", "mx0.example.com", "mx1.example.com"]);
    let mut turned = case.clone();
    turned.findings.hosts.reverse();
    for host in &mut turned.findings.hosts {
        if let DaneFinding::Records { rdata, .. } = &mut host.dane {
            rdata.reverse();
        }
    }
    assert_eq!(turned.reply(), case.reply());
}

/// PF-09, DT-17: full data is hashed in the profile's digest; a digest of the other algorithm cannot be
/// expressed, and the host is then reached by its trust anchors or not at all.
#[test]
fn pins_are_of_the_profiles_digest() {
    let own = certificate(false);
    let (whole, key) = (record(&own, 3, 0, 0), record(&own, 3, 1, 0));
    let mut pins = [sha256(own.der()), sha256(own.public_key().unwrap())];
    pins.sort();
    assert_eq!(Case::secure().records(10, &[whole, key]).pins(), pins);
    let long = [record(&own, 3, 1, 2)];
    let case = Case::secure().records(10, &long);
    let said = case.reply();
    assert!(
        said.starts_with("TEMP mta-cannot-authenticate: mx0.example.com: "),
        "{said}"
    );
    assert!(said.contains("SHA-512"), "{said}");
    assert_eq!(case.wanted(), Vec::<String>::new());
    let mut takes_it = case;
    takes_it.profile.digest = PinDigest::Sha512;
    assert_eq!(takes_it.pins(), [hexadecimal(&long[0].data)]);
    let authority = certificate(true);
    let both = [long[0].clone(), record(&authority, 2, 0, 0)];
    let verdict = Case::secure().records(10, &both).verdict();
    assert_eq!(verdict.answer.word(), "secure", "{:?}", verdict.answer);
    // Beside a host that can be pinned, one that cannot is left out.
    let mixed = Case::secure()
        .records(10, &long)
        .records(10, &[digest(3, 1, 7)]);
    assert_eq!(mixed.pins(), ["07".repeat(32)]);
}

/// DT-19: a host with records of both kinds is pinned, and the reason says that half of them goes unused,
/// until the pins were seen to fail where a trust anchor matched.
#[test]
fn pins_come_before_anchors_until_they_were_seen_to_fail() {
    let authority = certificate(true);
    let end_entity = digest(3, 1, 1);
    let (full, named) = (record(&authority, 2, 0, 0), record(&authority, 2, 1, 1));
    let marked = |mut case: Case| {
        let host = case.findings.hosts[0].host.clone();
        case.findings.end_entity_failed.push(host);
        case
    };
    let case = Case::secure().records(10, &[end_entity.clone(), full]);
    assert_eq!(case.pins(), ["01".repeat(32)]);
    assert_eq!(case.verdict().reason.word(), "dane-end-entity-only");
    let marked_case = marked(case);
    assert_eq!(marked_case.verdict().answer.word(), "secure");
    assert_eq!(marked_case.verdict().reason.word(), "dane-trust-anchors");
    // What a probe must bring first: the pins stay meanwhile.
    let case = Case::secure().records(10, &[end_entity.clone(), named.clone()]);
    assert_eq!(case.wanted(), Vec::<String>::new());
    let marked_case = marked(case);
    assert_eq!(marked_case.pins(), ["01".repeat(32)]);
    assert_eq!(marked_case.wanted(), ["mx0.example.com"]);
    let known = marked_case.probed(&named, &authority);
    assert_eq!(known.verdict().answer.word(), "secure");
    // A host that has nothing else keeps its pins.
    let plain = marked(Case::secure().records(10, &[end_entity]));
    assert_eq!(plain.pins(), ["01".repeat(32)]);
    assert_eq!(plain.verdict().reason.word(), "dane-all-hosts");
}

/// CM-22, DT-17; RFC 7671, 9: agility is among the digests that the client supports. A digest that this
/// one does not take silences none that it takes, of the same host or of another.
#[test]
fn what_cannot_be_pinned_silences_nothing() {
    let (strong, weak) = (digest(3, 2, 1), digest(3, 1, 2));
    let both = [strong.clone(), weak.clone()];
    for order in [vec![2, 1], vec![1, 2]] {
        let mut case = Case::secure().records(10, &both);
        case.options.digest_order = order;
        assert_eq!(case.pins(), ["02".repeat(32)]);
        case.profile.digest = PinDigest::Sha512;
        assert_eq!(case.pins(), ["01".repeat(64)]);
    }
    let apart = Case::secure().records(10, &[strong]).records(20, &[weak]);
    assert_eq!(apart.pins(), ["02".repeat(32)]);
}

/// TU-03: mapped usages count for pins, each behind its switch; an MTA that judges by itself keeps the RFC's.
#[test]
fn mapped_usages_are_pushed() {
    let authority = certificate(true);
    let end_entity = Case::secure().records(10, &[digest(1, 1, 3)]);
    let full = Case::secure().records(10, &[record(&authority, 0, 0, 0)]);
    let named = record(&authority, 0, 1, 1);
    let digests = Case::secure()
        .records(10, std::slice::from_ref(&named))
        .probed(&named, &authority);
    let word = |case: &Case, map, complete| {
        let mut case = case.clone();
        case.options.tlsa.map_pkix_usages = map;
        case.options.tlsa.complete_ca_set = complete;
        case.verdict().answer.word()
    };
    for (case, off, mapped, complete) in [
        (&end_entity, "encrypt", "fingerprint", "fingerprint"),
        (&full, "encrypt", "secure", "secure"),
        (&digests, "encrypt", "encrypt", "secure"),
    ] {
        assert_eq!(word(case, false, false), off);
        assert_eq!(word(case, true, false), mapped);
        assert_eq!(word(case, true, true), complete);
    }
    let mut by_itself = end_entity;
    by_itself.profile = hoplock_policy::law::golden::postfix(Floor::May);
    assert_eq!(word(&by_itself, true, true), "encrypt");
}

/// TU-08, OP-04: digests of trust anchors that are switched off are unusable, not absent: TLS is owed.
#[test]
fn switched_off_digests_still_oblige_tls() {
    let mut case = Case::secure().records(10, &[digest(2, 1, 3)]);
    case.options.tlsa.trust_anchor_digests = false;
    assert_eq!(case.reply(), "OK encrypt");
    assert_eq!(case.wanted(), Vec::<String>::new());
    case.profile = hoplock_policy::law::golden::postfix(Floor::May);
    assert_eq!(case.reply(), "OK dane-only");
    let mut full = Case::secure().records(10, &[record(&certificate(true), 2, 0, 0)]);
    full.options.tlsa.trust_anchor_digests = false;
    assert_eq!(full.verdict().answer.word(), "secure");
}

/// MX-13, MX-14: who cannot be reached lends nobody a pin.
#[test]
fn the_unreachable_lend_no_pins() {
    let case = Case::secure()
        .records(10, &[digest(3, 1, 1)])
        .records(20, &[digest(3, 1, 2)]);
    assert_eq!(case.pins(), ["01".repeat(32), "02".repeat(32)]);
    for ipv4 in [
        AddressFinding::Absent { status: SECURE },
        AddressFinding::Failed(failure()),
    ] {
        let mut case = case.clone();
        case.findings.hosts[0].ipv4 = ipv4;
        assert_eq!(case.pins(), ["02".repeat(32)]);
    }
    let mut one_family = case;
    one_family.findings.hosts[0].ipv6 = AddressFinding::Present {
        status: SECURE,
        count: 1,
    };
    one_family.findings.hosts[0].ipv4 = AddressFinding::Absent { status: SECURE };
    one_family.profile.families = hoplock_policy::profile::AddressFamilies::Ipv4;
    assert_eq!(one_family.pins(), ["02".repeat(32)]);
}

/// MX-20: hosts beyond the bound of lookups are failed, never none: pins or a delay, never NOTFOUND.
#[test]
fn a_very_large_set_is_pinned_or_waits() {
    let (mut pinned, mut bare) = (Case::secure(), Case::secure());
    for at in 0..200_u16 {
        if at < 20 {
            pinned = pinned.records(at, &[digest(3, 1, at as u8)]);
            bare = bare.bare(at);
        } else {
            pinned = pinned.failed(at);
            bare = bare.failed(at);
        }
    }
    assert_eq!(pinned.pins().len(), 20);
    assert!(
        bare.reply().starts_with("TEMP tlsa-lookup-failed: "),
        "{}",
        bare.reply()
    );
}

/// PF-09: a thousand pins fit in a reply; more wait and are never cut, for who is cut off is refused.
#[test]
fn too_many_pins_wait() {
    let many = |count: u16, matching: u8| {
        let records: Vec<TlsaRecord> = (0..count)
            .map(|at| {
                let mut record = digest(3, matching, 0);
                record.data[..2].copy_from_slice(&at.to_be_bytes());
                record
            })
            .collect();
        let mut case = Case::secure().records(10, &records);
        if matching == 2 {
            case.profile.digest = PinDigest::Sha512;
        }
        case
    };
    for (most, matching) in [(1000, 1), (767, 2)] {
        let said = many(most, matching).reply();
        assert!(said.starts_with("OK fingerprint match="), "{said}");
        assert_eq!(said.split('|').count(), usize::from(most));
        assert!(said.len() <= 100_000, "{}", said.len());
        let case = many(most + 1, matching);
        let said = case.reply();
        assert!(said.starts_with("TEMP reply-too-long: "), "{said}");
        let hosts = case.verdict().hosts;
        assert!(hosts.iter().all(|host| host.outcome.word() == "skip"));
    }
}

/// PF-11, TB-03: where the records stand under the name that the host is an alias of, that name is asked
/// for; with hosts of several names nobody knows which, and the MX host's own stays.
#[test]
fn the_server_name_is_the_base_where_there_is_one() {
    let pin = [digest(3, 1, 1)];
    let servername = |case: &Case| {
        let reply = case.reply();
        reply.split_once(" servername=").unwrap().1.to_owned()
    };
    let alias = Case::secure().records_at(10, "farm.example.net", &pin);
    assert_eq!(servername(&alias), "farm.example.net");
    let anchored = Case::secure().records_at(
        10,
        "farm.example.net",
        &[record(&certificate(true), 2, 0, 0)],
    );
    assert_eq!(servername(&anchored), "farm.example.net");
    let own = Case::secure().records(10, &pin);
    assert_eq!(servername(&own), "hostname");
    let mixed = alias.clone().records(20, &[digest(3, 1, 2)]);
    assert_eq!(servername(&mixed), "hostname");
    let common = alias.records_at(20, "farm.example.net", &pin);
    assert_eq!(servername(&common), "farm.example.net");
}

/// CA-04, CA-01: pins live for what is left of the TTL, and no longer.
#[test]
fn pins_live_as_long_as_their_records() {
    let mut case = Case::secure().records(10, &[digest(3, 1, 1)]);
    case.findings.lifetime = Duration::from_secs(20);
    assert_eq!(case.verdict().expires_in, Duration::from_secs(20));
    case.now.uptime = Duration::from_secs(13);
    assert_eq!(case.verdict().expires_in, Duration::from_secs(7));
    case.now.uptime = Duration::from_secs(21);
    assert_eq!(case.verdict().expires_in, Duration::ZERO);
}

/// PD-07, DT-20: behind an insecure MX set there are never pins, and never anchors.
#[test]
fn nobody_is_pinned_behind_an_insecure_mx_set() {
    for records in [[digest(3, 1, 1)], [record(&certificate(true), 2, 0, 0)]] {
        let case = Case::new(SecurityStatus::Insecure).records(10, &records);
        assert_eq!(case.reply(), "NOTFOUND ");
        let mandatory = case.rule(Rule::new(RulePattern::Any, Mode::Mandatory));
        assert!(
            mandatory.reply().starts_with("TEMP mx-insecure: "),
            "{}",
            mandatory.reply()
        );
    }
}

/// DT-07b, OP-06, PD-15: where the best hosts owe nothing beyond encryption, hosts behind them owe no more
/// than that either, and the reason says so; with `strict` they are pinned.
#[test]
fn better_hosts_are_not_given_up_for_pins() {
    let pin = [digest(3, 1, 1)];
    let unusable = [digest(1, 1, 9)];
    for (case, reply) in [
        (Case::secure().bare(10).records(20, &pin), "NOTFOUND "),
        (
            Case::secure().records(10, &unusable).records(20, &pin),
            "OK encrypt",
        ),
        (
            Case::secure()
                .bare(10)
                .records(20, &pin)
                .records(30, &unusable),
            "OK encrypt",
        ),
    ] {
        let verdict = case.verdict();
        assert_eq!(case.reply(), reply);
        assert_eq!(verdict.reason.word(), "pins-would-bend");
        assert_eq!(verdict.hosts[1].duty.word(), "dane");
        let mut strict = case;
        strict.profile.strict = true;
        assert_eq!(strict.pins(), ["01".repeat(32)]);
    }
    // A host that must be refused is not given up to whoever chooses the free one.
    let failed = Case::secure().bare(10).records(20, &pin).failed(30);
    assert_eq!(failed.pins(), ["01".repeat(32)]);
}

/// PD-09, PD-10, DT-23, DT-24, DT-25: strategies of a rule are for an absence that is established, under
/// pins as elsewhere; a lookup that failed, or an anchor that is not known yet, is none.
#[test]
fn fallbacks_are_for_established_absence() {
    let rule = |fallback| {
        let mut rule = Rule::new(RulePattern::Any, Mode::Mandatory);
        rule.fallback = fallback;
        rule.fingerprints = vec!["ab".repeat(32)];
        rule.names = vec![name("gateway.example.net")];
        rule
    };
    let pinned = format!(
        "OK fingerprint match={} servername=hostname",
        "ab".repeat(32)
    );
    for (fallback, reply) in [
        (Fallback::Defer, "TEMP dane-required: "),
        (Fallback::Fingerprint, &pinned),
        (
            Fallback::Secure,
            "OK secure match=gateway.example.net servername=hostname",
        ),
        (Fallback::Encrypt, "OK encrypt"),
    ] {
        let said = |case: Case| case.rule(rule(fallback)).reply();
        let absent = said(Case::secure().bare(10));
        assert!(absent.starts_with(reply), "{absent}");
        let failed = said(Case::secure().bare(10).failed(20));
        assert!(failed.starts_with("TEMP tlsa-lookup-failed: "), "{failed}");
        let unproved = said(Case::new(SecurityStatus::Insecure).bare(10));
        assert!(unproved.starts_with("TEMP mx-insecure: "), "{unproved}");
        let unknown = said(Case::secure().records(10, &[digest(2, 1, 1)]));
        assert!(
            unknown.starts_with("TEMP mta-cannot-authenticate: "),
            "{unknown}"
        );
        let there = said(
            Case::secure()
                .bare(10)
                .records(20, &[digest(3, 1, 1)])
                .failed(30),
        );
        let pin = "01".repeat(32);
        assert_eq!(
            there,
            format!("OK fingerprint match={pin} servername=hostname")
        );
        let mut allowed = rule(fallback);
        allowed.fallback_on_insecure = true;
        let unsigned = Case::new(SecurityStatus::Insecure)
            .bare(10)
            .rule(allowed)
            .reply();
        let waits = fallback == Fallback::Defer;
        assert_eq!(
            unsigned.starts_with("TEMP mx-insecure: "),
            waits,
            "{unsigned}"
        );
        assert!(waits || unsigned == reply, "{unsigned}");
    }
}

/// OP-03: four modes, one data set, each floor.
#[test]
fn modes_under_each_floor() {
    let case = Case::secure().records(10, &[digest(3, 1, 1)]);
    let pin = format!(
        "OK fingerprint match={} servername=hostname",
        "01".repeat(32)
    );
    for (floor, hands_off) in [
        (Floor::May, "NOTFOUND "),
        (Floor::Dane, "OK may"),
        (Floor::Encrypt, "OK encrypt"),
        (Floor::Secure, "NOTFOUND "),
    ] {
        let mut case = case.clone();
        case.profile.floor = floor;
        let under = |mode| case.clone().rule(Rule::new(RulePattern::Any, mode));
        assert_eq!(under(Mode::Off).reply(), hands_off, "{floor:?}");
        assert_eq!(under(Mode::Audit).reply(), hands_off, "{floor:?}");
        let would_fail = under(Mode::Audit).verdict().would_fail;
        assert_eq!(
            would_fail.map(|reason| reason.word()),
            Some("dane-all-hosts")
        );
        assert_eq!(under(Mode::Opportunistic).reply(), pin, "{floor:?}");
        assert_eq!(under(Mode::Mandatory).reply(), pin, "{floor:?}");
    }
}

/// DT-16, OP-06: over all small host sets, a probe is asked for exactly where it would change the answer, of
/// hosts that have digests of trust anchors and nothing that is known; and what it brings is all that counts.
#[test]
fn probes_are_asked_for_exactly_where_they_count() {
    let certificates: Vec<Certificate> = (0..3).map(|_| certificate(true)).collect();
    let kinds = [
        "ee", "ta", "ee+ta", "far+ta", "full", "none", "unusable", "failed",
    ];
    let slots: Vec<(u16, &str)> = [10, 20]
        .into_iter()
        .flat_map(|preference| kinds.map(|kind| (preference, kind)))
        .collect();
    let mut sets: Vec<Vec<(u16, &str)>> = Vec::new();
    for (i, a) in slots.iter().enumerate() {
        for (j, b) in slots.iter().enumerate().skip(i) {
            for c in slots.iter().skip(j) {
                sets.push(vec![*a, *b, *c]);
            }
            sets.push(vec![*a, *b]);
        }
        sets.push(vec![*a]);
    }
    let mut asked = 0;
    for set in sets {
        for (strict, mandatory) in [(false, false), (true, false), (false, true)] {
            let mut case = Case::secure();
            let mut digests = Vec::new();
            case.profile.strict = strict;
            if mandatory {
                case = case.rule(Rule::new(RulePattern::Any, Mode::Mandatory));
            }
            for (at, (preference, kind)) in set.iter().enumerate() {
                let named = record(&certificates[at], 2, 1, 1);
                let (own, far) = (digest(3, 1, at as u8), digest(3, 2, at as u8));
                if kind.ends_with("ta") {
                    digests.push((at, named.clone()));
                }
                case = match *kind {
                    "ee" => case.records(*preference, &[own]),
                    "ta" => case.records(*preference, &[named]),
                    "ee+ta" => case.records(*preference, &[own, named]),
                    "far+ta" => case.records(*preference, &[far, named]),
                    "full" => case.records(*preference, &[record(&certificates[at], 2, 1, 0)]),
                    "none" => case.bare(*preference),
                    "unusable" => case.records(*preference, &[digest(1, 1, 9)]),
                    _ => case.failed(*preference),
                };
            }
            let wanted = case.wanted();
            let mut all = case.clone();
            for (at, named) in &digests {
                all = all.probed(named, &certificates[*at]);
            }
            assert_eq!(
                all.reply() != case.reply(),
                !wanted.is_empty(),
                "{set:?} {strict} {mandatory}: {wanted:?}"
            );
            assert_eq!(all.wanted(), Vec::<String>::new(), "{set:?}");
            let mut those = case;
            for (at, named) in digests {
                if wanted.contains(&format!("mx{at}.example.com")) {
                    those = those.probed(&named, &certificates[at]);
                }
            }
            assert_eq!(those.reply(), all.reply(), "{set:?} {strict} {mandatory}");
            asked += usize::from(!wanted.is_empty());
            // Nothing that is unknown is guessed at: an empty list never leaves.
            for reply in [those.reply(), all.reply()] {
                assert!(!reply.contains("= ") && !reply.ends_with('='), "{reply}");
            }
        }
    }
    assert!(asked > 300, "only {asked}");
}

/// MX-13, PD-07: whom nobody resolves gets nothing, also where `may` is said in place of the MTA's own level.
#[test]
fn whom_nobody_resolves_gets_nothing() {
    let mut case = Case::new(SecurityStatus::Insecure)
        .records(10, &[digest(3, 1, 1)])
        .bare(20);
    case.findings.hosts[1].ipv4 = AddressFinding::Failed(failure());
    case.profile.floor = Floor::Dane;
    case.options.half_dane = false;
    assert_eq!(case.reply(), "OK may");
    let outcomes: Vec<&str> = case
        .verdict()
        .hosts
        .iter()
        .map(|host| host.outcome.word())
        .collect();
    assert_eq!(outcomes, ["clear", "skip"]);
}

/// OP-01: DANE for chosen destinations only, or for all but chosen ones: the exact name beats the suffix, and
/// that the rule for all.
#[test]
fn the_closest_rule_decides() {
    let case = Case::secure().records(10, &[digest(3, 1, 1)]);
    let pinned = format!(
        "OK fingerprint match={} servername=hostname",
        "01".repeat(32)
    );
    let exact = || RulePattern::Exact(name("example.com"));
    let suffix = || RulePattern::Suffix(name("com"));
    let (on, off) = (Mode::Opportunistic, Mode::Off);
    for (rules, reply) in [
        (vec![], &*pinned),
        (vec![(RulePattern::Any, off)], "NOTFOUND "),
        (vec![(RulePattern::Any, off), (suffix(), on)], &pinned),
        (vec![(RulePattern::Any, off), (exact(), on)], &pinned),
        (vec![(RulePattern::Any, on), (suffix(), off)], "NOTFOUND "),
        (vec![(suffix(), off), (exact(), on)], &pinned),
        (vec![(suffix(), on), (exact(), off)], "NOTFOUND "),
        (
            vec![(RulePattern::Any, on), (suffix(), off), (exact(), on)],
            &pinned,
        ),
    ] {
        for turned in [false, true] {
            let mut rules: Vec<Rule> = rules
                .iter()
                .map(|(pattern, mode)| Rule::new(pattern.clone(), *mode))
                .collect();
            if turned {
                rules.reverse();
            }
            let mut case = case.clone();
            case.rules = rules;
            assert_eq!(case.reply(), reply, "{:?}", case.rules);
        }
    }
}

/// PD-01: one destination with all layers, taken away one by one: the operator's word, DANE, MTA-STS, nothing.
#[test]
fn each_layer_gives_way_to_the_next() {
    use hoplock_policy::findings::{PolicySource, RememberedPolicy};
    use hoplock_policy::rules::PinnedLevel;
    let text = "version: STSv1\nmode: enforce\nmx: mx0.example.com\nmax_age: 86400\n";
    let mut rule = Rule::new(RulePattern::Any, Mode::Opportunistic);
    rule.answer = Some(PinnedLevel::Encrypt);
    let mut case = Case::secure().records(10, &[digest(3, 1, 1)]).rule(rule);
    case.findings.sts = StsFinding::Policy {
        remembered: std::sync::Arc::new(RememberedPolicy {
            policy: hoplock_policy::sts::StsPolicy::parse(text.as_bytes()).unwrap(),
            id: "1".to_owned(),
            fetched: Moment::default(),
        }),
        source: PolicySource::Cache,
        trouble: None,
    };
    assert_eq!(case.reply(), "OK encrypt");
    case.rules.clear();
    assert_eq!(case.pins(), ["01".repeat(32)]);
    case.findings.hosts[0].dane = DaneFinding::NoneSecure;
    let secure = "OK secure match=mx0.example.com servername=hostname";
    assert_eq!(case.reply(), secure);
    // MTA-STS binds also where DANE cannot.
    case.findings.mx = MxFinding::Hosts(Selection::Mx(SecurityStatus::Insecure));
    assert_eq!(case.reply(), secure);
    case.findings.sts = StsFinding::Absent(String::new());
    assert_eq!(case.reply(), "NOTFOUND ");
}

/// SV-02, PD-13: what a session owes is not less because the MTA was told pins: it is judged by the host's own
/// records, and so is one with a host that got less than they ask for.
#[test]
fn sessions_owe_what_the_records_ask() {
    use hoplock_policy::law::duty::Duty;
    use hoplock_policy::tlsa::TlsaOptions;
    use hoplock_policy::verify::Owed;
    let pin = [digest(3, 1, 1)];
    for case in [
        Case::secure().records(10, &pin).bare(20),
        Case::secure().bare(10).records(20, &pin),
    ] {
        let verdict = case.verdict();
        for (at, host) in case.findings.hosts.iter().enumerate() {
            let owed = Owed::under(
                &verdict,
                Some(&case.findings),
                &host.host.0,
                &TlsaOptions::default(),
                &[],
                case.now,
                case.profile.floor,
            );
            let owed = owed.unwrap();
            let has_records = matches!(host.dane, DaneFinding::Records { .. });
            let duty = if has_records { Duty::Dane } else { Duty::Free };
            assert_eq!(owed.duty, duty, "mx{at}");
            assert_eq!(owed.dane.is_some(), has_records);
        }
    }
}
