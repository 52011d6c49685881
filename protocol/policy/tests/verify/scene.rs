//! Whole sessions and what they owed, complete and right until a test changes one thing.

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::law::MatchName;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::sts::StsPolicy;
use hoplock_policy::tlsa::{TlsaOptions, TlsaSet};
use hoplock_policy::verify::{
    Certificate, DaneEvidence, Demand, Original, Owed, Presented, ReferenceNames, Session,
    SessionOutcome, SessionVerdict, Sni, Starttls, TlsVersion, VerifyOptions, verify,
    verify_handshake, verify_resumed,
};
use rustls_pki_types::TrustAnchor;

use crate::forge::Party;
use crate::{HOST, after, name, rdata};

/// A session with a host, and what it owed. Every part can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// The host.
    pub(crate) host: Party,
    /// Who has issued the host's certificate, and is trusted by everybody.
    pub(crate) authority: Party,
    pub(crate) session: Session,
    pub(crate) duty: Duty,
    /// RDATA of TLSA records; `None` where nothing is known of any.
    pub(crate) rdata: Option<Vec<Vec<u8>>>,
    pub(crate) names: ReferenceNames,
    pub(crate) mx: SecurityStatus,
    pub(crate) sts: Option<StsPolicy>,
    pub(crate) demand: Demand,
    pub(crate) authorities: Vec<TrustAnchor<'static>>,
    pub(crate) now: Timestamp,
    pub(crate) options: VerifyOptions,
}

impl Scene {
    /// Nothing is owed, and nothing is known of the host but that it has a good certificate.
    pub(crate) fn free() -> Self {
        let (host, authority) = (Party::new("host"), Party::new("authority"));
        let chain = vec![host.leaf(&[HOST]).signed_by(&authority), authority.root()];
        Self {
            session: Session {
                next_hop: Some(NextHop::parse("e.test")),
                mx_host: Some(MxHost(name(HOST))),
                address: Some("192.0.2.1".parse().unwrap()),
                port: Some(25),
                starttls: Some(Starttls::Used),
                tls_version: Some(TlsVersion::Tls13),
                cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
                sni: Sni::Sent(name(HOST)),
                presented: Presented::Chain(chain),
                resumed: false,
            },
            duty: Duty::Free,
            rdata: None,
            names: ReferenceNames::exactly([name(HOST)]),
            mx: SecurityStatus::Secure,
            sts: None,
            demand: Demand::Nothing,
            authorities: vec![authority.anchor()],
            now: after(0),
            options: VerifyOptions::default(),
            host,
            authority,
        }
    }

    /// TLS is owed: the TLSA records cannot be used.
    pub(crate) fn encrypt() -> Self {
        let scene = Self::free().owing(Duty::Encrypt);
        let record = rdata(1, 1, 1, &scene.host.spki());
        scene.records(vec![record])
    }

    /// Authentication by the host's key is owed.
    pub(crate) fn dane() -> Self {
        let scene = Self::free().owing(Duty::Dane);
        let record = rdata(3, 1, 1, &scene.host.spki());
        scene.records(vec![record])
    }

    /// Authentication by the key of the host's issuer is owed.
    pub(crate) fn dane_by_anchor() -> Self {
        let scene = Self::free().owing(Duty::Dane);
        let record = rdata(2, 1, 1, &scene.authority.spki());
        scene.records(vec![record])
    }

    /// What an enforced MTA-STS policy asks for is owed.
    pub(crate) fn sts() -> Self {
        Self::free().owing(Duty::WebPki).policy("enforce", &[HOST])
    }

    /// The operator demands the host's key.
    pub(crate) fn pinned() -> Self {
        let scene = Self::free().owing(Duty::OwnWebPki);
        let pin = pin(&rdata(3, 1, 1, &scene.host.spki())[3..]);
        scene.demanding(Demand::Pins(vec![pin]))
    }

    /// The operator demands web PKI under the host's name.
    pub(crate) fn named() -> Self {
        let names = vec![MatchName::Host(name(HOST))];
        Self::free()
            .owing(Duty::OwnWebPki)
            .demanding(Demand::Names(names))
    }

    /// Every scene in which somebody is authenticated, with the outcome.
    pub(crate) fn authenticated() -> [(Self, SessionOutcome); 5] {
        [
            (Self::dane(), SessionOutcome::AuthenticatedDane),
            (Self::dane_by_anchor(), SessionOutcome::AuthenticatedDane),
            (Self::sts(), SessionOutcome::AuthenticatedSts),
            (Self::pinned(), SessionOutcome::AuthenticatedPinned),
            (Self::named(), SessionOutcome::AuthenticatedPinned),
        ]
    }

    pub(crate) fn owing(mut self, duty: Duty) -> Self {
        self.duty = duty;
        self
    }

    pub(crate) fn records(mut self, rdata: Vec<Vec<u8>>) -> Self {
        self.rdata = Some(rdata);
        self
    }

    pub(crate) fn behind(mut self, mx: SecurityStatus) -> Self {
        self.mx = mx;
        self
    }

    pub(crate) fn policy(mut self, mode: &str, patterns: &[&str]) -> Self {
        self.sts = Some(policy(mode, patterns));
        self
    }

    pub(crate) fn demanding(mut self, demand: Demand) -> Self {
        self.demand = demand;
        self
    }

    pub(crate) fn showing(mut self, chain: Vec<Certificate>) -> Self {
        self.session.presented = Presented::Chain(chain);
        self
    }

    /// With one thing changed in the report.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Session)) -> Self {
        change(&mut self.session);
        self
    }

    pub(crate) fn owed(&self) -> Owed<'_> {
        let dane = self.rdata.as_ref().map(|rdata| DaneEvidence {
            base: Some(TlsaBaseDomain(name(HOST))),
            records: TlsaSet::read(rdata.iter().map(Vec::as_slice), &TlsaOptions::default()),
            names: self.names.clone(),
            mx: self.mx,
        });
        Owed {
            duty: self.duty,
            dane,
            sts: self.sts.as_ref(),
            demand: self.demand.clone(),
            authorities: &self.authorities,
        }
    }

    pub(crate) fn verdict(&self) -> SessionVerdict {
        verify(&self.session, &self.owed(), self.now, &self.options)
    }

    pub(crate) fn in_handshake(&self) -> SessionVerdict {
        verify_handshake(&self.session, &self.owed(), self.now, &self.options)
    }

    pub(crate) fn resumed(&self, original: Option<&Original>) -> SessionVerdict {
        let owed = self.owed();
        verify_resumed(&self.session, &owed, self.now, &self.options, original)
    }

    pub(crate) fn said(&self) -> (SessionOutcome, Reason) {
        let verdict = self.verdict();
        (verdict.outcome, verdict.reason)
    }
}

pub(crate) fn policy(mode: &str, patterns: &[&str]) -> StsPolicy {
    let lines: Vec<String> = patterns.iter().map(|own| format!("mx: {own}\n")).collect();
    let text = format!(
        "version: STSv1\nmode: {mode}\n{}max_age: 86400\n",
        lines.concat()
    );
    StsPolicy::parse(text.as_bytes()).unwrap()
}

/// A digest as Postfix has it written.
pub(crate) fn pin(digest: &[u8]) -> String {
    let pairs: Vec<String> = digest.iter().map(|octet| format!("{octet:02X}")).collect();
    pairs.join(":")
}
