//! Harness of the tests that need more than one crate: scenarios, and the lab with real servers.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "this crate is test code: a fault must stop it, loudly"
)]

pub mod adversary;
pub mod lab;
pub mod manual;
pub mod oracle;
pub mod scenario;
