//! Cipher suites by name, as far as they decide anything.

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
    /// By the words of OpenSSL (`ADH-…`, `AECDH-…`), GnuTLS (`ANON`) and the registry (`anon`, `NULL`).
    pub(super) fn of(name: &str) -> Self {
        let folded = name.to_ascii_uppercase();
        let has = |word: &str| folded.split(['-', '_', '+', ' ']).any(|part| part == word);
        if has("NULL") || has("ENULL") {
            Self::Null
        } else if ["ADH", "AECDH", "ANON", "ANULL"].into_iter().any(has) {
            Self::Anonymous
        } else {
            Self::Ordinary
        }
    }
}
