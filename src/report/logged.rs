//! Sessions that a mail log tells of, as far as it does: what Postfix made of them, at level 2 the
//! digests of the leaf, and for which recipients they were.

use std::collections::VecDeque;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{LeafDigests, MtaWord, Presented, Session, Sni, Starttls, TlsVersion};
use hoplock_wire::postfix_log::{
    DeliveryStatus, LoggedDelivery, LoggedSession, LoggedStarttls, TrustLevel,
};

/// One session for one destination. A connection that served several domains owed each its own policy
/// (SV-06).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// What happened.
    pub session: Session,
    /// What Postfix makes of it.
    pub word: MtaWord,
    /// Whether mail went out over it.
    pub sent: bool,
}

/// Knows for whom the sessions were that Postfix gave up before it came to a delivery: the next host that
/// the same process tries for the same message shows the recipients.
#[derive(Debug, Default)]
pub struct Attribution {
    given_up: VecDeque<LoggedSession>,
}

impl Attribution {
    /// Takes a session that has ended; what comes out has its recipients, as far as they can be known.
    pub fn take(&mut self, ended: LoggedSession) -> Vec<LoggedSession> {
        if ended.queue_id.is_none() {
            return vec![ended];
        }
        if ended.deliveries.is_empty() {
            self.given_up.push_back(ended);
            let oldest = self.given_up.len() > MOST_GIVEN_UP;
            return oldest
                .then(|| self.given_up.pop_front())
                .flatten()
                .into_iter()
                .collect();
        }
        let is_before = |own: &LoggedSession| {
            own.queue_id == ended.queue_id
                && own.pid == ended.pid
                && own.process == ended.process
                && own.machine == ended.machine
        };
        let mut told = Vec::new();
        let given_up = std::mem::take(&mut self.given_up);
        for mut own in given_up {
            if is_before(&own) {
                // Whose mail it was; what became of it is the later session's.
                own.deliveries = ended
                    .deliveries
                    .iter()
                    .map(|delivery| LoggedDelivery {
                        status: DeliveryStatus::Deferred,
                        ..delivery.clone()
                    })
                    .collect();
                told.push(own);
            } else {
                self.given_up.push_back(own);
            }
        }
        told.push(ended);
        told
    }

    /// What is left at the end of a log.
    pub fn finish(&mut self) -> Vec<LoggedSession> {
        std::mem::take(&mut self.given_up).into()
    }
}

/// Sessions that wait for their recipients: each is a kilobyte, and its delivery follows within minutes.
const MOST_GIVEN_UP: usize = 1_000;

/// The sessions that one entry of a log stands for: one for each domain of its recipients.
#[must_use]
pub fn sessions(logged: &LoggedSession) -> Vec<Logged> {
    let domains = logged.recipient_domains();
    let next_hops: Vec<Option<NextHop>> = if domains.is_empty() {
        vec![None]
    } else {
        domains
            .into_iter()
            .map(|domain| Some(NextHop::parse(domain)))
            .collect()
    };
    let sent = logged.delivered() == Some(DeliveryStatus::Sent);
    next_hops
        .into_iter()
        .map(|next_hop| Logged {
            session: session(logged, next_hop),
            word: word(logged, sent),
            sent,
        })
        .collect()
}

fn session(logged: &LoggedSession, next_hop: Option<NextHop>) -> Session {
    let starttls = logged.starttls.map(|starttls| match starttls {
        LoggedStarttls::Used => Starttls::Used,
        LoggedStarttls::Refused => Starttls::Refused,
        LoggedStarttls::Failed => Starttls::Failed,
        // In the clear, whichever way it came to that.
        LoggedStarttls::NotOffered | LoggedStarttls::NotUsed => Starttls::NotOffered,
    });
    let digests = |certificate: &[u8], key: &[u8]| {
        Presented::Digests(LeafDigests {
            certificate: certificate.to_vec(),
            key: key.to_vec(),
        })
    };
    let presented = match (&logged.certificate_fingerprint, &logged.key_fingerprint) {
        (Some(certificate), Some(key)) => digests(&certificate.0, &key.0),
        // A bare key has no certificate around it (RFC 7250).
        (None, Some(key)) => digests(&[], &key.0),
        _ => Presented::Unknown,
    };
    Session {
        next_hop,
        mx_host: DomainName::parse(&logged.host).ok().map(MxHost),
        address: logged.address,
        port: logged.port,
        starttls,
        tls_version: logged.tls_version.as_deref().and_then(TlsVersion::parse),
        cipher: logged.cipher.clone(),
        sni: Sni::Unknown,
        presented,
        resumed: logged.resumed,
    }
}

/// What Postfix says: of its words only those decide that no server can put there.
fn word(logged: &LoggedSession, sent: bool) -> MtaWord {
    let says = |words: &str| logged.words.iter().any(|own| own.contains(words));
    if !sent && (says(NOT_VERIFIED) || says(VERIFICATION_FAILED)) {
        return MtaWord::Refused {
            reason: refusal(&says),
            detail: "Postfix did not verify the certificate".to_owned(),
        };
    }
    match (logged.starttls, logged.trust) {
        (Some(LoggedStarttls::Used), Some(TrustLevel::Verified)) => MtaWord::Authenticated(None),
        // What a session authenticated is not told by these (mail went out, or failed for another
        // reason).
        (Some(LoggedStarttls::Used), Some(_)) if sent => MtaWord::Encrypted,
        _ => MtaWord::Nothing,
    }
}

fn refusal(says: &dyn Fn(&str) -> bool) -> Reason {
    if says("no matching DANE TLSA records") {
        Reason::TlsaNoMatch
    } else if says("certificate has expired") {
        Reason::CertificateExpired
    } else if says("hostname mismatch") || says("Hostname mismatch") {
        Reason::CertificateNameMismatch
    } else if says("self-signed certificate") || says("unable to get local issuer") {
        Reason::CertificateNotTrusted
    } else {
        Reason::MtaRefused
    }
}

/// When the session was: the log's own time where it holds a date and a zone, else `now`.
#[must_use]
pub fn time(logged: &LoggedSession, now: Timestamp) -> Timestamp {
    super::reported::time(&logged.time).unwrap_or(now)
}

const NOT_VERIFIED: &str = "Server certificate not verified";
const VERIFICATION_FAILED: &str = "server certificate verification failed";
