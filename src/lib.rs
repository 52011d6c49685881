//! hoplock.
