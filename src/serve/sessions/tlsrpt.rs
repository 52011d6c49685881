//! Datagrams of libtlsrpt, as Postfix 3.10 sends them: a policy, and what became of a session under it,
//! without a certificate. They prove which policy the mail server used, and its word for the rest.

use std::sync::Arc;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::sts::StsPolicy;
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
use hoplock_policy::verify::{MtaWord, PolicyKind, Session, Starttls};
use hoplock_wire::tlsrpt::{
    DATAGRAM_LIMIT, FailureCode, FailureDetail, FinalResult, PolicyReport, PolicyType, ResultType,
    TlsrptReport, decode,
};
use tokio::net::UnixDatagram;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::judge::{Carries, Case};
use crate::report::Sessions;
use crate::report::reported::Evidence;
use crate::serve::listen::OwnedPath;
use crate::world::{SessionSource, Timing};

/// A bound socket for datagrams; the path is removed when it is dropped.
pub struct Datagrams {
    /// The socket.
    pub socket: UnixDatagram,
    /// Its path, where it is ours.
    pub path: Option<OwnedPath>,
}

/// Takes datagrams from the socket for as long as the daemon runs. The kernel holds only a few
/// (`net.unix.max_dgram_qlen`), and whoever sends does not wait: so this does nothing else.
pub(super) async fn drain(
    datagrams: Datagrams,
    queue: Sender<Vec<u8>>,
    sessions: Arc<Sessions>,
    closing: CancellationToken,
) {
    let Datagrams { socket, path } = datagrams;
    let mut buffer = vec![0; DATAGRAM_LIMIT + 1];
    let pass_on = |datagram: &[u8]| {
        if queue.try_send(datagram.to_vec()).is_err() {
            sessions.overload();
        }
    };
    loop {
        let received = tokio::select! {
            () = closing.cancelled() => break,
            received = socket.recv(&mut buffer) => received,
        };
        match received {
            Ok(length) => pass_on(buffer.get(..length).unwrap_or_default()),
            Err(error) => tracing::warn!(%error, "a TLSRPT datagram could not be received"),
        }
    }
    // Nobody finds the socket any more; what was sent to it before is taken all the same.
    drop(path);
    while let Ok(length) = socket.try_recv(&mut buffer) {
        pass_on(buffer.get(..length).unwrap_or_default());
    }
}

/// A queue between two of them.
#[must_use]
pub(super) fn queue<T>() -> (Sender<T>, Receiver<T>) {
    channel(QUEUED)
}

/// Reads what comes and counts it at once: what the judge has no time for is in the reports all the same.
/// Ends when nothing more can come.
pub(super) async fn count(
    mut queue: Receiver<Vec<u8>>,
    judged: Sender<TlsrptReport>,
    intake: Arc<Intake>,
) {
    while let Some(datagram) = queue.recv().await {
        match decode(&datagram) {
            Ok(report) => {
                intake.tally.datagram(&report, intake.now());
                if judged.try_send(report).is_err() {
                    intake.sessions.overload();
                }
            }
            Err(error) => {
                intake.sessions.malformed();
                tracing::info!(%error, "a TLSRPT datagram cannot be read; it is dropped");
            }
        }
    }
}

/// Judges what was read; ends when nothing more can come.
pub(super) async fn judge(mut queue: Receiver<TlsrptReport>, intake: Arc<Intake>) {
    while let Some(report) = queue.recv().await {
        let options = intake.judge.options();
        let now = intake.now().wall;
        for (number, mut case) in cases(&report, &options.tlsa, now).into_iter().enumerate() {
            if number > 0 {
                // One datagram is one delivery, however much it tells of.
                case.carries = Carries::Counted;
            }
            let intake = Arc::clone(&intake);
            // One that waits for lookups must not hold up the rest.
            let permit = intake.place().await;
            tokio::spawn(async move {
                let source = SessionSource::Tlsrpt;
                intake.take(&case, source, Timing::AfterDelivery).await;
                drop(permit);
            });
        }
    }
}

/// The sessions that a datagram tells of: each failure, and the success where there was one.
fn cases(report: &TlsrptReport, tlsa: &TlsaOptions, now: Timestamp) -> Vec<Case> {
    let mut cases = Vec::new();
    for policy in &report.policies {
        let evidence = evidence(policy, tlsa);
        let case = |told: Told| Case {
            session: session(&report.domain, policy, &told),
            time: now,
            evidence: evidence.clone(),
            word: told.word,
            carries: Carries::Mail,
        };
        cases.extend(
            policy
                .failures
                .iter()
                .map(|failure| case(failed(policy, failure))),
        );
        match policy.result {
            FinalResult::Success => cases.push(case(succeeded(policy))),
            FinalResult::Failure if policy.failures.is_empty() => {
                cases.push(case(Told::refused(Reason::MtaRefused, String::new())));
            }
            FinalResult::Failure => {}
        }
    }
    cases
}

/// One session, as a datagram tells of it.
struct Told {
    starttls: Option<Starttls>,
    host: Option<DomainName>,
    address: Option<std::net::IpAddr>,
    word: MtaWord,
}

impl Told {
    fn refused(reason: Reason, detail: String) -> Self {
        Self {
            starttls: Some(Starttls::Used),
            host: None,
            address: None,
            word: MtaWord::Refused { reason, detail },
        }
    }
}

fn succeeded(policy: &PolicyReport) -> Told {
    Told {
        starttls: Some(Starttls::Used),
        host: None,
        address: None,
        word: match policy.kind {
            PolicyType::NoPolicyFound => MtaWord::Encrypted,
            // Another kind of policy than any that is known: nobody knows what it asked.
            PolicyType::Unknown(_) => MtaWord::Nothing,
            PolicyType::Tlsa | PolicyType::Sts => MtaWord::Authenticated(kind(policy)),
        },
    }
}

fn failed(policy: &PolicyReport, failure: &FailureDetail) -> Told {
    let words = [&failure.reason, &failure.additional];
    let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    let detail = words.join("; ");
    let (starttls, reason) = match failure.code {
        FailureCode::Known(ResultType::StarttlsNotSupported) => {
            (Some(Starttls::NotOffered), Reason::StarttlsNotOffered)
        }
        FailureCode::Known(ResultType::CertificateHostMismatch) => {
            (Some(Starttls::Used), Reason::CertificateNameMismatch)
        }
        FailureCode::Known(ResultType::CertificateExpired) => {
            (Some(Starttls::Used), Reason::CertificateExpired)
        }
        FailureCode::Known(ResultType::CertificateNotTrusted | ResultType::TlsaInvalid) => {
            let reason = match kind(policy) {
                Some(PolicyKind::Dane) => Reason::TlsaNoMatch,
                _ => Reason::CertificateNotTrusted,
            };
            (Some(Starttls::Used), reason)
        }
        FailureCode::Known(ResultType::ValidationFailure) if detail.contains(HANDSHAKE_FAILURE) => {
            (Some(Starttls::Failed), Reason::HandshakeFailed)
        }
        FailureCode::Known(ResultType::DnssecInvalid) => (None, Reason::TlsaLookupFailed),
        FailureCode::Known(ResultType::DaneRequired) => (None, Reason::DaneRequired),
        _ => (None, Reason::MtaRefused),
    };
    Told {
        starttls,
        host: failure
            .mx_host
            .as_deref()
            .and_then(|host| DomainName::parse(host).ok()),
        address: failure.receiving_ip,
        word: MtaWord::Refused { reason, detail },
    }
}

fn session(domain: &str, policy: &PolicyReport, told: &Told) -> Session {
    // RFC 8460, 4.4: the policy domain of TLSA records is the host that they are for.
    let host = told.host.clone().or_else(|| match policy.kind {
        PolicyType::Tlsa => DomainName::parse(&policy.domain).ok(),
        PolicyType::Sts | PolicyType::NoPolicyFound | PolicyType::Unknown(_) => None,
    });
    Session {
        next_hop: Some(NextHop::parse(domain)),
        mx_host: host.map(MxHost),
        address: told.address,
        starttls: told.starttls,
        ..Session::unknown()
    }
}

fn evidence(policy: &PolicyReport, tlsa: &TlsaOptions) -> Evidence {
    let strings = &policy.policy_strings;
    match policy.kind {
        PolicyType::Tlsa => {
            let records = strings.iter().filter_map(|text| text.parse().ok());
            let rdata: Vec<Vec<u8>> = records.map(|record: TlsaRecord| record.rdata()).collect();
            let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), tlsa);
            Evidence {
                records: Some(set).filter(TlsaSet::is_usable),
                ..Evidence::default()
            }
        }
        PolicyType::Sts => Evidence {
            sts: StsPolicy::parse(strings.join("\n").as_bytes()).ok(),
            ..Evidence::default()
        },
        PolicyType::NoPolicyFound | PolicyType::Unknown(_) => Evidence::default(),
    }
}

fn kind(policy: &PolicyReport) -> Option<PolicyKind> {
    match policy.kind {
        PolicyType::Tlsa => Some(PolicyKind::Dane),
        PolicyType::Sts => Some(PolicyKind::Sts),
        PolicyType::NoPolicyFound | PolicyType::Unknown(_) => None,
    }
}

/// Postfix's word for a handshake that failed.
const HANDSHAKE_FAILURE: &str = "tls-handshake-failure";
/// A burst of reports, of which each is a kilobyte or two.
const QUEUED: usize = 20_000;
