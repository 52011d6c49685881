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
//!
//! # A chain, by TLSA records
//!
//! Whoever has the secure TLSA records of a host (RFC 7672, 2.2) and the certificates that it showed asks
//! [`dane::authenticate`]. Nothing is looked up, and no clock is read: the time is an argument.
//!
//! ```
//! use hoplock_policy::moment::Timestamp;
//! use hoplock_policy::name::{DomainName, TlsaBaseDomain};
//! use hoplock_policy::reason::Reason;
//! use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
//! use hoplock_policy::verify::{Certificate, Presented, ReferenceNames, VerifyOptions, dane};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let shown = rcgen::generate_simple_self_signed(["mx.example.com".to_owned()])?;
//! # let shown_der = shown.cert.der().to_vec();
//! // What the host showed, leaf first, as it stood in the handshake.
//! let leaf = Certificate::from_der(shown_der);
//! // The records at _25._tcp.mx.example.com. Here the host publishes the digest of its own key.
//! let published = TlsaRecord::naming(&leaf, 3, 1, 1).ok_or("a certificate without a key")?;
//! let records = TlsaSet::read([published.rdata().as_slice()], &TlsaOptions::default());
//! // Who the host may say it is, where a record names its issuer (RFC 7672, 3.2.2).
//! let base = TlsaBaseDomain(DomainName::parse("mx.example.com")?);
//! let next_hop = DomainName::parse("example.com")?;
//! let names = ReferenceNames::behind_secure_mx(&base, &next_hop, None);
//!
//! let now = Timestamp(1_800_000_000_000);
//! let options = VerifyOptions::default();
//! let judge = |chain, records: &TlsaSet| {
//!     dane::authenticate(&Presented::Chain(chain), records, &names, now, &options)
//! };
//! assert!(judge(vec![leaf.clone()], &records).is_ok());
//!
//! // The same record authenticates nobody else.
//! # let other = rcgen::generate_simple_self_signed(["mx.example.com".to_owned()])?;
//! # let impostor_der = other.cert.der().to_vec();
//! let impostor = Certificate::from_der(impostor_der);
//! let refused = judge(vec![impostor, leaf], &records).unwrap_err();
//! assert_eq!(refused.reason, Reason::TlsaNoMatch);
//! # Ok(())
//! # }
//! ```
//!
//! # A whole session
//!
//! [`verify`] judges a [`Session`] by what it [`Owed`], and says what it comes to in one word
//! ([`SessionOutcome`]), with the reason. What a report leaves out is unknown, never fine.
//!
//! ```
//! use hoplock_policy::moment::Timestamp;
//! use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};
//! use hoplock_policy::next_hop::NextHop;
//! use hoplock_policy::reason::Reason;
//! use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
//! use hoplock_policy::verify::{
//!     Certificate, Owed, Presented, ReferenceNames, Session, SessionOutcome, Sni, Starttls,
//!     TlsVersion, VerifyOptions, verify,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let shown = rcgen::generate_simple_self_signed(["mx.example.com".to_owned()])?;
//! # let leaf = Certificate::from_der(shown.cert.der().to_vec());
//! # let published = TlsaRecord::naming(&leaf, 3, 1, 1).ok_or("a certificate without a key")?;
//! # let records = TlsaSet::read([published.rdata().as_slice()], &TlsaOptions::default());
//! let host = DomainName::parse("mx.example.com")?;
//! // What was owed, by evidence that came with the report; a program that has the findings of the law
//! // asks `Owed::under` instead. Without records and without a policy nothing is owed: `None`.
//! let owed = Owed::by_evidence(
//!     Some(records),
//!     ReferenceNames::exactly([host.clone()]),
//!     Some(TlsaBaseDomain(host.clone())),
//!     None,
//!     &[],
//! )
//! .ok_or("nothing is owed")?;
//!
//! let session = Session {
//!     next_hop: Some(NextHop::parse("example.com")),
//!     mx_host: Some(MxHost(host.clone())),
//!     address: Some("192.0.2.1".parse()?),
//!     port: Some(25),
//!     starttls: Some(Starttls::Used),
//!     tls_version: Some(TlsVersion::Tls13),
//!     cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
//!     sni: Sni::Sent(host),
//!     presented: Presented::Chain(vec![leaf]),
//!     resumed: false,
//! };
//! let (now, options) = (Timestamp(1_800_000_000_000), VerifyOptions::default());
//! let verdict = verify(&session, &owed, now, &options);
//! assert_eq!(verdict.outcome, SessionOutcome::AuthenticatedDane);
//! assert_eq!(verdict.reason, Reason::TlsaMatch);
//!
//! // Where DANE is owed, no reason excuses clear text (RFC 7672, 2.2).
//! let clear = Session {
//!     starttls: Some(Starttls::NotOffered),
//!     ..session.clone()
//! };
//! let verdict = verify(&clear, &owed, now, &options);
//! assert_eq!(verdict.outcome, SessionOutcome::Failed);
//!
//! // Of a session whose cipher is not known nobody can say that the host was authenticated.
//! let silent = Session {
//!     cipher: None,
//!     ..session
//! };
//! let verdict = verify(&silent, &owed, now, &options);
//! assert_eq!(verdict.outcome, SessionOutcome::Indeterminate);
//! # Ok(())
//! # }
//! ```

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
pub use self::judge::{
    MtaWord, Original, verify, verify_by_word, verify_handshake, verify_handshake_by_word,
    verify_resumed,
};
pub use self::names::ReferenceNames;
pub(crate) use self::owed::reference_names;
pub use self::owed::{DaneEvidence, Demand, Owed, StrangeHost};
pub use self::session::{LeafDigests, Presented, Session, Sni, Starttls, TlsVersion};
pub use self::verdict::{
    Matched, PolicyKind, PolicyResult, SessionOutcome, SessionVerdict, Warning,
};
pub use self::web_pki::by_web_pki;
