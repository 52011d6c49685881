//! logcheck's rules, on the lines that this machine's journal has.

use std::fs;
use std::process::Command;

use super::Newcomer;
use crate::lab::servers::must;
use crate::lab::stage::Lab;

impl Newcomer {
    /// What is routine is let pass, and nothing that warns.
    pub(super) fn lines_of_the_log(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        // A destination whose DNSSEC is broken waits, and that is told.
        machine.run(&format!("postmap -q bogus.test {}", self.table()));
        let lines = machine.told(
            "journalctl --no-pager -q -o short -t hoplock; \
             journalctl --no-pager -q -o short _PID=1 | grep hoplock",
        );
        let file = machine.file("root/log");
        fs::write(&file, format!("{lines}\n")).unwrap();
        let rules = machine.file("etc/logcheck/ignore.d.server/hoplock");
        // As logcheck does it.
        let told = must(
            Command::new("sh")
                .args([
                    "-c",
                    "grep -v '^$' \"$1\" | grep -E -v -f - \"$2\"; [ $? -le 1 ]",
                    "sh",
                ])
                .args([&rules, &file]),
        );
        let alarming = |line: &&str| {
            ALARMING.iter().any(|words| line.contains(words)) || line.contains(" ERROR ")
        };
        let (alarms, routine): (Vec<_>, Vec<_>) = told.lines().partition(alarming);
        self.check(lab, routine.is_empty(), || {
            format!("logcheck would tell of {routine:#?}")
        });
        let all = lines.lines().filter(alarming).count();
        self.check(lab, alarms.len() == all, || {
            format!("logcheck tells of {} alarms, of {all}", alarms.len())
        });
        for words in ALARMING {
            self.check(lab, alarms.iter().any(|line| line.contains(words)), || {
                format!("there is no line with {words:?}")
            });
        }
    }
}

/// What this run has made the journal say, and an administrator must see.
const ALARMING: [&str; 9] = [
    " WARN ",
    "Postfix's own DNSSEC lookups are off",
    "error: not TOML",
    "Reload failed",
    "Watchdog timeout",
    "process exited, code=",
    "with signal SIGABRT",
    "Failed with result",
    "Scheduled restart job",
];
