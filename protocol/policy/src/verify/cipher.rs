//! What a cipher suite is worth, by its name: some authenticate nobody, and some hide nothing
//! (RFC 7672, 8.2; SV-09).

/// What a cipher suite is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    /// It encrypts, for somebody who is authenticated.
    Ordinary,
    /// It encrypts for anybody.
    Anonymous,
    /// It encrypts nothing.
    Null,
}

impl Cipher {
    /// By the words of OpenSSL (`ADH-…`, `AECDH-…`), of GnuTLS (`ANON`, in parentheses or behind a
    /// colon) and of the registry (`anon`, `NULL`).
    pub(super) fn of(name: &str) -> Self {
        let folded = name.to_ascii_uppercase();
        let is_divider = |c: char| !c.is_ascii_alphanumeric();
        let has = |words: &[&str]| folded.split(is_divider).any(|part| words.contains(&part));
        if has(&["NULL", "ENULL"]) || INTEGRITY_ONLY.contains(&folded.as_str()) {
            Self::Null
        } else if has(&["ADH", "AECDH", "ANON", "ANULL"]) {
            Self::Anonymous
        } else {
            Self::Ordinary
        }
    }
}

/// RFC 9150: suites of TLS 1.3 that authenticate and hide nothing, and do not say so in their names.
const INTEGRITY_ONLY: [&str; 2] = ["TLS_SHA256_SHA256", "TLS_SHA384_SHA384"];
