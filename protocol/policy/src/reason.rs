//! One vocabulary of reasons: log word, metric label, TEMP text and `explain` use the same.
pub use crate::dns::FailureKind;
