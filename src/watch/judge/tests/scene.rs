//! A domain in which all is well, in the scripted world, and the ways to spoil it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Exchange, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls_pki_types::TrustAnchor;

use super::super::{Bar, Judged, Kind, PolicyMemory, Severity, judge};
use crate::adapters::https::authorities;
use crate::store::memory::MemoryStore;
use crate::watch::look::Looker;
use crate::world::probe::{Engine, ProbeTarget, Probed};
use crate::world::scripted::{Scripted, ScriptedHost, ScriptedPolicy, ScriptedWorld};
use crate::world::{FetchFailureKind, PolicyResponse};

/// `e.test`, with mx1 and mx2 that have DANE, an enforced policy that lists both, and reports.
pub(super) struct Scene {
    pub(super) world: Arc<ScriptedWorld>,
    pub(super) authority: Authority,
    pub(super) first: Vec<Certificate>,
    roots: Vec<TrustAnchor<'static>>,
    memory: Option<PolicyMemory>,
    /// Whether this machine speaks to mail hosts.
    pub(super) speaks: bool,
}

/// Issues certificates.
pub(super) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pub(super) certificate: Certificate,
}

impl Authority {
    pub(super) fn new(own: &str) -> (Self, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, own);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der().to_vec());
        let pem = made.pem();
        let authority = Self {
            params,
            key,
            certificate,
        };
        (authority, pem)
    }

    /// The chain of a leaf for `host` that lives from so many days ago for so many days.
    pub(super) fn issue(&self, host: &str, from: i64, until: i64) -> Vec<Certificate> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        // The day on which the scripted world begins.
        let today = date_time_ymd(2026, 11, 24);
        let days = |count: i64| Duration::from_secs(count.unsigned_abs() * 86_400);
        let on = |count: i64| match count {
            ..0 => today - days(count),
            _ => today + days(count),
        };
        (params.not_before, params.not_after) = (on(from), on(until));
        let issuer = Issuer::from_params(&self.params, &self.key);
        let leaf = params.signed_by(&key, &issuer).unwrap();
        vec![
            Certificate::from_der(leaf.der().to_vec()),
            self.certificate.clone(),
        ]
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        let (authority, pem) = Authority::new("Root");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        let roots = authorities(&[file.path().to_path_buf()]).unwrap();
        let scene = Self {
            world: ScriptedWorld::new(),
            first: authority.issue("mx1.e.test", -10, 80),
            authority,
            roots,
            memory: None,
            speaks: true,
        };
        for (preference, host, address) in [(10, "mx1.e.test", 1), (20, "mx2.e.test", 2)] {
            scene.add("e.test", mx(preference, host));
            scene.add(host, RecordData::A([192, 0, 2, address].into()));
        }
        scene.shows("mx1.e.test", &scene.first);
        scene.tlsa("mx1.e.test", &[record(&scene.first, 3, 1)]);
        let second = scene.authority.issue("mx2.e.test", -10, 80);
        scene.shows("mx2.e.test", &second);
        scene.tlsa("mx2.e.test", &[record(&second, 3, 1)]);
        scene.txt("_mta-sts.e.test", "v=STSv1; id=1;");
        scene.txt("_smtp._tls.e.test", "v=TLSRPTv1; rua=mailto:r@e.test");
        scene.serves(POLICY);
        scene
    }

    /// What a look finds now: severity, kind and host of each, and whether something weighs against it.
    pub(super) async fn found(&mut self) -> (Vec<String>, bool) {
        let judged = self.look().await;
        let weighs = judged.doubts.iter().any(|doubt| doubt.weighs);
        let words = judged.findings.iter().map(|own| {
            let host = own.host.as_ref().map(|host| format!(" {host}"));
            let host = host.unwrap_or_default();
            format!("{} {}{host}", own.severity.word(), own.kind.word())
        });
        (words.collect(), weighs)
    }

    pub(super) async fn look(&mut self) -> Judged {
        let mut world = self.world.world(Arc::new(MemoryStore::new(8)));
        world.prober = world.prober.filter(|_| self.speaks);
        let looker = Looker::new(world);
        let seen = looker.look(&name("e.test")).await;
        let bar = Bar {
            authorities: &self.roots,
            before: Duration::from_secs(14 * 86_400),
        };
        let judged = judge(&seen, &bar, self.memory.as_ref());
        self.memory.clone_from(&judged.memory);
        for finding in &judged.findings {
            let is_alarm = finding.severity == Severity::Alarm;
            assert!(
                !is_alarm || Kind::ALARMS.contains(&finding.kind),
                "{finding:?}"
            );
        }
        judged
    }

    pub(super) fn add(&self, owner: &str, data: RecordData) {
        let ttl = Duration::from_secs(300);
        self.world
            .add(name(owner), SecurityStatus::Secure, ttl, data);
    }

    pub(super) fn set(&self, owner: &str, record_type: RecordType, scripted: Scripted) {
        self.world.set(name(owner), record_type, scripted);
    }

    pub(super) fn txt(&self, owner: &str, text: &str) {
        self.set(
            owner,
            RecordType::Txt,
            secure(vec![RecordData::Txt(vec![text.as_bytes().to_vec()])]),
        );
    }

    pub(super) fn tlsa(&self, host: &str, records: &[TlsaRecord]) {
        let data = records.iter().map(|own| RecordData::Tlsa(own.rdata()));
        let owner = format!("_25._tcp.{host}");
        self.set(&owner, RecordType::Tlsa, secure(data.collect()));
    }

    pub(super) fn shows(&self, host: &str, chain: &[Certificate]) {
        let shows = ScriptedHost::Shows(chain.to_vec(), Duration::ZERO);
        self.world.host(name(host), shows);
    }

    pub(super) fn serves(&self, policy: &str) {
        self.responds(200, "text/plain", policy, 80);
    }

    pub(super) fn responds(&self, status: u16, kind: &str, body: &str, days: i64) {
        let leaf = self.authority.issue("mta-sts.e.test", -10, days);
        let response = PolicyResponse {
            status,
            media_type: Some(kind.to_owned()),
            body: body.as_bytes().to_vec(),
            certificate: leaf.first().cloned(),
        };
        let responds = ScriptedPolicy::Responds(response, Duration::ZERO);
        self.world.policy(name("e.test"), responds);
    }

    pub(super) fn fetch_fails(&self, kind: FetchFailureKind) {
        self.world
            .policy(name("e.test"), ScriptedPolicy::Fails(kind));
    }
}

pub(super) fn secure(data: Vec<RecordData>) -> Scripted {
    Scripted::Records(SecurityStatus::Secure, Duration::from_secs(300), data)
}

pub(super) fn insecure(data: Vec<RecordData>) -> Scripted {
    Scripted::Records(SecurityStatus::Insecure, Duration::from_secs(300), data)
}

pub(super) fn mx(preference: u16, host: &str) -> RecordData {
    RecordData::Mx {
        preference,
        exchange: Exchange::Host(name(host)),
    }
}

/// SHA-256 of the leaf (usage 3), or of its issuer (usage 2).
pub(super) fn record(chain: &[Certificate], usage: u8, selector: u8) -> TlsaRecord {
    let certificate = if usage == 3 { &chain[0] } else { &chain[1] };
    TlsaRecord::naming(certificate, usage, selector, 1).unwrap()
}

pub(super) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A session that went no further.
pub(super) fn nothing(host: &str) -> Probed {
    let target = ProbeTarget::new("192.0.2.1:25".parse().unwrap(), name(host));
    Probed::nothing(target, Engine::Rustls)
}

pub(super) const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx1.e.test\nmx: mx2.e.test\n\
                                 max_age: 1209600\n";
