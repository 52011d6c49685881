//! Exim's `${readsocket{…}}`: one request, one answer, and the connection closes (EX-01).
//!
//! * `conversation`: the connection.
//! * `desk`: each verb's answer; `certificates`, `lookups`, `events` for the longer ones.
//! * `chains`: certificates of one handshake, joined over connections.

mod certificates;
mod chains;
mod conversation;
mod desk;
mod events;
mod lookups;
mod open;

pub use self::desk::Desk;
pub use self::open::open;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
