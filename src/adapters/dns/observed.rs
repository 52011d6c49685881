//! What probes of one server come to, one after the other (MX-17).

use hoplock_policy::findings::Validation;

/// What was seen of one server so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    known: Validation,
    without_ad: u8,
}

/// What one probe brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// NOERROR with AD, and the broken name, if there is one, failed.
    Authentic,
    /// NOERROR without AD, or the broken name did not fail.
    Plain,
    /// Anything else.
    Nothing,
}

impl Observation {
    /// True for NOERROR without AD.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self == Self::Plain
    }
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            known: Validation::Unknown,
            without_ad: 0,
        }
    }
}

impl Observed {
    /// Plain answers in a row that convict a resolver.
    pub const CONVICTION: u8 = 3;

    /// What is known after one more probe.
    #[must_use]
    pub fn after(self, observation: Observation) -> Self {
        match observation {
            Observation::Authentic => Self {
                known: Validation::Validating,
                without_ad: 0,
            },
            // An outage or an attack on the probe teaches nothing and forgets nothing.
            Observation::Nothing => self,
            Observation::Plain => {
                let without_ad = self.without_ad.saturating_add(1);
                let convicted = without_ad >= Self::CONVICTION;
                Self {
                    known: if convicted {
                        Validation::NotValidating
                    } else {
                        self.known
                    },
                    without_ad,
                }
            }
        }
    }

    /// The result so far.
    #[must_use]
    pub fn validation(self) -> Validation {
        self.known
    }
}
