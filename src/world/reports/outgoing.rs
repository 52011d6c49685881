//! A report that leaves: claimed once, then sent to each of its targets until each has it.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{Day, ReportTarget};

/// Which report: there is one for each day and domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportKey {
    /// The day.
    pub day: Day,
    /// The domain whose record asks for reports.
    pub domain: DomainName,
}

/// A claimed report. Its document, its id and all names made from them never change: whoever gets it twice
/// can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Which.
    pub key: ReportKey,
    /// The report-id, which the file name and Message-ID are made from too.
    pub report_id: String,
    /// The JSON, as it leaves.
    pub document: Vec<u8>,
    /// Sessions that kept their policy.
    pub successful: u64,
    /// Sessions that did not.
    pub failed: u64,
    /// When it was claimed.
    pub claimed: Timestamp,
    /// Where it goes; never nowhere.
    pub deliveries: Vec<Delivery>,
}

impl Outgoing {
    /// When something is to be done next; `None`: never again.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let waiting = self.deliveries.iter().filter_map(|own| match own.state {
            DeliveryState::Waiting { next } => Some(next),
            DeliveryState::Delivered { .. } | DeliveryState::GivenUp { .. } => None,
        });
        waiting.min()
    }
}

/// A report on its way to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it goes.
    pub target: ReportTarget,
    /// Where it would go, where the operator has it redirected (for trials).
    pub redirected_from: Option<ReportTarget>,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When the first was, from which the 24 hours count (RFC 8460, 5.5).
    pub first: Option<Timestamp>,
    /// What the last one came to, in words.
    pub last: String,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried at this time.
    Waiting {
        /// When.
        next: Timestamp,
    },
    /// Confirmed: never sent again.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// Not sent any more (RP-15).
    GivenUp {
        /// When.
        at: Timestamp,
    },
}
