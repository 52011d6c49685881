//! What a delivery line tells of its session beside its fields.

use super::event::{DeliveryLine, DeliveryStatus, Trouble};
use super::logged::LoggedStarttls;

/// The most seconds that the process can have spent on the delivery's request: the last two of its
/// delays, rounded up, and the width of a clock that shows whole seconds.
pub(super) fn taken(line: &DeliveryLine<'_>) -> Option<i64> {
    let mut delays = line.delays.split('/').skip(2);
    let mut next = || {
        let whole = delays.next()?.split('.').next()?;
        whole.parse::<i64>().ok()
    };
    let (set_up, transmission) = (next()?, next()?);
    set_up.checked_add(transmission)?.checked_add(CLOCK_WIDTH)
}

/// Whether the server's word shows that mail went on behind the point where STARTTLS is due.
pub(super) fn passed_starttls(line: &DeliveryLine<'_>) -> bool {
    // Postfix adds these behind the server's words.
    let commands = ["MAIL FROM", "RCPT TO", "DATA", "end of DATA"];
    let replied = |command| {
        let end = format!("(in reply to {command} command)");
        line.text.ends_with(&end)
    };
    line.status == DeliveryStatus::Sent || commands.into_iter().any(replied)
}

/// What the `tls=` of Postfix from 3.11 on says, if it says anything for certain.
pub(super) fn tls_feature(line: &DeliveryLine<'_>) -> Option<LoggedStarttls> {
    let level = line.tls?.split('/').next()?;
    if level.is_empty() || level.starts_with('!') || level.ends_with('?') {
        return None;
    }
    Some(match level == "none" || level.ends_with(":none") {
        true => LoggedStarttls::NotUsed,
        false => LoggedStarttls::Used,
    })
}

/// What the deliveries of one request over one connection have in common, and no others: beside the
/// message the delays up to the connection's being set up, and what became of TLS.
pub(super) fn request(line: &DeliveryLine<'_>) -> String {
    let (shared, _) = line.delays.rsplit_once('/').unwrap_or((line.delays, ""));
    // Before mail went on, what befalls one recipient befalls all.
    let trouble = match line.trouble {
        Some(Trouble::NotOffered(_)) => "not-offered",
        Some(Trouble::Refused(_)) => "refused",
        Some(Trouble::HandshakeFailed) => "handshake-failed",
        Some(Trouble::NotVerified) => "not-verified",
        Some(Trouble::ConnectionLost(_)) | None => "",
    };
    let (id, uses, tls) = (line.queue_id, line.connection_use, line.tls);
    format!("{id} {shared} {uses} {trouble} {tls:?}")
}

/// Seconds that two readings in whole seconds, and two rounded delays, can be off.
const CLOCK_WIDTH: i64 = 4;
