//! The mail servers at which mail is handed in.

mod postfix;
mod sendmail;

use std::path::Path;

pub(super) use self::postfix::Postfix;
pub(super) use self::sendmail::Sendmail;

/// How hoplock is asked, and what holds where it cannot be: each at a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// By policy delegation, with the lines that the page prints: without hoplock mail passes.
    Policy,
    /// The same, and without hoplock it is deferred.
    PolicyDefers,
    /// By the milter protocol, with the lines that the page prints: without hoplock mail is deferred.
    Milter,
    /// The same by a UNIX socket.
    MilterByPath,
    /// By the milter protocol, and without hoplock it passes.
    MilterPasses,
    /// The same, and without hoplock mail is refused.
    MilterRefuses,
    /// hoplock is not asked.
    Bare,
}

/// A mail server that takes messages in by SMTP and hands all of them on to [`SINK`].
pub(super) trait Server: Sync {
    fn name(&self) -> &str;
    /// Where it can be asked so.
    fn port(&self, door: Door) -> Option<u16>;
    /// Whether a message for this recipient is set aside until somebody looks at it.
    fn holds(&self, to: &str) -> bool;
    fn log(&self) -> String;
    fn is_postfix(&self) -> bool {
        false
    }
}

/// hoplock's own socket for mail servers that reach it by its path, in the lab's folder.
pub(super) const SOCKET: &str = "milter.sock";
/// Where all messages arrive.
pub(super) const SINK: u16 = 2590;
/// Where those arrive that are sent another way.
pub(super) const OTHER_SINK: u16 = 2591;
/// The domain whose mail stays.
pub(super) const HOME: &str = "home.test";
/// Who proves users.
pub(super) const SASL: u16 = 2592;
/// The users that there are.
pub(super) const USERS: &[&str] = &["anna", "bert"];

/// Of both versions: Postfix.
pub(super) fn postfixes(lab: &Path, trixie: &Path) -> [Postfix; 2] {
    [
        Postfix::start(lab, "guard-postfix-3.7", 2540, None),
        Postfix::start(lab, "guard-postfix-3.10", 2550, Some(trixie)),
    ]
}

/// Of both versions: Sendmail.
pub(super) fn sendmails(lab: &Path, bookworm: &Path, trixie: &Path) -> [Sendmail; 2] {
    [
        Sendmail::start(bookworm, lab, "guard-sendmail-8-17", 2560),
        Sendmail::start(trixie, lab, "guard-sendmail-8-18", 2570),
    ]
}
