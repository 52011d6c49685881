//! Configuration: text in, a value or every complaint with its line out. Pure.
//!
//! An empty text is valid. One table of keys ([`keys`]) drives what is known, what is suggested for
//! a mistyped key, and what is printed. Not done here: reading files.

mod complaint;
mod keys;
mod listen;
mod print;
mod profiles;
mod reader;
mod rules;
mod sections;
mod types;

pub use self::complaint::{Complaint, Severity};
pub use self::keys::{KEYS, Key};
pub use self::types::{
    Config, DaneConfig, DnsConfig, Endpoint, Limits, Listen, LogConfig, LogFormat, StoreConfig,
    StsConfig,
};
