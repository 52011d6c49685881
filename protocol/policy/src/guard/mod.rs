//! At submission: what a message may expect of its way, and what the operator wants done about it while
//! the sender still looks at the screen.
//!
//! * [`protection`]: what the answer for a destination protects it by.
//! * [`requiretls`]: whether a message that demands TLS on its whole way can go there (RFC 8689).
//! * [`rules`]: who sends what to whom, and the operator's order for it.
//!
//! Pure, like the law. Which words an MTA is told, and what an order is made of, is not known here: rules
//! carry an order of any type.

pub mod protection;
pub mod requiretls;
pub mod rules;

pub use self::protection::{Protection, expected};
pub use self::requiretls::{Capability, Lack, OnRequireTls, Requirement, capability};
pub use self::rules::{Guard, GuardRule, Handed, Ruling, SenderPattern};
