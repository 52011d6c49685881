//! Sessions that were judged, over HTTP: the journal as a list, and alarms for `status`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::next_hop::{NextHop, NotADomain, escaped};
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{PolicyResult, SessionOutcome, Starttls, TlsVersion, Warning};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::status::Alarm;
use super::{Admin, time};
use crate::metrics::AlarmKind;
use crate::report::SessionAlarm;
use crate::world::{JournalEntry, JournalQuery, MatchedText, Timing};

/// What is asked for; each part may be left out.
#[derive(Deserialize)]
pub(super) struct Wanted {
    next_hop: Option<String>,
    outcome: Option<String>,
    /// RFC 3339.
    since: Option<String>,
    /// RFC 3339.
    until: Option<String>,
    limit: Option<usize>,
    /// Entries older than the one of this number.
    before: Option<u64>,
}

/// One session, in the words of the session JSON and of its verdict.
#[derive(Serialize)]
struct Line {
    id: u64,
    time: String,
    source: &'static str,
    /// Whether the verdict came before the mail or after it (SV-10).
    judged: &'static str,
    next_hop: Option<String>,
    mx_host: Option<String>,
    address: Option<String>,
    port: Option<u16>,
    starttls: Option<&'static str>,
    tls_version: Option<&'static str>,
    cipher: Option<String>,
    verdict: &'static str,
    reason: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<Matched>,
    warnings: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<OneResult>,
    second_look: bool,
}

/// What matched, under the name of what it is.
#[derive(Serialize)]
struct Matched {
    #[serde(flatten)]
    text: std::collections::BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<u32>,
}

/// What came of it under one policy (SV-08).
#[derive(Serialize)]
struct OneResult {
    policy: &'static str,
    verdict: &'static str,
    reason: &'static str,
    detail: String,
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let query = match wanted.read() {
        Ok(query) => query,
        Err(words) => return (StatusCode::BAD_REQUEST, words + "\n").into_response(),
    };
    match read(&admin, query).await {
        Ok(found) => {
            let lines = found.into_iter().map(|(id, entry)| Line::of(id, entry));
            Json(lines.collect::<Vec<_>>()).into_response()
        }
        Err(words) => (StatusCode::SERVICE_UNAVAILABLE, words + "\n").into_response(),
    }
}

/// What the journal has, or in words why it cannot be read.
pub(super) async fn read(
    admin: &Admin,
    query: JournalQuery,
) -> Result<Vec<(u64, JournalEntry)>, String> {
    match timeout(READING, admin.sessions.journal().read(query)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the journal cannot be read: the disk does not answer".to_owned()),
    }
}

impl Wanted {
    fn read(&self) -> Result<JournalQuery, String> {
        let next_hop = self.next_hop.as_deref().map(next_hop).transpose()?;
        let outcome = self.outcome.as_deref().map(outcome).transpose()?;
        let limit = self.limit.unwrap_or(JournalQuery::LIMIT);
        if limit == 0 || limit > MOST {
            return Err(format!("limit = {limit}: from 1 to {MOST}"));
        }
        Ok(JournalQuery {
            since: self.since.as_deref().map(moment).transpose()?,
            until: self.until.as_deref().map(moment).transpose()?,
            next_hop,
            outcome,
            only_alarms: false,
            limit,
            before: self.before,
        })
    }
}

fn next_hop(text: &str) -> Result<NextHop, String> {
    match NextHop::parse(text) {
        NextHop::NotADomain(NotADomain::Malformed(why)) => {
            Err(format!("{} is no destination: {why}", escaped(text)))
        }
        next_hop => Ok(next_hop),
    }
}

fn outcome(word: &str) -> Result<SessionOutcome, String> {
    let mut all = SessionOutcome::ALL.into_iter();
    all.find(|outcome| outcome.word() == word).ok_or_else(|| {
        let words = SessionOutcome::ALL.map(SessionOutcome::word).join(", ");
        format!("{} is no outcome; there are {words}", escaped(word))
    })
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    let millis = at.map(|at| u64::try_from(at.as_millisecond()).unwrap_or(0));
    millis.map(Timestamp).map_err(|_| {
        let text = escaped(text);
        format!("{text} is no time; write it as 2026-11-24T10:00:00Z")
    })
}

impl Line {
    fn of(id: u64, entry: JournalEntry) -> Self {
        Self {
            id,
            time: time(entry.time),
            source: entry.source.word(),
            judged: entry.timing.word(),
            next_hop: entry.next_hop.map(|next_hop| next_hop.to_string()),
            mx_host: entry.mx_host.map(|host| host.to_string()),
            address: entry.address.map(|address| address.to_string()),
            port: entry.port,
            starttls: entry.starttls.map(Starttls::word),
            tls_version: entry.tls_version.map(TlsVersion::word),
            cipher: entry.cipher,
            verdict: entry.outcome.word(),
            reason: entry.reason.word(),
            detail: entry.detail,
            matched: entry.matched.map(Matched::of),
            warnings: entry.warnings.into_iter().map(Warning::word).collect(),
            results: entry.results.into_iter().map(OneResult::of).collect(),
            second_look: entry.second_look,
        }
    }
}

impl Matched {
    fn of(matched: MatchedText) -> Self {
        Self {
            text: [(matched.kind.word(), matched.text)].into(),
            depth: matched.depth,
        }
    }
}

impl OneResult {
    fn of(result: PolicyResult) -> Self {
        Self {
            policy: result.policy.word(),
            verdict: result.outcome.word(),
            reason: result.reason.word(),
            detail: result.detail,
        }
    }
}

/// Destinations whose sessions stay below their policy, the latest first; beyond a number that people
/// read, the rest as one.
pub(super) fn alarms(admin: &Admin, now: Moment) -> Vec<Alarm> {
    let standing = admin.sessions.alarms().standing(now);
    let (shown, rest) = standing.split_at(standing.len().min(SHOWN));
    let mut alarms: Vec<Alarm> = shown.iter().map(alarm).collect();
    if !rest.is_empty() {
        let sessions: u64 = rest.iter().map(|alarm| alarm.in_last_hour).sum();
        alarms.push(Alarm {
            alarm: AlarmKind::SessionFailed,
            what: format!(
                "sessions below their policy: {} more destinations, with {sessions} in the last hour",
                rest.len()
            ),
            cause: "as above; so many at once have one cause, which is likely on this side: the \
                    network, the resolver, or the mail server's TLS"
                .to_owned(),
            cure: "hoplock doctor; /api/v1/sessions?outcome=failed lists them".to_owned(),
        });
    }
    alarms
}

fn alarm(alarm: &SessionAlarm) -> Alarm {
    let (count, last) = (alarm.in_last_hour, &alarm.last);
    let host = last.mx_host.as_ref();
    let host = host.map_or_else(String::new, |host| format!(" with {host}"));
    let mail = match last.timing {
        Timing::BeforeMail => "judged before the mail was sent",
        Timing::AfterDelivery => "judged afterwards: the mail may have gone out",
        Timing::WithoutMail => "a probe, without mail",
    };
    let name = alarm.next_hop.as_ref().map(ToString::to_string);
    let shown = name.as_deref().unwrap_or("other destinations");
    Alarm {
        alarm: AlarmKind::SessionFailed,
        what: format!(
            "sessions below their policy: {shown}: {count} in the last hour, last at {}{host} ({mail})",
            time(last.time)
        ),
        cause: format!("{}: {}", last.reason, last.detail),
        cure: match name {
            Some(name) => format!(
                "{}; hoplock explain '{name}' says what is owed and why; ends by itself an hour after \
                 the last such session",
                cure(last.reason)
            ),
            None => format!(
                "{}; /api/v1/sessions?outcome=failed lists them; ends by itself an hour after the last \
                 such session",
                cure(last.reason)
            ),
        },
    }
}

/// What helps, by what went wrong.
fn cure(reason: Reason) -> &'static str {
    match reason {
        Reason::StarttlsNotOffered | Reason::StarttlsRefused | Reason::HandshakeFailed => {
            "try from another network: either its host does not do the TLS that it promises, which its \
             operator can mend, or somebody between takes it away"
        }
        Reason::TlsaNoMatch
        | Reason::AnchorNotInChain
        | Reason::AnchorNotIssuer
        | Reason::RawKeyNotUsable => {
            "tell its operator that certificate and TLSA records do not fit: most often a certificate \
             was renewed with another key, and the records were not"
        }
        Reason::CertificateExpired
        | Reason::CertificateNotYetValid
        | Reason::CertificateNameMismatch
        | Reason::CertificateNotTrusted => "tell its operator that the certificate is no good",
        Reason::PinNoMatch => {
            "ask its operator whether the key was changed, and change the rule if it was"
        }
        Reason::MtaPolicyWeaker
        | Reason::HostRefused
        | Reason::HostUnknown
        | Reason::StsHostNotListed => {
            "hoplock doctor shows what goes around hoplock: the mail server did what it was not told to"
        }
        _ => "its operator can mend it; until then a rule can let it go",
    }
}

/// As many as somebody reads.
const SHOWN: usize = 20;
/// Entries in one answer: some 700 KB.
const MOST: usize = 1_000;
/// Longer than a full journal takes to be looked through.
pub(super) const READING: Duration = Duration::from_secs(30);
