//! Feeds files and mails with TLS reports to the checks in `hoplock::fuzzing`.
#![forbid(unsafe_code)]
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hoplock::fuzzing::received_report(bytes));
