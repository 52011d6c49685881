//! One connection of a mail server that speaks socketmap: requests in, answers out, in order.
//!
//! Bytes become requests only in `hoplock-wire`. Bad framing closes, since nobody knows where the
//! next request begins; anything else that cannot be answered is `TEMP` with its reason (4.3 of the
//! protocol page). Not done here: accepting, counting and closing of connections.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::guard::Capability;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::profile::Family;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::Rendered;
use hoplock_wire::netstring;
use hoplock_wire::socketmap::{self, Reply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::connections::Seat;
use super::verifier;
use crate::answer::Answerer;
use crate::metrics::Metrics;

/// What answers the requests of all connections.
pub struct Desk {
    /// Policies.
    pub answerer: Arc<Answerer>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The one map that is not policy: Sendmail's session check.
    pub verifier: verifier::Desk,
}

/// Serves one connection until it ends, is idle for too long, or the daemon drains.
pub async fn converse<S>(stream: S, desk: Arc<Desk>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut conversation = Conversation {
        stream,
        desk,
        input: Vec::new(),
        output: Vec::new(),
    };
    loop {
        seat.rests();
        let read = tokio::select! {
            () = seat.is_closed() => return,
            read = timeout(IDLE, conversation.read()) => read,
        };
        seat.works();
        match read {
            Ok(Ok(0) | Err(_)) | Err(_) => return,
            Ok(Ok(_)) => {}
        }
        if conversation.answer_all().await.is_err() {
            return;
        }
    }
}

/// Tells one client that there is no room, as an answer to its first request, and hangs up.
pub async fn turn_away<S>(mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The whole request first: a client that is still writing would see a broken connection.
    if !matches!(
        timeout(TURNING_AWAY, whole_request(&mut stream)).await,
        Ok(true)
    ) {
        return;
    }
    let mut output = Vec::new();
    temp(Reason::Busy, "all connections are in use").encode(REPLY_LIMIT, &mut output);
    let written = timeout(TURNING_AWAY, stream.write_all(&output)).await;
    if let Ok(Ok(())) = written {
        let _ = timeout(TURNING_AWAY, stream.shutdown()).await;
    }
}

/// Reads until one request is there; false where none will come.
async fn whole_request<S: AsyncRead + Unpin>(stream: &mut S) -> bool {
    let mut input = Vec::new();
    loop {
        match netstring::decode(&input, QUERY_LIMIT) {
            Ok(Some(_)) => return true,
            Err(_) => return false,
            Ok(None) => {}
        }
        if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
            return false;
        }
    }
}

struct Conversation<S> {
    stream: S,
    desk: Arc<Desk>,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// The connection must be closed.
struct Close;

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    async fn read(&mut self) -> std::io::Result<usize> {
        self.stream.read_buf(&mut self.input).await
    }

    /// Answers every whole request at hand; what is left over waits for more bytes.
    async fn answer_all(&mut self) -> Result<(), Close> {
        let mut used = 0;
        let mut broken = false;
        loop {
            let rest = self.input.get(used..).unwrap_or_default();
            match netstring::decode(rest, QUERY_LIMIT) {
                Ok(Some(frame)) => {
                    let reply = answer(&self.desk, frame.payload).await;
                    used += frame.consumed;
                    reply.encode(REPLY_LIMIT, &mut self.output);
                    if self.output.len() > FLUSH_AT {
                        self.flush().await?;
                    }
                }
                Ok(None) => break,
                Err(why) => {
                    tracing::info!(%why, "bad framing on a socketmap connection; closing it");
                    broken = true;
                    break;
                }
            }
        }
        self.input.drain(..used);
        self.flush().await?;
        if broken { Err(Close) } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Close> {
        if self.output.is_empty() {
            return Ok(());
        }
        // A client that does not read its answers must not hold memory for ever.
        let written = timeout(IDLE, self.stream.write_all(&self.output)).await;
        self.output.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Close),
        }
    }
}

/// Answers one request, whatever it says.
async fn answer(desk: &Desk, payload: &[u8]) -> Reply {
    let answerer = &desk.answerer;
    let request = match socketmap::decode_request(payload) {
        Ok(request) => request,
        Err(why) => return temp(Reason::BadRequest, &why.to_string()),
    };
    if request.map == SESSION_CHECK {
        return desk.verifier.answer(request.key).await.reply();
    }
    if request.map == REQUIRE_TLS {
        return require_tls(desk, request.key).await;
    }
    // Exim has a socket of its own: its words mean nothing here.
    let profile = answerer
        .profile(request.map)
        .filter(|profile| profile.family != Family::Exim);
    let Some(profile) = profile else {
        let words = format!(
            "there is no map {}; use postfix, postfix310, pins, bypass, requiretls, sendmail or verifier",
            escaped(request.map)
        );
        return temp(Reason::UnknownMap, &words);
    };
    let answered = desk.metrics.ask(answerer, request.key, &profile).await;
    answerer.today().note(&answered);
    match &answered.rendered {
        Rendered::Ok(text) => Reply::ok(text.clone())
            .unwrap_or_else(|_| temp(Reason::Internal, "the answer was empty")),
        Rendered::NotFound => Reply::NotFound,
        Rendered::Temp(text) => Reply::temp(text.clone()),
        Rendered::Level(_) => temp(Reason::Internal, "the answer is for Exim"),
    }
}

/// RQ-05: a value of Postfix's `smtp_requiretls_policy` for a destination that can keep REQUIRETLS; nothing,
/// so that what stands behind this map in the list counts, for one that cannot; a delay where nobody knows.
async fn require_tls(desk: &Desk, key: &str) -> Reply {
    let Some(profile) = desk.answerer.profile(REQUIRE_TLS_PROFILE) else {
        return temp(Reason::Internal, "there is no profile for this map");
    };
    let answered = desk.answerer.answer(key, &profile).await;
    let verdict = &answered.verdict;
    match desk.answerer.capability(&answered) {
        // Postfix keeps to it in each session, and skips hosts that cannot.
        Capability::Capable | Capability::Some => Reply::ok("enforce".to_owned())
            .unwrap_or_else(|_| temp(Reason::Internal, "the answer was empty")),
        Capability::Lacking(_) => Reply::NotFound,
        Capability::Unknown => temp(verdict.reason, &verdict.detail),
    }
}

fn temp(reason: Reason, words: &str) -> Reply {
    Reply::temp(format!("{reason}: {words}"))
}

/// The map of Sendmail's session check (4.3 of the protocol page). No profile may have this name.
const SESSION_CHECK: &str = "verifier";
/// The map for `smtp_requiretls_policy` of Postfix 3.11. No profile may have this name.
const REQUIRE_TLS: &str = "requiretls";
/// How a Postfix that knows REQUIRETLS sends.
const REQUIRE_TLS_PROFILE: &str = "postfix310";
/// Postfix closes after 10 s of silence; a client that holds a connection for longer may.
const IDLE: Duration = Duration::from_secs(300);
/// Long enough for a client to send its first request, short enough to end a flood of them.
const TURNING_AWAY: Duration = Duration::from_secs(2);
/// Longest request that is read (socketmap_table(5) of later Postfix versions has the same bound).
const QUERY_LIMIT: usize = socketmap::QUERY_LIMIT;
/// Longest answer that Postfix reads.
const REPLY_LIMIT: usize = socketmap::REPLY_LIMIT;
/// Answers to requests that came together leave together, up to this size.
const FLUSH_AT: usize = 64 * 1024;
