//! Arguments to one command to an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hoplock::cli::run()
}
