//! Feeds TLS reports to the checks in `hoplock_wire::fuzzing`.
#![forbid(unsafe_code)]
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hoplock_wire::fuzzing::tlsrpt_document(bytes));
