//! One connection of a reporter: session JSON in, a line for a line out, in order (SV-11).

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::verify::MtaWord;
use hoplock_wire::lines::{Found, LineFramer};
use hoplock_wire::session::{ErrorLine, LINE_LIMIT, decode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::intake::Intake;
use super::judge::{Carries, Case};
use crate::report::reported;
use crate::serve::connections::Seat;
use crate::world::{SessionSource, Timing};

/// Serves one connection until it ends, is idle for too long, or the daemon drains.
pub(super) async fn take_reports<S>(mut stream: S, intake: Arc<Intake>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut framer = LineFramer::new(LINE_LIMIT);
    let (mut input, mut output) = (Vec::new(), Vec::new());
    loop {
        seat.rests();
        let read = tokio::select! {
            () = seat.is_closed() => return,
            read = timeout(IDLE, stream.read_buf(&mut input)) => read,
        };
        seat.works();
        let is_last = match read {
            Ok(Ok(0)) => true,
            Ok(Ok(_)) => false,
            Ok(Err(_)) | Err(_) => return,
        };
        let mut start = 0;
        loop {
            let step = framer.decode(input.get(start..).unwrap_or_default());
            start += step.consumed;
            let Some(found) = step.found else { break };
            answer(found, &intake, &mut output).await;
            if output.len() > FLUSH_AT && flush(&mut stream, &mut output).await.is_err() {
                return;
            }
        }
        input.drain(..start);
        // A reporter that hangs up after its last line may leave out the line feed.
        if is_last && let Some(found) = framer.finish(&input) {
            answer(found, &intake, &mut output).await;
        }
        if flush(&mut stream, &mut output).await.is_err() || is_last {
            return;
        }
    }
}

async fn answer(found: Found<'_>, intake: &Intake, output: &mut Vec<u8>) {
    let (number, outcome) = match found {
        Found::Line { number, bytes } => (number, judge(bytes, intake, output).await),
        Found::Overlong { number } => (
            number,
            Err(format!("the line is longer than {LINE_LIMIT} bytes")),
        ),
    };
    if let Err(words) = outcome {
        intake.sessions.malformed();
        let error = ErrorLine {
            error: &words,
            line: number,
        };
        error.encode(output);
    }
}

async fn judge(bytes: &[u8], intake: &Intake, output: &mut Vec<u8>) -> Result<(), String> {
    let line = decode(bytes).map_err(|error| error.to_string())?;
    let report = reported::read(&line, &intake.judge.options().tlsa)?;
    let case = Case {
        session: report.session,
        time: report.time.unwrap_or_else(|| intake.now().wall),
        evidence: report.evidence,
        word: MtaWord::Nothing,
        carries: Carries::Mail,
    };
    let verdict = intake
        .take(&case, SessionSource::SessionJson, Timing::AfterDelivery)
        .await;
    reported::encode(&verdict, line.id.as_deref(), output);
    Ok(())
}

async fn flush<S: AsyncWrite + Unpin>(stream: &mut S, output: &mut Vec<u8>) -> Result<(), ()> {
    if output.is_empty() {
        return Ok(());
    }
    // Whoever does not read its answers must not hold memory and a place for long.
    let written = timeout(ANSWERING, stream.write_all(output)).await;
    output.clear();
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

/// A reporter may hold its connection through a quiet night; one that is dead holds a place.
const IDLE: Duration = Duration::from_secs(24 * 3600);
/// A reporter that reads at all has room for an answer within this.
const ANSWERING: Duration = Duration::from_secs(30);
/// Answers to lines that came together leave together, up to this size.
const FLUSH_AT: usize = 64 * 1024;
