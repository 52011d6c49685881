//! hoplock tells mail servers how each destination must be reached over TLS, and checks that it was.
//!
//! The map of the house, in reading order. Imports point down only:
//! `main → cli → serve → answer → discover → world → hoplock-policy`.
//!
//! * [`cli`]: the commands.
//! * [`serve`]: the daemon.
//! * [`metrics`]: one struct of counters.
//! * [`config`]: text to configuration, or every complaint with its line.
//! * [`answer`]: from a key to an answer, in one function.
//! * [`cache`]: findings by next hop.
//! * [`adapters`]: the real world: DNS, policy hosts, time.
//! * [`discover`]: from a next hop to findings; the only reasoning that waits.
//! * [`demo`]: a small internet to be shown.
//! * [`report`]: sessions that were judged.
//! * [`store`]: what outlives one answer.
//! * [`world`]: the questions to the outside, as traits.
#![forbid(unsafe_code)]

pub mod adapters;
pub mod answer;
pub mod cache;
pub mod cli;
pub mod config;
pub mod demo;
pub mod discover;
pub mod metrics;
pub mod report;
pub mod serve;
pub mod store;
pub mod watch;
pub mod world;

/// What must hold for any bytes at all: a function for each fuzz target, in the room that owns the
/// decoder. Hidden from the documentation: this is no part of the interface.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::adapters::dns::fuzzing::{dns_message, resolv_conf};
    pub use crate::adapters::exim::fuzzing::exim_config;
    pub use crate::adapters::https::fuzzing::policy_response;
    pub use crate::adapters::postfix::fuzzing::postconf;
    pub use crate::adapters::sendmail::fuzzing::sendmail_cf;
    pub use crate::adapters::smtp::openssl::fuzzing::openssl_output;
    pub use crate::config::fuzzing::config;
    pub use crate::report::read::fuzzing::received_report;
    pub use crate::serve::dns_answers::fuzzing::dns_query;
    pub use crate::serve::fuzzing::{host_field, stored_rule};
    pub use crate::store::sqlite::fuzzing::state;
}
