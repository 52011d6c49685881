//! What was checked, and what was wrong.

use std::process::ExitCode;

/// The count of checks, and the words of those that failed.
#[derive(Default)]
pub struct Report {
    pub passed: usize,
    pub failed: Vec<String>,
}

impl Report {
    pub fn check(&mut self, good: bool, words: impl FnOnce() -> String) {
        if good {
            self.passed += 1;
        } else {
            let words = words();
            println!("FAILED {words}");
            self.failed.push(words);
        }
    }

    /// The last line, and what the process ends with.
    pub fn verdict(&self) -> ExitCode {
        let failed = self.failed.len();
        println!("{} passed, {failed} failed", self.passed);
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
