//! Policies as TXT records below `policy.hoplock.internal.`, for configurations that can look up DNS and
//! nothing else: Exim's `${lookup dnsdb{txt=…}}`, by way of a resolver that asks here for this one zone.
//!
//! * `message`: what is asked, and what is replied, without any waiting.
//! * `server`: the sockets, UDP and TCP.

#[doc(hidden)]
pub mod fuzzing;
mod message;
mod server;

pub use self::server::open;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
