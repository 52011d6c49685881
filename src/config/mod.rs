//! Configuration: text in, a value or every complaint with its line out. Pure.
//!
//! An empty text is valid. One table of keys ([`KEYS`], [`PROFILE_KEYS`], [`RULE_KEYS`]) drives what
//! is known, what is suggested for a mistyped key, and what is printed. Not done here: reading files.

mod complaint;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod keys;
mod listen;
mod literal;
mod parse;
mod print;
mod profiles;
mod reader;
mod report;
mod rules;
mod sections;
mod types;
mod watch;
mod words;

pub use self::complaint::{Complaint, Severity};
pub use self::guard::{DecideAt, GuardConfig, OnTrouble, Order};
pub use self::keys::{GUARD_RULE_KEYS, KEYS, Key, PROFILE_KEYS, RULE_KEYS};
pub use self::report::{Collector, Dkim, Mailer, ReportConfig};
pub use self::types::{
    Config, DaneConfig, DnsConfig, Endpoint, Limits, Listen, LogConfig, LogFormat, LogSource,
    SharedUrl, Sources, StoreConfig, StsConfig,
};
pub use self::watch::WatchConfig;
