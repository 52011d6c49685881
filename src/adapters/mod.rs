//! The real world: DNS, policy hosts, mail hosts, the mail server beside us, time.
//!
//! * [`anchor_files`]: trust anchors for a mail server without DANE.
//! * [`clock`]: the only place that asks for the time.
//! * [`courier`]: sends TLS reports.
//! * [`dns`]: a stub that reads the AD bit of a validating resolver.
//! * [`exim`], [`sendmail`]: what those say of their settings.
//! * [`https`]: fetches MTA-STS policies.
//! * [`key_file`]: the key that signs mail.
//! * [`mail_log`]: follows the log of the mail server.
//! * [`postfix`]: what Postfix says of its own settings, and whether its DNSSEC works.
//! * [`program`]: programs of mail servers.
//! * [`smtp`]: speaks to mail hosts to see their TLS.

pub mod anchor_files;
pub mod clock;
pub mod courier;
pub mod dns;
pub mod exim;
pub mod https;
pub mod key_file;
pub mod mail_log;
pub mod postfix;
pub mod program;
pub mod sendmail;
pub mod smtp;
