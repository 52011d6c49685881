//! The journal of systemd, through `journalctl`, whose JSON it promises to keep.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::LogEntry;

/// Sends every message of the mail system that is logged from now on; starts the program again when it
/// ends.
pub(super) async fn follow(lines: Sender<LogEntry>) {
    let mut told = false;
    loop {
        let ended = tokio::select! {
            () = lines.closed() => return,
            ended = once(&lines) => ended,
        };
        if let Err(error) = ended
            && !std::mem::replace(&mut told, true)
        {
            tracing::warn!(
                %error,
                "the journal cannot be followed; hoplock's user must be in the group \
                 systemd-journal, and journalctl be installed; trying again"
            );
        }
        tokio::select! {
            () = lines.closed() => return,
            () = sleep(BETWEEN_STARTS) => {}
        }
    }
}

async fn once(lines: &Sender<LogEntry>) -> std::io::Result<()> {
    let mut program = Command::new("journalctl")
        .args(["--follow", "--lines=0", "--output=json", "--facility=mail"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let out = program
        .stdout
        .take()
        .ok_or(std::io::ErrorKind::BrokenPipe)?;
    let mut out = BufReader::new(out);
    let mut line = Vec::new();
    loop {
        line.clear();
        if out.read_until(b'\n', &mut line).await? == 0 {
            let status = program.wait().await?;
            return Err(std::io::Error::other(format!("journalctl ended: {status}")));
        }
        if let Some(entry) = entry(&line)
            && lines.send(entry).await.is_err()
        {
            return Ok(());
        }
    }
}

/// One object of `journalctl --output=json`; what has not all its fields is not of a mail server.
fn entry(line: &[u8]) -> Option<LogEntry> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let pid = field("SYSLOG_PID").or_else(|| field("_PID"))?;
    Some(LogEntry::Message {
        time: field("__REALTIME_TIMESTAMP")
            .and_then(time)
            .unwrap_or_default(),
        machine: field("_HOSTNAME").unwrap_or_default().to_owned(),
        program: field("SYSLOG_IDENTIFIER")?.to_owned(),
        pid: pid.parse().ok()?,
        text: field("MESSAGE")?.to_owned(),
    })
}

/// Microseconds since 1970, as a text.
fn time(micros: &str) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
    Some(time.to_string())
}

const BETWEEN_STARTS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_journal() {
        let line = br#"{"__REALTIME_TIMESTAMP":"1795478400000000","SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"77","MESSAGE":"Verified TLS connection"}"#;
        let expected = LogEntry::Message {
            time: "2026-11-24T00:00:00Z".to_owned(),
            machine: String::new(),
            program: "postfix/smtp".to_owned(),
            pid: 77,
            text: "Verified TLS connection".to_owned(),
        };
        assert_eq!(entry(line), Some(expected));
        assert_eq!(entry(b"{}"), None);
        assert_eq!(entry(b"no JSON"), None);
        // Octets that are no text come as a list of numbers.
        assert_eq!(
            entry(br#"{"SYSLOG_IDENTIFIER":"a","_PID":"1","MESSAGE":[1]}"#),
            None
        );
    }
}
