//! A second opinion on certificates under DANE: OpenSSL, set as Postfix sets it, judges what our
//! verifier judges, over thousands of generated cases.
//!
//! In reading order:
//!
//! 1. `plan`: a case as it is meant. `base` draws those that are to be accepted, `mutate` changes
//!    one fact in them.
//! 2. `certificate`, `subject`, `extension`, `der`: certificates, however odd, in octets;
//!    `with_rcgen` writes the plain ones another way. `keys`: a pool, made once.
//! 3. `case`: the octets that both verifiers get.
//! 4. `program`, `ours`: both verifiers; OpenSSL's is a C program of its own.
//! 5. `run`: all of it, thousands of times; `tally`: what came of it; `dump`: a case in full.
//! 6. `differences`: where we mean to differ.

pub mod base;
pub mod case;
pub mod certificate;
mod compare;
mod cures;
pub mod der;
pub mod differences;
mod draw;
pub mod dump;
pub mod extension;
pub mod keys;
pub mod mutate;
pub mod ours;
pub mod plan;
pub mod program;
pub mod run;
pub mod subject;
pub mod tally;
mod with_rcgen;
