//! Trust anchors as files for a mail server that has no DANE of its own (DT-16).

use std::time::Duration;

use hoplock_policy::tlsa::AnchorFile;

use super::Waiting;

/// Hands trust anchors to the mail server.
///
/// What stands under a name never changes, so that an answer may name it without a word on when it was
/// written.
pub trait AnchorFiles: Send + Sync {
    /// Makes the file stand in `directory`, whole and readable, before an answer names it, and keeps it
    /// for as long as one may: until `until` on the clock that never jumps, and longer.
    ///
    /// # Errors
    /// Words for people where it does not stand there: the answer must not leave.
    fn publish<'a>(
        &'a self,
        directory: &'a str,
        file: AnchorFile,
        until: Duration,
    ) -> Waiting<'a, Result<(), String>>;

    /// Puts back what somebody has taken away, and removes what no answer names any more; to be called
    /// every minute or so.
    fn sweep(&self, now: Duration) -> Waiting<'_, ()>;
}
