//! What must hold for any bytes at all, as functions that panic when it does not.
//!
//! The fuzz targets and the replay of their corpus (`tests/corpus.rs`) call the same functions, one
//! for each target. Hidden from the documentation: this is no part of the interface.

mod delegation;
mod destinations;
mod milter;
mod netstring;
mod postfix_log;
mod readsocket;
mod session;
mod smtp_reply;
mod socketmap;
mod tlsrpt;
mod tlsrpt_document;
mod verifier_key;

pub use self::delegation::delegation;
pub use self::destinations::destinations;
pub use self::milter::milter;
pub use self::netstring::netstring;
pub use self::postfix_log::postfix_log;
pub use self::readsocket::readsocket;
pub use self::session::session;
pub use self::smtp_reply::smtp_reply;
pub use self::socketmap::socketmap;
pub use self::tlsrpt::tlsrpt;
pub use self::tlsrpt_document::tlsrpt_document;
pub use self::verifier_key::verifier_key;
