//! At submission: what a mail server is told of a message while its sender still waits (4.8 of the
//! protocol page).
//!
//! * `desk`: one recipient, from an address to what is done.
//! * `words`: what is done, in words and codes.
//! * `delegation`: a connection of Postfix's policy delegation.
//! * `milter`, `message`: a connection of a milter's client, and the message on it.

mod delegation;
mod desk;
mod message;
mod milter;
mod open;
mod words;

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
