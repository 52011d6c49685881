//! What is answered to each request, whatever it says, and within the time that Exim waits.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hoplock_policy::guard::{Capability, Requirement};
use hoplock_policy::law::Verdict;
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::exim::{self, Admission, Level};
use hoplock_wire::readsocket::{Answer, BadRequest, Request, Verb, decode};

use super::chains::Chains;
use crate::answer::{Answered, Answerer};
use crate::metrics::Metrics;
use crate::serve::sessions::Intake;
use crate::world::Patience;

/// Answers Exim.
pub struct Desk {
    pub(super) answerer: Arc<Answerer>,
    pub(super) intake: Arc<Intake>,
    pub(super) chains: Chains,
    metrics: Arc<Metrics>,
}

impl Desk {
    /// A desk that answers by `answerer`, and hands sessions to `intake`.
    #[must_use]
    pub fn new(answerer: Arc<Answerer>, intake: Arc<Intake>, metrics: Arc<Metrics>) -> Self {
        Self {
            answerer,
            intake,
            metrics,
            chains: Chains::default(),
        }
    }

    /// Answers one line. There is always an answer, and in time (EX-01).
    pub async fn answer(&self, line: &[u8]) -> Answer {
        let verb = Verb::of(line);
        let request = match decode(line) {
            Ok(request) => request,
            Err(why) => return self.refuse(why),
        };
        let Some(profile) = self.answerer.profile(PROFILE) else {
            return self.instead(verb, Reason::Internal, "there is no profile for Exim");
        };
        let patience = Patience::of(profile.deadline + GRACE);
        let answering = self.by(request, &profile, patience);
        // FT-04: a fault in one request is that request's alone.
        let answering = AssertUnwindSafe(answering).catch_unwind();
        match patience.wait(answering).await {
            Some(Ok(answer)) => self.told(verb, line, answer),
            Some(Err(_)) => {
                let words = "this request broke by a fault of hoplock; its log has the details";
                self.instead(verb, Reason::Internal, words)
            }
            None => {
                let words = "the lookups take longer than Exim waits; they go on";
                self.instead(verb, Reason::Deadline, words)
            }
        }
    }

    /// The figures, for tests.
    #[cfg(test)]
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts a connection for which there was no room.
    pub(super) fn turned_away(&self) {
        self.metrics.turned_away.inc();
    }

    /// Answers what cannot be read.
    pub fn refuse(&self, why: BadRequest) -> Answer {
        let answer = why.answer();
        self.metrics.asked_by_exim(why.verb.word(), answer.word());
        tracing::info!(verb = why.verb.word(), %why, "a request of Exim's cannot be read");
        answer
    }

    /// What is said where there is no answer: the shipped configuration goes on at none of it (EX-02).
    pub(super) fn instead(&self, verb: Verb, reason: Reason, words: &str) -> Answer {
        let answer = verb.without_answer(reason.word(), words);
        self.metrics.asked_by_exim(verb.word(), answer.word());
        tracing::info!(
            verb = verb.word(),
            reason = reason.word(),
            words,
            "no answer for Exim"
        );
        answer
    }

    fn told(&self, verb: Verb, line: &[u8], answer: Answer) -> Answer {
        self.metrics.asked_by_exim(verb.word(), answer.word());
        if let Answer::Refuse { reason, words } = &answer {
            let request = String::from_utf8_lossy(line.get(..SHOWN).unwrap_or(line));
            let request = escaped(&request);
            tracing::info!(verb = verb.word(), reason, words, %request, "refused");
        }
        answer
    }

    async fn by(&self, request: Request<'_>, profile: &Profile, patience: Patience) -> Answer {
        match request {
            Request::Level { domain, says } => {
                // RFC 8689, 4.2.2: where both are said, REQUIRETLS counts.
                match Requirement::of(says.require_tls, says.tls_required_no) {
                    Requirement::Ordinary => self.level(domain, profile).await,
                    Requirement::OptsOut => self.level(domain, &profile.opting_out()).await,
                    Requirement::RequireTls => self.require_tls(domain, profile).await,
                }
            }
            Request::Mx { domain, host } => self.mx(domain, host, profile).await,
            Request::Option { name, domain, host } => {
                self.option(name, domain, host, profile).await
            }
            Request::Cert(own) => self.certificate(own, profile, patience).await,
            Request::Event(own) => self.event(&own).await,
            Request::Dnsdb(own) => self.look_up(&own, profile, patience).await,
        }
    }

    pub(super) async fn ask(&self, key: &str, profile: &Profile) -> Arc<Answered> {
        let answered = self.metrics.ask(&self.answerer, key, profile).await;
        self.answerer.today().note(&answered);
        answered
    }

    async fn level(&self, domain: &str, profile: &Profile) -> Answer {
        let answered = self.ask(domain, profile).await;
        match exim::level(&answered.verdict) {
            Level::Enforce => Answer::Enforce,
            Level::May => Answer::May,
            Level::Defer(text) => defer(&text),
        }
    }

    /// RQ-04, RQ-05: refused for good where the destination cannot keep it, and only there.
    async fn require_tls(&self, domain: &str, profile: &Profile) -> Answer {
        let answered = self.ask(domain, profile).await;
        let verdict = &answered.verdict;
        match self.answerer.capability(&answered) {
            Capability::Capable => Answer::Enforce,
            // Exim keeps to what each host owes, and no more.
            Capability::Some => Answer::defer(REQUIRE_TLS, SOME_HOSTS),
            Capability::Lacking(lack) => Answer::refuse(REQUIRE_TLS, lack.words()),
            Capability::Unknown => Answer::defer(REQUIRE_TLS, &unknown(verdict)),
        }
    }

    async fn mx(&self, domain: &str, host: &str, profile: &Profile) -> Answer {
        let answered = self.ask(domain, profile).await;
        let (verdict, findings) = (&answered.verdict, answered.findings.as_deref());
        let admission = match host_name(host) {
            Some(host) => exim::mx(verdict, findings, &host),
            // NX-03: an address has no policy, and no name to be judged by.
            None if exim::level(verdict) == Level::May => Admission::Ok,
            None => return Answer::refuse(Reason::HostUnknown.word(), NO_NAME),
        };
        match admission {
            Admission::Ok => Answer::Ok,
            Admission::Refuse(text) | Admission::Defer(text) => refuse(&text),
        }
    }

    async fn option(&self, name: &str, domain: &str, host: &str, profile: &Profile) -> Answer {
        let answered = self.ask(domain, profile).await;
        let (verdict, findings) = (&answered.verdict, answered.findings.as_deref());
        let value = match host_name(host) {
            Some(host) => exim::option(name, verdict, findings, &host),
            None if exim::level(verdict) == Level::May => without_name(name, &answered),
            None => return Answer::defer(Reason::HostUnknown.word(), NO_NAME),
        };
        match value {
            Some(value) => Answer::Value(value),
            None => {
                let words = "there is no such option, or hoplock does not know it";
                Answer::defer(Reason::BadRequest.word(), words)
            }
        }
    }
}

fn unknown(verdict: &Verdict) -> String {
    format!(
        "it is not known now whether the destination can keep it ({}: {})",
        verdict.reason, verdict.detail
    )
}

/// `$host`, unless it is an address.
pub(super) fn host_name(text: &str) -> Option<DomainName> {
    if text.parse::<IpAddr>().is_ok() {
        return None;
    }
    DomainName::parse(text).ok()
}

/// The value of an option for a host that is an address, where nothing is owed: that of any host, save
/// that no name can be sent (RFC 6066, 3).
fn without_name(option: &str, answered: &Answered) -> Option<String> {
    let anybody = DomainName::parse("host.invalid").ok()?;
    let findings = answered.findings.as_deref();
    let value = exim::option(option, &answered.verdict, findings, &anybody)?;
    Some(match option {
        "tls_sni" => String::new(),
        _ => value,
    })
}

/// `reason: words`, as the law's renderer has it, as a delay.
pub(super) fn defer(text: &str) -> Answer {
    let (reason, words) = parts(text);
    Answer::defer(reason, words)
}

/// The same as a refusal.
fn refuse(text: &str) -> Answer {
    let (reason, words) = parts(text);
    Answer::refuse(reason, words)
}

fn parts(text: &str) -> (&str, &str) {
    text.split_once(": ").unwrap_or((text, ""))
}

/// What Exim is answered by.
pub(super) const PROFILE: &str = "exim";
const SOME_HOSTS: &str = "not every host of the destination can be authenticated";
/// RFC 8689: the word of a message that demands TLS on its whole way.
const REQUIRE_TLS: &str = "requiretls";
/// Lookups end at the profile's deadline, 4 s; this is for what comes after, within Exim's 5 s.
const GRACE: Duration = Duration::from_millis(300);
/// Of a request that is refused, in the log.
const SHOWN: usize = 160;
const NO_NAME: &str =
    "HOST is no host name, and what the destination owes is owed by hosts with a name";
