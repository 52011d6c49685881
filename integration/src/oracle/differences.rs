//! Where our verifier means to differ from OpenSSL: every reason, and by which facts of a case it is
//! known. A difference that none of them explains is a fault.

use super::plan::Plan;

/// A reason to differ.
#[derive(Debug)]
pub struct Difference {
    /// The requirement that says so.
    pub requirement: &'static str,
    /// In a sentence.
    pub reason: &'static str,
    /// Who accepts.
    pub side: Side,
    /// Whether the facts of a case are such. The verdicts are not looked at.
    pub applies: fn(&Plan) -> bool,
}

/// Who accepts where the other refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    We,
    OpenSsl,
}

/// At most ten.
pub const ALL: &[Difference] = &[];

/// The first reason that explains why one side alone accepts.
pub fn explain(plan: &Plan, who_accepts: Side) -> Option<&'static Difference> {
    ALL.iter()
        .find(|difference| difference.side == who_accepts && (difference.applies)(plan))
}
