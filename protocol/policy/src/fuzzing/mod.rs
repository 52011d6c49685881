//! What must hold for any bytes at all, as functions that panic when it does not.
//!
//! The fuzz targets and the replay of their corpus (`tests/corpus.rs`) call the same functions, one
//! for each target. Hidden from the documentation: this is no part of the interface. Rules of the
//! law and of the grammars are stated here a second time, from the texts, so that the code is not
//! measured against itself.

mod bytes;
mod decide;
mod dns;
mod evidence;
mod laws;
mod names;
mod orders;
mod permitted;
mod reply;
mod sts;
mod tlsa;
mod tlsrpt;
mod verify;

pub use self::bytes::Bytes;
pub use self::decide::decide;
pub use self::dns::{dns_follow, follows};
pub use self::names::{names, next_hop};
pub use self::sts::{sts_policy, sts_record};
pub use self::tlsa::tlsa;
pub use self::tlsrpt::tlsrpt_record;
pub use self::verify::verify;
