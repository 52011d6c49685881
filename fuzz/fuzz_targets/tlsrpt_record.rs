//! Feeds TXT records to the checks in `hoplock_policy::fuzzing`.
#![forbid(unsafe_code)]
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hoplock_policy::fuzzing::tlsrpt_record(bytes));
