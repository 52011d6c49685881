//! A model of what a Postfix without DNSSEC does in a session under `fingerprint` and `secure tafile`, with
//! real certificates: whom it lets take mail, and whom not.
//!
//! Written from Postfix's manual (`smtp_tls_policy_maps`, `smtp_tls_trust_anchor_file`) and from what was
//! seen of it: pins are compared with the leaf and its key; a file of anchors takes the place of all other
//! authorities, and one of its certificates or keys has to have signed a path to the leaf. Paths are verified
//! by webpki, not by the code under test. Not modelled: the words of a policy (`postfix_model.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use data_encoding::BASE64;
use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Selection, StsFinding,
    Validation,
};
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::{Answer, Conditions, LawOptions, Verdict, decide};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{OwnDaneSeen, Profile};
use hoplock_policy::render::render;
use hoplock_policy::rules::Rules;
use hoplock_policy::tlsa::{ProbedAnchor, TlsaOptions, TlsaRecord, TlsaSet, anchor_file};
use hoplock_policy::verify::{Certificate, Presented, ReferenceNames, VerifyOptions, dane};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, Der, ServerName, TrustAnchor, UnixTime};
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// 2027, when certificates of rcgen are valid.
const NOW: u64 = 1_800_000_000;
const SECURE: SecurityStatus = SecurityStatus::Secure;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn authority(common_name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let subject = &mut params.distinguished_name;
    subject.push(rcgen::DnType::CommonName, common_name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn der(authority: &Authority) -> Certificate {
    Certificate::from_der(authority.der().to_vec())
}

/// A leaf for these names; signed by nobody else where there is no issuer.
fn leaf(names: &[&str], issuer: Option<&Authority>) -> Certificate {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let signed = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Certificate::from_der(signed.der().to_vec())
}

/// What stands in a policy, as Postfix holds it.
struct Policy {
    level: String,
    matches: Vec<String>,
    /// The certificates and keys of the file, in DER.
    anchors: Vec<(String, Vec<u8>)>,
}

impl Policy {
    /// Reads the reply, and the file from where it names it.
    fn read(reply: &str, verdict: &Verdict) -> Self {
        let text = reply.strip_prefix("OK ").unwrap_or("may");
        let mut words = text.split(' ');
        let level = words.next().unwrap().to_owned();
        let separator = if level == "fingerprint" { '|' } else { ':' };
        let mut policy = Self {
            level,
            matches: Vec::new(),
            anchors: Vec::new(),
        };
        for word in words {
            match word.split_once('=').unwrap() {
                ("match", list) => {
                    policy.matches = list.split(separator).map(str::to_owned).collect()
                }
                ("tafile", path) => policy.anchors = file(path, verdict),
                ("servername", _) => {}
                other => panic!("{other:?}"),
            }
        }
        policy
    }

    /// Whether mail is sent to whoever shows this chain.
    fn accepts(&self, chain: &[Certificate]) -> bool {
        match (self.level.as_str(), self.anchors.is_empty()) {
            ("fingerprint", _) => {
                let leaf = &chain[0];
                let digests = [leaf.der(), leaf.public_key().unwrap()].map(hexadecimal_digest);
                digests.iter().any(|digest| self.matches.contains(digest))
            }
            ("secure", false) => self.leads_to_an_anchor(chain) && self.names(chain),
            ("secure", true) => panic!("authorities of Postfix's own"),
            ("may" | "encrypt", _) => true,
            (other, _) => panic!("{other}"),
        }
    }

    fn names(&self, chain: &[Certificate]) -> bool {
        let leaf = CertificateDer::from(chain[0].der());
        let leaf = EndEntityCert::try_from(&leaf).unwrap();
        self.matches.iter().any(|name| {
            let name = ServerName::try_from(name.as_str()).unwrap();
            leaf.verify_is_valid_for_subject_name(&name).is_ok()
        })
    }

    fn leads_to_an_anchor(&self, chain: &[Certificate]) -> bool {
        let others = &chain[1..];
        self.anchors.iter().any(|(label, der)| {
            if label == "CERTIFICATE" {
                return leads_to(chain, &CertificateDer::from(der.as_slice()));
            }
            // A key: that of a certificate shown, or the signer of the topmost one.
            let own = |shown: &&Certificate| shown.public_key() == Some(der);
            let mut shown = others.iter().filter(own);
            shown.any(|shown| leads_to(chain, &CertificateDer::from(shown.der())))
                || is_signed_at_the_top(chain, der)
        })
    }
}

fn file(path: &str, verdict: &Verdict) -> Vec<(String, Vec<u8>)> {
    let Answer::Anchored { anchors, .. } = &verdict.answer else {
        panic!("a file without anchors");
    };
    let file = anchor_file(anchors);
    assert_eq!(path, format!("/anchors/{}", file.name));
    let mut found = Vec::new();
    for part in file.text.split("-----BEGIN ").skip(1) {
        let (label, rest) = part.split_once("-----\n").unwrap();
        let (body, _) = rest.split_once("-----END").unwrap();
        let body = body.replace('\n', "");
        found.push((label.to_owned(), BASE64.decode(body.as_bytes()).unwrap()));
    }
    assert!(!found.is_empty(), "{}", file.text);
    found
}

fn hexadecimal_digest(octets: &[u8]) -> String {
    let digest = Sha256::digest(octets);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn leads_to(chain: &[Certificate], anchor: &CertificateDer<'_>) -> bool {
    anchor_from_trusted_cert(anchor).is_ok_and(|anchor| verifies(chain, &anchor))
}

fn is_signed_at_the_top(chain: &[Certificate], key: &[u8]) -> bool {
    let top = chain.last().unwrap();
    let (_, top) = X509Certificate::from_der(top.der()).unwrap();
    let inside = |der: &[u8]| {
        let (_, any) = x509_parser::der_parser::asn1_rs::Any::from_der(der).unwrap();
        any.data.to_vec()
    };
    let anchor = TrustAnchor {
        subject: Der::from(inside(top.issuer.as_raw())),
        subject_public_key_info: Der::from(inside(key)),
        name_constraints: None,
    };
    verifies(chain, &anchor)
}

fn verifies(chain: &[Certificate], anchor: &TrustAnchor<'_>) -> bool {
    let ders: Vec<CertificateDer<'_>> = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der()))
        .collect();
    let leaf = EndEntityCert::try_from(&ders[0]).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        std::slice::from_ref(anchor),
        &ders[1..],
        now,
        KeyUsage::server_auth(),
        None,
        None,
    )
    .is_ok()
}

/// What a host shows, and what it publishes of that.
const KINDS: [&str; 12] = [
    "3 1 1",
    "3 0 1",
    "3 0 0",
    "3 1 0",
    "2 0 0",
    "2 1 0",
    "2 0 1",
    "2 1 1",
    "rollover",
    "3 1 1 and 2 1 1",
    "3 1 2",
    "none",
];

struct World {
    authorities: [Authority; 3],
    leaves: Vec<Certificate>,
}

impl World {
    fn new() -> Self {
        let authorities = ["one", "two", "foreign"].map(authority);
        let leaves = (0..2)
            .map(|at| {
                let own = format!("mx{at}.example.com");
                leaf(&[&own], Some(&authorities[at]))
            })
            .collect();
        Self {
            authorities,
            leaves,
        }
    }

    /// What host `at` shows: its leaf, and its authority.
    fn chain(&self, at: usize) -> Vec<Certificate> {
        vec![self.leaves[at].clone(), der(&self.authorities[at])]
    }

    fn records(&self, at: usize, kind: &str) -> Vec<TlsaRecord> {
        let (own, issuer) = (&self.leaves[at], der(&self.authorities[at]));
        let naming = |certificate: &Certificate, usage, selector, matching| {
            TlsaRecord::naming(certificate, usage, selector, matching).unwrap()
        };
        let of = |text: &str| {
            let fields: Vec<u8> = text
                .split(' ')
                .map(|field| field.parse().unwrap())
                .collect();
            let certificate = if fields[0] == 3 { own } else { &issuer };
            naming(certificate, fields[0], fields[1], fields[2])
        };
        match kind {
            "none" => Vec::new(),
            "rollover" => {
                let next = leaf(&["mx.next.example"], None);
                vec![of("3 1 1"), naming(&next, 3, 1, 1)]
            }
            "3 1 1 and 2 1 1" => vec![of("3 1 1"), of("2 1 1")],
            one => vec![of(one)],
        }
    }

    /// Whoever is on the way, with all that is public: names, and the certificates that hosts show.
    fn impostors(&self) -> Vec<(&'static str, Vec<Certificate>)> {
        let [one, two, foreign] = &self.authorities;
        let names = ["mx0.example.com", "mx1.example.com", "example.com"];
        let own = leaf(&names, None);
        vec![
            ("self-signed", vec![own.clone()]),
            (
                "self-signed, authorities appended",
                vec![own.clone(), der(one), der(two)],
            ),
            (
                "self-signed, a host's leaf appended",
                vec![own, self.leaves[0].clone(), der(one)],
            ),
            (
                "another authority's",
                vec![leaf(&names, Some(foreign)), der(foreign)],
            ),
            (
                "another authority's, theirs appended",
                vec![
                    leaf(&names, Some(foreign)),
                    der(foreign),
                    der(one),
                    der(two),
                ],
            ),
            (
                "the authority's own, another name",
                vec![leaf(&["mx.evil.test"], Some(one)), der(one)],
            ),
            (
                "the authority's own, a name above",
                vec![leaf(&["com", "mail.mx0.example.com"], Some(two)), der(two)],
            ),
            ("an authority as the leaf", vec![der(foreign)]),
        ]
    }
}

fn findings(hosts: &[(u16, Vec<TlsaRecord>)]) -> Findings {
    let host = |(at, (preference, records)): (usize, &(u16, Vec<TlsaRecord>))| {
        let own = name(&format!("mx{at}.example.com"));
        HostFinding {
            host: MxHost(own.clone()),
            preference: *preference,
            aliased: false,
            ipv4: AddressFinding::Present {
                status: SECURE,
                count: 1,
            },
            ipv6: AddressFinding::Absent { status: SECURE },
            dane: if records.is_empty() {
                DaneFinding::NoneSecure
            } else {
                DaneFinding::Records {
                    base: TlsaBaseDomain(own),
                    rdata: records.iter().map(TlsaRecord::rdata).collect(),
                }
            },
        }
    };
    Findings {
        next_hop: NextHop::parse("example.com"),
        mx: MxFinding::Hosts(Selection::Mx(SECURE)),
        hosts: hosts.iter().enumerate().map(host).collect(),
        sts: StsFinding::NotApplicable,
        anchors: Vec::new(),
        anchor_failures: Vec::new(),
        end_entity_failed: Vec::new(),
        lookups: Vec::new(),
        warnings: Vec::new(),
        gathered: Moment::default(),
        lifetime: Duration::from_secs(300),
    }
}

fn decided(findings: &Findings, profile: &Profile) -> Verdict {
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now: Moment::default(),
    };
    let options = LawOptions::default();
    decide(findings, &Rules::default(), profile, &options, conditions)
}

/// True where DANE would authenticate the chain by the records of some host, under the names of any.
fn is_authentic(chain: &[Certificate], hosts: &[(u16, Vec<TlsaRecord>)]) -> bool {
    let names = ["example.com", "mx0.example.com", "mx1.example.com"].map(name);
    let names = ReferenceNames::exactly(names);
    hosts.iter().any(|(_, records)| {
        let rdata: Vec<Vec<u8>> = records.iter().map(TlsaRecord::rdata).collect();
        let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), &TlsaOptions::default());
        let now = Timestamp(NOW * 1000);
        let shown = Presented::Chain(chain.to_vec());
        dane::authenticate(&shown, &set, &names, now, &VerifyOptions::default()).is_ok()
    })
}

/// PF-09, DT-06, DT-16, DT-17, DT-19, CM-10, CM-26: over all pairs of hosts, what Postfix accepts under pins
/// and anchors is somebody whom DANE would authenticate as a host of the domain; every host that the law calls
/// authenticated gets its mail; and no impostor ever gets any, unless nothing was owed.
#[test]
fn postfix_lets_nobody_else_take_mail() {
    let world = World::new();
    let impostors = world.impostors();
    let mut profile = Profile::built_in("pins").unwrap();
    profile.anchor_directory = "/anchors".to_owned();
    let (mut words, mut refused, mut reached) = (std::collections::BTreeMap::new(), 0, 0);
    for first in KINDS {
        for second in KINDS {
            for (behind, strict) in [(10, false), (20, false), (20, true)] {
                profile.strict = strict;
                let hosts = [
                    (10, world.records(0, first)),
                    (behind, world.records(1, second)),
                ];
                let mut findings = findings(&hosts);
                // As the rim does: probe who is wanted, and keep what the records prove.
                for wanted in decided(&findings, &profile).anchors_wanted {
                    let at = usize::from(wanted.0.as_str() == "mx1.example.com");
                    for shown in world.chain(at) {
                        let proved = hosts[at].1.iter();
                        let proved =
                            proved.filter_map(|record| ProbedAnchor::proved_by(record, &shown));
                        findings.anchors.extend(proved);
                    }
                }
                let verdict = decided(&findings, &profile);
                let reply = render(&verdict, &profile).to_string();
                *words.entry(verdict.answer.word()).or_insert(0) += 1;
                let said = format!("{first} at 10, {second} at {behind}, strict {strict}: {reply}");
                if verdict.answer == Answer::Temp {
                    assert!(
                        reply.starts_with("TEMP mta-cannot-authenticate: "),
                        "{said}"
                    );
                    continue;
                }
                let policy = Policy::read(&reply, &verdict);
                let binds = !matches!(verdict.answer, Answer::NotFound | Answer::Encrypt);
                for (who, chain) in &impostors {
                    let accepted = policy.accepts(chain);
                    assert_eq!(accepted, !binds, "{who}: {said}");
                    refused += usize::from(!accepted);
                }
                for host in &verdict.hosts {
                    let chain = world.chain(host.index);
                    let accepted = policy.accepts(&chain);
                    assert!(
                        !binds || !accepted || is_authentic(&chain, &hosts),
                        "{said}"
                    );
                    if host.outcome == Outcome::Dane {
                        assert!(accepted && binds, "mx{} is refused: {said}", host.index);
                        reached += 1;
                    }
                }
            }
        }
    }
    assert!(
        words["fingerprint"] > 100 && words["secure"] > 20,
        "{words:?}"
    );
    assert!(words["none"] > 5 && words["defer"] > 5, "{words:?}");
    assert!(refused > 1000 && reached > 300, "{refused} {reached}");
}

/// CM-15, DT-16: a key as the anchor accepts whoever it has signed, though its certificate is not shown.
#[test]
fn a_key_needs_no_certificate_around_it() {
    let world = World::new();
    let mut profile = Profile::built_in("pins").unwrap();
    profile.anchor_directory = "/anchors".to_owned();
    let said = |kind: &str| {
        let findings = findings(&[(10, world.records(0, kind))]);
        let verdict = decided(&findings, &profile);
        Policy::read(&render(&verdict, &profile).to_string(), &verdict)
    };
    let bare = [world.leaves[0].clone()];
    let foreign = [leaf(&["mx0.example.com"], Some(&world.authorities[2]))];
    for kind in ["2 0 0", "2 1 0"] {
        assert!(said(kind).accepts(&bare), "{kind}");
        assert!(!said(kind).accepts(&foreign), "{kind}");
    }
}
