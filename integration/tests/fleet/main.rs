//! A fleet on a real Valkey or Redis server, which is killed, frozen, flushed and spoiled. Fails where no
//! such server is installed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod access;
mod connection;
mod fetching;
mod office;
mod policies;
mod proxy;
mod reports;
mod server;
mod sizing;
mod told_late;
