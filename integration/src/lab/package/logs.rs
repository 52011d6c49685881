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
             journalctl --no-pager -q -o short _PID=1 | grep hoplock | grep -v watchdog",
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
        let (warnings, routine): (Vec<_>, Vec<_>) = told
            .lines()
            .partition(|line| line.contains(" WARN ") || line.contains(" ERROR "));
        self.check(lab, routine.is_empty(), || {
            format!("logcheck would tell of {routine:#?}")
        });
        let all = lines
            .lines()
            .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
            .count();
        self.check(lab, all > 0 && warnings.len() == all, || {
            format!("logcheck hides warnings: {} of {all} told", warnings.len())
        });
        self.check(
            lab,
            warnings.iter().any(|line| line.contains("bogus.test")),
            || format!("{warnings:?}"),
        );
    }
}
