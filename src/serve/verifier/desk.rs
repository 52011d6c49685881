//! From the key of a session to the word that lets its mail go, or does not.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hoplock_policy::findings::DaneFinding;
use hoplock_policy::law::{Answer as Level, MatchName};
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::{NextHop, escaped};
use hoplock_policy::profile::{OwnDane, Profile};
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    LeafDigests, MtaWord, PolicyKind, Presented, Session, SessionOutcome, SessionVerdict, Sni,
    Starttls, TlsVersion,
};
use hoplock_wire::verifier::{Answer, SessionKey, Shown, Verify, decode};

use super::certificates::{Certificates, Wanted};
use super::nameless;
use crate::answer::{Answered, Answerer};
use crate::metrics::Metrics;
use crate::report::reported::Evidence;
use crate::serve::sessions::{Carries, Case, Intake};
use crate::world::{Patience, SessionSource};

/// Answers Sendmail's session check.
pub struct Desk {
    answerer: Arc<Answerer>,
    intake: Arc<Intake>,
    certificates: Arc<Certificates>,
    metrics: Arc<Metrics>,
}

impl Desk {
    /// A desk that hands sessions to `intake`, and finds certificates by `certificates`.
    #[must_use]
    pub fn new(
        answerer: Arc<Answerer>,
        intake: Arc<Intake>,
        certificates: Arc<Certificates>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            answerer,
            intake,
            certificates,
            metrics,
        }
    }

    /// Answers one key. There is always an answer, and in time.
    pub async fn answer(&self, key: &str) -> Answer {
        if key == GREETING {
            return Answer::Ok;
        }
        let answer = self.in_time(key).await;
        self.metrics.asked_by_sendmail(answer.word());
        if let Answer::Refuse(why) | Answer::Unavailable(why) = &answer {
            let key = escaped(key.get(..SHOWN).unwrap_or(key));
            tracing::info!(answer = answer.word(), why, %key, "a session of Sendmail's");
        }
        answer
    }

    async fn in_time(&self, key: &str) -> Answer {
        let session = match decode(key) {
            Ok(session) => session,
            Err(why) => return Answer::refuse(Reason::BadRequest.word(), &why.to_string()),
        };
        let Some(profile) = self.answerer.profile(PROFILE) else {
            let words = "there is no profile for Sendmail";
            return Answer::unavailable(Reason::Internal.word(), words);
        };
        let patience = Patience::of(profile.deadline + GRACE);
        let answering = self.judge(&session, &profile, patience);
        // FT-04: a fault in one request is that request's alone.
        let answering = AssertUnwindSafe(answering).catch_unwind();
        match patience.wait(answering).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => {
                let words = "this request broke by a fault of hoplock; its log has the details";
                Answer::unavailable(Reason::Internal.word(), words)
            }
            None => {
                let words = "the lookups take longer than Sendmail waits; they go on";
                Answer::unavailable(Reason::Deadline.word(), words)
            }
        }
    }

    async fn judge(&self, own: &SessionKey<'_>, profile: &Profile, patience: Patience) -> Answer {
        let domain = own.domain.to_ascii_lowercase();
        let answered = self.metrics.ask(&self.answerer, &domain, profile).await;
        self.answerer.today().note(&answered);
        let next_hop = NextHop::parse(&domain);
        let Some(port) = next_hop.port() else {
            return nameless::destination(&answered.verdict, own);
        };
        let Some(host) = own.server_name.and_then(host_name) else {
            return nameless::host(&answered.verdict);
        };
        let case = Case {
            session: session(own, next_hop, port, &host),
            time: self.intake.now().wall,
            evidence: Evidence::default(),
            word: word(own, profile, compares_names(&answered, &host)),
            carries: Carries::Mail,
        };
        let completed = self.certificate(own, &answered, &host, port, patience);
        let source = SessionSource::Sendmail;
        let judged =
            self.intake
                .take_session_check(&case, source, &profile.name, patience, completed);
        told(&judged.await)
    }

    /// The certificates behind the digest that Sendmail tells, where the verdict needs more than that.
    async fn certificate(
        &self,
        own: &SessionKey<'_>,
        answered: &Answered,
        host: &DomainName,
        port: u16,
        patience: Patience,
    ) -> Result<Presented, String> {
        let digest = match own.certificate {
            Shown::Sha256(digest) => digest,
            Shown::Nothing => return Err("the host showed no certificate".to_owned()),
            Shown::OtherDigest => return Err(ALGORITHM.to_owned()),
        };
        let Some(address) = own.server_addr else {
            return Err("the address of the host is not told".to_owned());
        };
        let wanted = Wanted {
            digest,
            address: SocketAddr::new(address, port),
            server_name: server_name(answered, host),
        };
        let chain = self.certificates.find(wanted, patience).await?;
        Ok(Presented::Chain(chain.to_vec()))
    }
}

/// What is told of a session, in the verifier's terms.
fn session(own: &SessionKey<'_>, next_hop: NextHop, port: u16, host: &DomainName) -> Session {
    let version = own.tls_version.and_then(TlsVersion::parse);
    let presented = match own.certificate {
        // SV-01: over a version that nobody knows, nothing that was shown counts.
        Shown::Sha256(digest) if version.is_some() => Presented::Digests(LeafDigests {
            certificate: digest.to_vec(),
            key: Vec::new(),
        }),
        _ => Presented::Unknown,
    };
    Session {
        next_hop: Some(next_hop),
        mx_host: Some(MxHost(host.clone())),
        address: own.server_addr,
        port: Some(port),
        starttls: Some(starttls(own)),
        tls_version: version,
        // Sendmail's ruleset does not tell it.
        cipher: None,
        sni: Sni::Unknown,
        presented,
        resumed: false,
    }
}

/// RFC 3207: only where Sendmail says that the handshake was finished, and by which version, was TLS used.
fn starttls(own: &SessionKey<'_>) -> Starttls {
    match own.verify {
        verify if verify.is_encrypted() && own.tls_version.is_some() => Starttls::Used,
        Verify::None | Verify::Clear | Verify::Absent => Starttls::NotOffered,
        Verify::Protocol => Starttls::Refused,
        _ => Starttls::Failed,
    }
}

/// What Sendmail's own judgement is worth. Its DANE counts where the operator says that it works (PD-11).
/// Its `OK` says nothing of names; only where it was told to compare them is it the word of web PKI.
fn word(own: &SessionKey<'_>, profile: &Profile, compares_names: bool) -> MtaWord {
    let is_readable = own.tls_version.and_then(TlsVersion::parse).is_some();
    match own.verify {
        _ if !is_readable => MtaWord::Nothing,
        Verify::Trusted if profile.own_dane == OwnDane::Yes => {
            MtaWord::Authenticated(Some(PolicyKind::Dane))
        }
        Verify::Ok if compares_names => MtaWord::Authenticated(Some(PolicyKind::Sts)),
        Verify::Fail | Verify::No | Verify::Not => MtaWord::Refused {
            reason: Reason::CertificateNotTrusted,
            detail: format!("Sendmail says verify={}", own.verify.word()),
        },
        _ => MtaWord::Nothing,
    }
}

/// True where Sendmail was told to take this host under its own name alone (RFC 8461, 4.1): by
/// `FEATURE(`sts')`, whose rules a host with TLSA records is not put to.
fn compares_names(answered: &Answered, host: &DomainName) -> bool {
    let is_told = match &answered.verdict.answer {
        Level::Secure(names) => names.contains(&MatchName::Host(host.clone())),
        _ => false,
    };
    let findings = answered.findings.as_deref();
    let finding = findings.and_then(|findings| findings.host_named(host));
    let has_records =
        finding.is_some_and(|finding| matches!(finding.dane, DaneFinding::Records { .. }));
    is_told && !has_records
}

/// RFC 7672, 8.1: the server name under DANE is the TLSA base domain.
fn server_name(answered: &Answered, host: &DomainName) -> DomainName {
    let findings = answered.findings.as_deref();
    let finding = findings.and_then(|findings| findings.host_named(host));
    match finding.map(|finding| &finding.dane) {
        Some(DaneFinding::Records { base, .. }) => base.0.clone(),
        _ => host.clone(),
    }
}

fn host_name(text: &str) -> Option<DomainName> {
    if text.parse::<IpAddr>().is_ok() {
        return None;
    }
    DomainName::parse(text).ok()
}

fn told(verdict: &SessionVerdict) -> Answer {
    let (reason, detail) = (verdict.reason, &verdict.detail);
    match verdict.outcome {
        outcome if outcome.keeps() => Answer::Ok,
        // Nobody knows what was owed: later somebody may.
        SessionOutcome::Indeterminate
            if matches!(reason, Reason::PolicyUnknown | Reason::Internal) =>
        {
            Answer::unavailable(reason.word(), detail)
        }
        _ => Answer::refuse(reason.word(), detail),
    }
}

/// No session's key: asked before STARTTLS and after it, to know whether hoplock is there at all. It is
/// answered without a look at anything, and not counted.
const GREETING: &str = "hello";
/// What Sendmail is answered by.
const PROFILE: &str = "sendmail";
/// Lookups end at the profile's deadline, 4 s; this is for what comes after, within Sendmail's 5 s.
const GRACE: Duration = Duration::from_millis(300);
/// Of a key that is refused, in the log.
const SHOWN: usize = 160;
const ALGORITHM: &str = "the digest of the certificate is not SHA-256: define \
                         confCERT_FINGERPRINT_ALGORITHM as sha256";
