//! Events of Exim after the fact, as reports of sessions (EX-08, SV-10).
//!
//! A certificate that was judged has been reported already, so an event adds what was not known then: a
//! delivery's version, cipher and verification, a session without TLS, what Exim itself refused.

use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    MtaWord, PolicyKind, Session, SessionOutcome, Sni, Starttls, TlsVersion,
};
use hoplock_wire::readsocket::{Answer, EventRequest};
use hoplock_wire::tlsrpt::ResultType;

use super::chains::Peer;
use super::desk::{Desk, host_name};
use crate::report::reported::Evidence;
use crate::serve::sessions::{Carries, Case};
use crate::world::{SessionSource, Timing};

/// What an event tells of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    starttls: Option<Starttls>,
    version: Option<TlsVersion>,
    cipher: Option<String>,
    word: MtaWord,
    timing: Timing,
}

impl Desk {
    /// Takes an event. Exim does not wait for anything: what cannot be used is passed over.
    pub(super) async fn event(&self, own: &EventRequest<'_>) -> Answer {
        let now = self.intake.now();
        let peer = peer(own);
        let data = String::from_utf8_lossy(&own.data);
        if let ("tcp:close", Some(peer)) = (own.name, &peer) {
            self.chains.forget(peer);
        }
        let Some(told) = told(own.name, &data) else {
            return Answer::Ok;
        };
        // The veto's own verdict, or another event, has told of it.
        let was_told = |peer: &Peer| self.chains.was_refused(peer, now.uptime);
        let is_refusal = matches!(told.word, MtaWord::Refused { .. });
        if is_refusal && peer.as_ref().is_some_and(was_told) {
            return Answer::Ok;
        }
        let domain = own.domain.map(str::to_ascii_lowercase);
        let vouched = peer.as_ref().zip(domain.as_deref());
        let was_counted = vouched
            .and_then(|(peer, domain)| self.chains.vouched(peer, domain, now.uptime))
            .is_some();
        let vouched = vouched
            .filter(|_| !is_refusal && told.starttls == Some(Starttls::Used))
            .and_then(|(peer, domain)| self.chains.vouched(peer, domain, now.uptime));
        let host = own.host.and_then(host_name);
        let case = Case {
            session: Session {
                next_hop: own.domain.map(NextHop::parse),
                mx_host: host.map(MxHost),
                address: own.address,
                port: own.port,
                starttls: told.starttls,
                tls_version: told.version,
                cipher: told.cipher,
                sni: Sni::Unknown,
                ..Session::unknown()
            },
            time: now.wall,
            evidence: Evidence::default(),
            word: vouched.map_or(told.word, word_of),
            carries: if was_counted {
                Carries::Counted
            } else {
                Carries::Mail
            },
        };
        let source = SessionSource::Exim;
        if vouched.is_some() {
            self.intake.take_if_failed(&case, source, told.timing).await;
        } else {
            let _ = self.intake.take(&case, source, told.timing).await;
        }
        if let Some(peer) = peer.filter(|_| is_refusal) {
            self.chains.refuse(peer, now.uptime);
        }
        Answer::Ok
    }
}

/// What was said of the session before its mail, as a word on it: what came later may spoil it.
fn word_of(outcome: SessionOutcome) -> MtaWord {
    match outcome {
        SessionOutcome::AuthenticatedDane => MtaWord::Authenticated(Some(PolicyKind::Dane)),
        SessionOutcome::AuthenticatedSts => MtaWord::Authenticated(Some(PolicyKind::Sts)),
        SessionOutcome::AuthenticatedPinned => MtaWord::Authenticated(None),
        _ => MtaWord::Encrypted,
    }
}

fn peer(own: &EventRequest<'_>) -> Option<Peer> {
    Some(Peer {
        pid: own.pid,
        host: own.host.unwrap_or_default().to_ascii_lowercase(),
        address: own.address?,
        port: own.port?,
    })
}

fn told(event: &str, data: &str) -> Option<Told> {
    match event {
        "dane:fail" => ResultType::parse(data.trim()).map(refused_by_type),
        "dns:fail" => lookup_failed(data),
        "msg:host:defer" => deferred(data),
        "msg:delivery" => delivered(data),
        _ => None,
    }
}

/// `dane:fail`: the data are result types of RFC 8460, 4.3 already, and each stays the one that it is
/// (EX-08). Exim says three of them.
fn refused_by_type(result: ResultType) -> Told {
    let (starttls, reason) = match result {
        ResultType::DnssecInvalid => (None, Reason::TlsaLookupFailed),
        ResultType::DaneRequired => (None, Reason::DaneRequired),
        ResultType::StarttlsNotSupported => {
            (Some(Starttls::NotOffered), Reason::StarttlsNotOffered)
        }
        ResultType::CertificateHostMismatch => {
            (Some(Starttls::Used), Reason::CertificateNameMismatch)
        }
        ResultType::CertificateNotTrusted => (Some(Starttls::Used), Reason::CertificateNotTrusted),
        ResultType::CertificateExpired => (Some(Starttls::Used), Reason::CertificateExpired),
        ResultType::TlsaInvalid => (Some(Starttls::Used), Reason::TlsaNoMatch),
        ResultType::StsPolicyFetchError => (None, Reason::StsFirstContact),
        ResultType::ValidationFailure
        | ResultType::StsPolicyInvalid
        | ResultType::StsWebpkiInvalid => (Some(Starttls::Used), Reason::MtaRefused),
    };
    refused(starttls, reason, result.word())
}

/// `dns:fail` of Exim 4.98: `DNS_AGAIN:_25._tcp.mx.e.test:TLSA`. An absence is no failure.
fn lookup_failed(data: &str) -> Option<Told> {
    let (kind, rest) = data.trim().split_once(':')?;
    let (_, record_type) = rest.rsplit_once(':')?;
    if !matches!(kind, "DNS_AGAIN" | "DNS_FAIL") {
        return None;
    }
    let reason = match record_type {
        "TLSA" => Reason::TlsaLookupFailed,
        "MX" => Reason::MxLookupFailed,
        "A" | "AAAA" => Reason::AddressLookupFailed,
        _ => return None,
    };
    Some(refused(None, reason, data.trim()))
}

/// `msg:host:defer`: the words of Exim's log. What has nothing to do with TLS is no session's failure.
fn deferred(data: &str) -> Option<Told> {
    let words = data.trim();
    let says = |text: &str| words.contains(text);
    let (starttls, reason) = if says("the server did not offer TLS support") {
        (Starttls::NotOffered, Reason::StarttlsNotOffered)
    } else if says("certificate verification failed") {
        (Starttls::Used, Reason::MtaRefused)
    } else if says("DANE error: tlsa lookup DEFER") {
        return Some(refused(None, Reason::TlsaLookupFailed, words));
    } else if says("TLS session") || says("DANE error") {
        (Starttls::Failed, Reason::HandshakeFailed)
    } else {
        return None;
    };
    Some(refused(Some(starttls), reason, words))
}

/// `msg:delivery`: the variables of the session, a `NAME=VALUE` on each line. Without `tls_out_cipher`
/// nothing is known of the session, and no report is made.
fn delivered(data: &str) -> Option<Told> {
    let value = |name: &str| {
        let mut lines = data.lines();
        lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let cipher = value("tls_out_cipher")?;
    if cipher.is_empty() {
        return Some(Told {
            starttls: Some(Starttls::NotOffered),
            version: None,
            cipher: None,
            word: MtaWord::Nothing,
            timing: Timing::AfterDelivery,
        });
    }
    // `TLS1.3:ECDHE_…__AES_256_GCM:256`.
    let mut parts = cipher.split(':');
    let version = parts.next().and_then(TlsVersion::parse);
    let suite = parts.next().map(str::to_owned);
    let word = match (value("tls_out_dane"), value("tls_out_certificate_verified")) {
        (Some("yes"), _) => MtaWord::Authenticated(Some(PolicyKind::Dane)),
        (_, Some("1")) => MtaWord::Authenticated(Some(PolicyKind::Sts)),
        (_, Some(_)) => MtaWord::Encrypted,
        _ => MtaWord::Nothing,
    };
    Some(Told {
        starttls: Some(Starttls::Used),
        version,
        cipher: suite,
        word,
        timing: Timing::AfterDelivery,
    })
}

/// What Exim itself refused: no mail was sent over that session.
fn refused(starttls: Option<Starttls>, reason: Reason, detail: &str) -> Told {
    Told {
        starttls,
        version: None,
        cipher: None,
        word: MtaWord::Refused {
            reason,
            detail: format!("Exim: {detail}"),
        },
        timing: Timing::BeforeMail,
    }
}
