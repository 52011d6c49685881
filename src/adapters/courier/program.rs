//! Mail by the program sendmail(8), as Postfix, Exim and Sendmail have it: the message on its input, the
//! outcome in its exit code.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use hoplock_wire::smtp_reply::printable;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::world::courier::Undelivered;

/// Hands a mail over within `limit`; the program is killed then.
pub(super) async fn hand_over(
    program: &Path,
    from: &str,
    to: &str,
    message: &[u8],
    limit: Duration,
) -> Result<(), Undelivered> {
    let shown = program.display();
    let mut command = Command::new(program);
    command
        // A line of one dot does not end the mail; what follows `--` is no option, whatever it looks like.
        .args(["-i", "-f", from, "--", to])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // With all that it starts: sendmail leaves the work to others.
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Undelivered::refused(format!(
            "{shown} cannot be run: {error}; install a mail server with that program, or name the \
             program or server that takes mail"
        )),
        _ => Undelivered::temporary(format!("{shown} cannot be run: {error}")),
    })?;
    let group = child.id();
    let mut said = Vec::new();
    let message = in_lines(message);
    let work = run(child, &message, &mut said);
    let Ok(outcome) = timeout(limit, work).await else {
        kill(group).await;
        let words = format!("{shown} did not end within {} s", limit.as_secs());
        return Err(Undelivered::temporary(words));
    };
    let (status, was_read) = outcome.map_err(|error| {
        Undelivered::temporary(format!("{shown} cannot be waited for: {error}"))
    })?;
    if status.success() && was_read {
        return Ok(());
    }
    let first = said.split(|octet| *octet == b'\n').next();
    let first = printable(first.unwrap_or_default().trim_ascii());
    let words = format!("{shown}: {}{first}", ended(status));
    match status.code() {
        // It ended well before it had all of the mail.
        Some(0) => Err(Undelivered::temporary(format!(
            "{shown} did not read the whole mail"
        ))),
        // It was killed, and not by what it was given.
        Some(OS_ERROR | IO_ERROR | TEMPORARY) | None => Err(Undelivered::temporary(words)),
        Some(_) => Err(Undelivered::refused(words)),
    }
}

/// Ends a program and all that it has started.
async fn kill(group: Option<u32>) {
    if let Some(group) = group {
        let group = format!("-{group}");
        let mut command = Command::new("kill");
        command.args(["-KILL", "--", &group]).stderr(Stdio::null());
        // Gone already, or nobody can end it.
        let _ = timeout(LAST_WORDS, command.status()).await;
    }
}

/// Feeds the program, keeps the beginning of what it complains of, and waits for its end. True where it
/// took all of its input.
async fn run(
    mut child: Child,
    message: &[u8],
    said: &mut Vec<u8>,
) -> io::Result<(ExitStatus, bool)> {
    let (input, complaints) = (child.stdin.take(), child.stderr.take());
    let feeding = async move {
        match input {
            // Dropped behind this line, which is the end of the input.
            Some(mut input) => input.write_all(message).await.is_ok(),
            None => false,
        }
    };
    let reading = async move {
        if let Some(complaints) = complaints {
            keep_beginning(complaints, said).await;
        }
    };
    let mut reading = pin!(reading);
    let mut working = pin!(async { tokio::join!(child.wait(), feeding) });
    let mut has_ended = false;
    let (status, was_read) = loop {
        tokio::select! {
            outcome = &mut working => break outcome,
            () = &mut reading, if !has_ended => has_ended = true,
        }
    };
    if !has_ended {
        // What it left behind may hold the pipe open for long; its last words are there already.
        let _ = timeout(LAST_WORDS, reading).await;
    }
    Ok((status?, was_read))
}

/// Reads to the end, so that nobody is kept from writing, and keeps a little.
async fn keep_beginning(mut from: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut piece = [0; KEPT];
    while let Ok(length) = from.read(&mut piece).await {
        if length == 0 {
            return;
        }
        let room = KEPT.saturating_sub(kept.len()).min(length);
        kept.extend_from_slice(piece.get(..room).unwrap_or_default());
    }
}

/// Programs read lines as this machine has them.
fn in_lines(message: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(message.len());
    let mut octets = message.iter().peekable();
    while let Some(&octet) = octets.next() {
        if octet != b'\r' || octets.peek() != Some(&&b'\n') {
            lines.push(octet);
        }
    }
    lines
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}: "),
        None => format!("{status}: "),
    }
}

/// sysexits.h: EX_OSERR, such as no room for another process.
const OS_ERROR: i32 = 71;
/// EX_IOERR.
const IO_ERROR: i32 = 74;
/// EX_TEMPFAIL.
const TEMPORARY: i32 = 75;
/// Octets of its complaints that are kept: their first line is shown.
const KEPT: usize = 512;
/// For what is in the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);
