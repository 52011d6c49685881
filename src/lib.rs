//! hoplock tells mail servers how each destination must be reached over TLS, and checks that it was.
//!
//! The map of the house, in reading order. Imports point down only:
//! `main → cli → serve → answer → discover → world → hoplock-policy`.
//!
//! * [`world`]: the questions to the outside, as traits.
#![forbid(unsafe_code)]

pub mod world;
