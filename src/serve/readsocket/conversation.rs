//! One connection of Exim: a line in, an answer out, and the end of the answer is the end of the
//! connection. Exim shuts its side down after the line, or does not; neither is waited for.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::reason::Reason;
use hoplock_wire::lines::{Found, LineFramer};
use hoplock_wire::readsocket::{Answer, BadRequest, LINE_LIMIT, Verb};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::desk::Desk;
use crate::serve::connections::Seat;

/// Serves one connection.
pub(super) async fn converse<S>(mut stream: S, desk: Arc<Desk>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Incoming::new();
    seat.rests();
    let read = tokio::select! {
        () = seat.is_closed() => Err(Unread::NoPlace),
        read = timeout(READING, request.read(&mut stream)) => read.unwrap_or(Err(Unread::Slow)),
    };
    seat.works();
    let answer = match read {
        Ok(Line::Whole(line)) => desk.answer(&line).await,
        Ok(Line::TooLong) => desk.refuse(BadRequest::too_long(request.beginning())),
        Ok(Line::None) => desk.refuse(BadRequest::empty()),
        Err(Unread::Slow) => desk.instead(
            Verb::of(request.beginning()),
            Reason::BadRequest,
            "the request did not come to an end in time",
        ),
        Err(Unread::NoPlace) => desk.instead(
            Verb::of(request.beginning()),
            Reason::Busy,
            "hoplock ends, or needs the place for others",
        ),
        Err(Unread::Broken) => return,
    };
    say(&mut stream, &answer, &seat).await;
}

/// Tells one client that there is no room, as an answer to its request.
pub(super) async fn turn_away<S>(mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The request first: what fails closed depends on it.
    let mut request = Incoming::new();
    let read = timeout(TURNING_AWAY, request.read(&mut stream)).await;
    let line = match &read {
        Ok(Ok(Line::Whole(line))) => line.as_slice(),
        _ => request.beginning(),
    };
    let words = "all connections are in use";
    let answer = Verb::of(line).without_answer(Reason::Busy.word(), words);
    let written = timeout(TURNING_AWAY, stream.write_all(&answer.encode())).await;
    if let Ok(Ok(())) = written {
        let _ = timeout(TURNING_AWAY, stream.shutdown()).await;
    }
}

/// A request on its way in.
struct Incoming {
    framer: LineFramer,
    input: Vec<u8>,
    beginning: Vec<u8>,
}

/// What came.
enum Line {
    /// A line, without its ending.
    Whole(Vec<u8>),
    /// One that is longer than any that is meant.
    TooLong,
    /// The connection ended without one.
    None,
}

/// Why no line came.
enum Unread {
    /// The daemon drains, or there are too many connections.
    NoPlace,
    /// Its time is over.
    Slow,
    /// The connection broke.
    Broken,
}

impl Incoming {
    fn new() -> Self {
        Self {
            framer: LineFramer::new(LINE_LIMIT),
            input: Vec::new(),
            beginning: Vec::new(),
        }
    }

    /// What there is of the line's beginning: enough to tell what it is for.
    fn beginning(&self) -> &[u8] {
        if self.beginning.is_empty() {
            self.input.get(..BEGINNING).unwrap_or(&self.input)
        } else {
            &self.beginning
        }
    }

    /// Reads one line: a line feed ends it, or the client's side of the connection.
    async fn read<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Result<Line, Unread> {
        loop {
            let read = stream.read_buf(&mut self.input).await;
            let is_last = match read {
                Ok(0) => true,
                Ok(_) => false,
                Err(_) => return Err(Unread::Broken),
            };
            let step = self.framer.decode(&self.input);
            if let Some(found) = step.found {
                let line = line(found);
                if matches!(line, Line::TooLong) {
                    self.skip(step.consumed, stream).await?;
                }
                return Ok(line);
            }
            let consumed = step.consumed;
            self.input.drain(..consumed);
            if is_last {
                return Ok(self.framer.finish(&self.input).map_or(Line::None, line));
            }
        }
    }

    /// Passes over the rest of a line that is too long: a client that is still writing would see a
    /// broken connection in place of the answer.
    async fn skip<S: AsyncRead + Unpin>(
        &mut self,
        consumed: usize,
        stream: &mut S,
    ) -> Result<(), Unread> {
        self.beginning = self.beginning().to_vec();
        let mut skipped = self.input.len();
        let mut has_ended = self
            .input
            .get(consumed..)
            .is_some_and(|rest| rest.contains(&b'\n'));
        while !has_ended && skipped < MOST_SKIPPED {
            self.input.clear();
            match stream.read_buf(&mut self.input).await {
                Ok(0) => break,
                Ok(count) => skipped += count,
                Err(_) => return Err(Unread::Broken),
            }
            has_ended = self.input.contains(&b'\n');
        }
        Ok(())
    }
}

fn line(found: Found<'_>) -> Line {
    match found {
        Found::Line { bytes, .. } => Line::Whole(bytes.to_vec()),
        Found::Overlong { .. } => Line::TooLong,
    }
}

/// Writes the answer and ends our side; then waits a moment for the client's: what it still writes
/// would otherwise break the connection before it has read the answer.
async fn say<S>(stream: &mut S, answer: &Answer, seat: &Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = answer.encode();
    let written = timeout(WRITING, async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    });
    if !matches!(written.await, Ok(Ok(()))) {
        return;
    }
    seat.rests();
    let mut rest = Vec::new();
    let lingering = async {
        let mut left = MOST_SKIPPED;
        while left > 0 {
            rest.clear();
            match stream.read_buf(&mut rest).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    };
    tokio::select! {
        () = seat.is_closed() => {}
        _ = timeout(LINGERING, lingering) => {}
    }
}

/// Exim writes its request as soon as it is connected.
const READING: Duration = Duration::from_secs(10);
/// A client that does not read must not hold a place for long; Exim gives up after 5 s.
const WRITING: Duration = Duration::from_secs(10);
/// As long as a client may take to end its side after it has read the answer.
const LINGERING: Duration = Duration::from_secs(2);
/// Long enough for a request, short enough to end a flood of them.
const TURNING_AWAY: Duration = Duration::from_secs(2);
/// What is passed over of a line that is too long, or behind a line: more is no mistake.
const MOST_SKIPPED: usize = 8 * 1024 * 1024;
/// A verb stands within these.
const BEGINNING: usize = 256;
