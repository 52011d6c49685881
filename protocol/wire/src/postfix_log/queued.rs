//! Lines of qmgr(8) that say who sent a message: `4c1P6x: from=<user@example.com>, size=…`.

use super::LINE_LIMIT;
use super::line::head;

/// A message that was taken up for delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued<'a> {
    /// Its queue id.
    pub queue_id: &'a str,
    /// The sender's address; empty for notices of Postfix itself.
    pub sender: &'a str,
}

/// Reads one line of a log file. `None` for all but lines of qmgr(8) with a sender.
#[must_use]
pub fn parse_queued_line(line: &str) -> Option<Queued<'_>> {
    // Most lines of a mail log end here.
    if line.len() > LINE_LIMIT || !line.contains("qmgr[") {
        return None;
    }
    let (message, source) = head(line).ok()?;
    parse_queued(source.process, message)
}

/// Reads one message of a program whose head came apart from it.
#[must_use]
pub fn parse_queued<'a>(process: &str, message: &'a str) -> Option<Queued<'a>> {
    if !process.ends_with("/qmgr") || message.len() > LINE_LIMIT {
        return None;
    }
    let (queue_id, rest) = message.split_once(": from=<")?;
    let is_id = !queue_id.is_empty() && queue_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // What stands behind the address has no such sign in it.
    let (sender, _) = rest.rsplit_once(">, size=")?;
    is_id.then_some(Queued { queue_id, sender })
}

#[cfg(test)]
mod tests {
    use super::{Queued, parse_queued_line};

    /// RP-13: whose a message is stands in qmgr's lines alone, whatever others quote.
    #[test]
    fn senders() {
        let queued = |queue_id, sender| Some(Queued { queue_id, sender });
        for (line, expected) in [
            (
                "Nov 26 10:00:00 out postfix/qmgr[7]: 4c1P6x: from=<a@b.test>, size=3, nrcpt=1 (queue active)",
                queued("4c1P6x", "a@b.test"),
            ),
            (
                "2026-11-26T10:00:00Z out postfix-out/qmgr[7]: ABC: from=<>, size=3, nrcpt=1 (queue active)",
                queued("ABC", ""),
            ),
            ("Nov 26 10:00:00 out postfix/qmgr[7]: ABC: removed", None),
            (
                "Nov 26 10:00:00 out postfix/smtp[7]: ABC: said postfix/qmgr[7]: X: from=<a@b.test>, size=1",
                None,
            ),
            (
                "Nov 26 10:00:00 out postfix/smtp[7]: ABC: from=<a@b.test>, size=1",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(parse_queued_line(line), expected, "{line}");
        }
    }
}
