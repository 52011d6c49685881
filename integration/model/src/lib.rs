//! What the standards permit, written from their texts alone: a small, slow, recursive model of a
//! mail delivery. It shares no code with the program and was written without sight of it: where
//! the two differ, one of them is wrong. Left out: wildcard and DNAME owners, time beyond the expiry of
//! a rule, and the keys that are never looked up (NX-03, NX-05).

/// Plain data; the text above an item tells its parts too.
macro_rules! plain_data {
    ($($data:item)*) => {
        $(#[derive(Clone, Debug, PartialEq, Eq)] #[allow(missing_docs, reason = "above")] $data)*
    };
}

pub mod choice;
pub mod dns;
pub mod law;
pub mod pins;
pub mod postfix;
pub mod rules;
pub mod sts;
pub mod tlsa;
pub mod world;
pub use self::{choice::*, dns::*, law::*, pins::*, postfix::*};
pub use self::{rules::*, sts::*, tlsa::*, world::*};
