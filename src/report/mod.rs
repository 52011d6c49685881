//! Sessions that are reported.

pub mod reported;
