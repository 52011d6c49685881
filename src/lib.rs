//! hoplock tells mail servers how each destination must be reached over TLS, and checks that it was.
//!
//! The map of the house, in reading order. Imports point down only:
//! `main → cli → serve → answer → discover → world → hoplock-policy`.
//!
//! * [`answer`]: from a key to an answer, in one function.
//! * [`cache`]: findings by next hop.
//! * [`discover`]: from a next hop to findings; the only reasoning that waits.
//! * [`store`]: what outlives one answer.
//! * [`world`]: the questions to the outside, as traits.
#![forbid(unsafe_code)]

pub mod adapters;
pub mod answer;
pub mod cache;
pub mod discover;
pub mod store;
pub mod world;
