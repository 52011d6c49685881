//! The law of TLS for mail between servers: DANE for SMTP (RFC 7672) and MTA-STS (RFC 8461).
//!
//! Pure: no socket, file, clock, environment or `async`. Time is an argument, evidence is a value.
//! In reading order:
//!
//! 1. [`name`], [`next_hop`]: what an MTA asks about.
//! 2. [`dns`], [`tlsa`], [`sts`]: what a destination publishes, and with which security status.
//! 3. [`findings`]: all evidence about one destination; a failed lookup is a finding too.
//! 4. [`rules`], [`profile`]: what the operator ordered, and what the MTA can do.
//! 5. [`law`]: duty, outcome, choice; the three functions that make a [`law::Verdict`].
//! 6. [`verify`]: sessions judged after the fact.
//! 7. [`render`]: a verdict in the words of one MTA.
//! 8. [`guard`]: what is done with a message when it is handed in.
//! 9. [`tlsrpt`]: who wants TLS reports, which day one covers, and where it goes.
//! 10. [`transmitted`]: what a client may record of a session; opt-in, and no RFC.
#![forbid(unsafe_code)]

pub mod dns;
pub mod findings;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
pub mod law;
pub mod moment;
pub mod name;
pub mod next_hop;
pub mod profile;
pub mod reason;
pub mod render;
pub mod rules;
pub mod sts;
pub mod tlsa;
pub mod tlsrpt;
pub mod transmitted;
mod txt_record;
pub mod verify;
