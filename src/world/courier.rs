//! Sending TLS reports (RFC 8460, 5.3 and 5.4): one attempt each. When to try again, and when to give up, is
//! for the caller.

use super::Waiting;

/// Takes reports away.
pub trait Courier: Send + Sync {
    /// Hands a mail, with CRLF line ends, to the mail server beside us.
    ///
    /// # Errors
    /// [`Undelivered`] where it did not take it, or did not say that it did: then it may have the mail all
    /// the same, and the same mail a second time does no harm.
    fn mail(
        &self,
        from: String,
        to: String,
        message: Vec<u8>,
    ) -> Waiting<'_, Result<(), Undelivered>>;

    /// Posts a body to a URL of the form `https://host[:port]/path?query`. Redirects are never followed.
    ///
    /// # Errors
    /// [`Undelivered`] for any answer but success, and for none.
    fn post(
        &self,
        url: String,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Waiting<'_, Result<(), Undelivered>>;
}

/// A report that did not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Undelivered {
    /// What that means.
    pub kind: UndeliveredKind,
    /// Words for people.
    pub words: String,
}

/// What the caller must do. RFC 8460, 5.5: whatever failed is tried again for 24 hours, with longer and
/// longer pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UndeliveredKind {
    /// It may pass by itself: try again, and tell people at the end only.
    Temporary,
    /// The other side, or this machine, will have none of it: try again as well, since people set things
    /// right, and tell them now.
    Refused,
}

impl UndeliveredKind {
    /// The stable word, a label of metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Temporary => "temporary",
            Self::Refused => "refused",
        }
    }
}

impl Undelivered {
    /// One that may pass by itself.
    #[must_use]
    pub fn temporary(words: impl Into<String>) -> Self {
        Self {
            kind: UndeliveredKind::Temporary,
            words: words.into(),
        }
    }

    /// One that will not.
    #[must_use]
    pub fn refused(words: impl Into<String>) -> Self {
        Self {
            kind: UndeliveredKind::Refused,
            words: words.into(),
        }
    }
}
