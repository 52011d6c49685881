//! Sessions judged after the fact: DANE as exactly as OpenSSL does it, and MTA-STS.
//!
//! In reading order:
//!
//! 1. [`session`]: what is reported.
//! 2. [`certificate`]: a certificate from its octets, however odd.
//! 3. [`names`]: who the host may say it is.
//! 4. [`dane`]: the records against what was shown (RFC 7671, RFC 7672).
//! 5. [`owed`]: what the session owed.
//! 6. [`judge`]: from both to a [`verdict`].

pub mod certificate;
mod cipher;
pub mod dane;
mod facts;
pub mod judge;
pub mod names;
mod odd_leaf;
pub mod owed;
mod path;
mod read;
pub mod session;
mod trust_anchor;
pub mod verdict;
mod web_pki;

pub use self::certificate::Certificate;
pub use self::dane::{Authenticated, Refused, VerifyOptions};
pub use self::facts::CertificateFacts;
pub use self::judge::{MtaWord, Original, verify, verify_by_word, verify_resumed};
pub use self::names::ReferenceNames;
pub use self::owed::{DaneEvidence, Demand, Owed, StrangeHost};
pub use self::session::{LeafDigests, Presented, Session, Sni, Starttls, TlsVersion};
pub use self::verdict::{
    Matched, PolicyKind, PolicyResult, SessionOutcome, SessionVerdict, Warning,
};
pub use self::web_pki::by_web_pki;
