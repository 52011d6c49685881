//! From the package file to the first authenticated delivery, by the very lines of docs/install.md.

use std::collections::BTreeSet;
use std::fs;

use super::{Newcomer, delivered, printed};
use crate::lab::servers::until;
use crate::lab::stage::Lab;

/// What was there before the package came.
pub(super) struct Before {
    pub files: BTreeSet<String>,
    pub postfix: String,
}

impl Newcomer {
    /// Runs the block of the page, line by line.
    pub(super) fn first_delivery(&self, lab: &mut Lab<'_>) -> Before {
        let to = format!("first-{}@dane.test", self.suite);
        let (mut assigned, mut before, mut told) = (String::new(), None, String::new());
        let lines = printed(0);
        self.check(lab, lines.len() <= 24, || "more than a screen".to_owned());
        for line in lines {
            if let Some(("TO", _)) = line.split_once('=') {
                assigned = format!("TO={to}; ");
                continue;
            }
            if line.contains("hoplock_*.deb") {
                before = Some(self.before());
            }
            let output = self.machine.run(&format!("{assigned}{line}"));
            told = String::from_utf8_lossy(&output.stdout).into_owned();
            let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
            self.check(lab, output.status.success(), || {
                format!("{line}: {told}{wrong}")
            });
            if line.contains("hoplock_*.deb") {
                self.printed_lines(lab, &told, before.as_ref().unwrap());
            }
            if line.starts_with("hoplock explain") {
                self.check(lab, told.contains("dane-only"), || told.clone());
            }
        }
        self.check(lab, delivered(lab, &to), || {
            let log = self.machine.told("journalctl -n 60 --no-pager");
            format!("the first message was not delivered over TLS\n{log}")
        });
        // The last line is the evidence.
        self.check(
            lab,
            told.contains("Verified TLS") && told.contains("status=sent"),
            || format!("no evidence: {told}"),
        );
        let found = self.doctor();
        self.check(lab, found.is_empty(), || format!("doctor: {found:?}"));
        let map = self.map;
        let line = format!("postmap -q dane.test socketmap:inet:127.0.0.1:8425:{map}");
        let answer = self.machine.told(&line);
        self.check(lab, answer == "dane-only", || format!("{line}: {answer}"));
        before.unwrap()
    }

    /// What is on the machine, but for what comes and goes by itself.
    pub(super) fn before(&self) -> Before {
        Before {
            files: self.files(),
            postfix: self.machine.told(POSTFIX),
        }
    }

    pub(super) fn files(&self) -> BTreeSet<String> {
        let listed = self.machine.told(
            "find / -xdev -not -path '/root/*' -not -path '/var/log/*' -not -path '/var/cache/*' \
             -not -path '/var/lib/apt/*' -not -path '/var/lib/dpkg/*' -not -path '/var/spool/postfix/*/*' \
             -not -path '/var/lib/postfix/*' -not -path '/var/lib/systemd/*' -not -path '/mnt/*'; \
             ls -d /var/spool/postfix/* /var/lib/systemd/deb-systemd-helper-*/* /etc/systemd/system/*",
        );
        let mut files: BTreeSet<_> = listed.lines().map(ToOwned::to_owned).collect();
        // Of the tool that makes users, which keeps copies.
        files.retain(|file| !file.starts_with("/etc/") || !file.ends_with('-'));
        files
    }

    /// Two lines for Postfix, with the map for its version, and two more for one that knows nothing of TLS;
    /// not one of them written by the package.
    fn printed_lines(&self, lab: &mut Lab<'_>, told: &str, before: &Before) {
        let lines: Vec<_> = told
            .lines()
            .filter(|line| line.starts_with("smtp_"))
            .collect();
        let expected = if self.suite == "bookworm" { 2 } else { 4 };
        self.check(lab, lines.len() == expected, || {
            format!("apt printed {told}")
        });
        let map = format!(":{}", self.map);
        self.check(
            lab,
            lines.last().is_some_and(|line| line.ends_with(&map)),
            || format!("{lines:?} are not for this Postfix"),
        );
        let now = self.machine.told(POSTFIX);
        self.check(lab, now == before.postfix, || {
            "the package changed Postfix's configuration".to_owned()
        });
        for file in SHIPPED {
            self.check(lab, self.machine.file(file).exists(), || {
                format!("the package has no {file}")
            });
        }
        let mine = self
            .machine
            .run("systemctl is-enabled hoplock.service hoplock.socket");
        let mine = String::from_utf8_lossy(&mine.stdout).into_owned();
        self.check(lab, mine == "enabled\ndisabled\n", || {
            format!("enabled: {mine:?}")
        });
    }

    /// Sockets and settings that root can open, and others cannot: doctor must see with their eyes.
    pub(super) fn ways_to_ask(&self, lab: &mut Lab<'_>) {
        let main = self.machine.file("etc/postfix/main.cf");
        let good = fs::read_to_string(&main).unwrap();
        let map = self.map;
        let shipped = format!("socketmap:inet:127.0.0.1:8425:{map}");
        for (own, expected) in [
            (format!("socketmap:unix:/hoplock/socketmap:{map}"), None),
            // That one is for root and the group hoplock.
            (
                format!("proxy:socketmap:unix:/run/hoplock/socketmap:{map}"),
                Some("\"postmap\""),
            ),
        ] {
            fs::write(&main, good.replace(&shipped, &own)).unwrap();
            let found = self.doctor();
            let fits = match expected {
                None => found.is_empty(),
                Some(check) => found.len() == 1 && found.iter().all(|one| one.starts_with(check)),
            };
            self.check(lab, fits, || format!("doctor on {own}: {found:?}"));
        }
        fs::write(&main, &good).unwrap();
        // A main.cf for root alone: the daemon learns nothing of Postfix, though root does.
        for (mode, seen) in [("0600", "not-found"), ("0644", "works")] {
            let line = format!("chmod {mode} /etc/postfix/main.cf; systemctl reload hoplock");
            self.machine.told(&line);
            until(
                "the daemon's look at Postfix",
                std::time::Duration::from_secs(60),
                || {
                    let status = self.machine.run("hoplock status --json");
                    let status: serde_json::Value =
                        serde_json::from_slice(&status.stdout).unwrap_or_default();
                    status["postfix"]["own_dane"] == seen
                },
            );
            let found = self.doctor();
            self.check(lab, found.is_empty() == (mode == "0644"), || {
                format!("doctor, main.cf of mode {mode}: {found:?}")
            });
        }
    }
}

/// All that Postfix is told.
pub(super) const POSTFIX: &str = "find /etc/postfix -type f | sort | xargs sha256sum";

const SHIPPED: [&str; 14] = [
    "usr/bin/hoplock",
    "usr/lib/systemd/system/hoplock.service",
    "usr/lib/systemd/system/hoplock.socket",
    "etc/hoplock/hoplock.toml",
    "etc/hoplock/rules.d/README",
    "etc/apparmor.d/hoplock",
    "etc/logcheck/ignore.d.server/hoplock",
    "usr/share/man/man8/hoplock.8.gz",
    "usr/share/man/man8/hoplock-doctor.8.gz",
    "usr/share/bash-completion/completions/hoplock",
    "usr/share/zsh/vendor-completions/_hoplock",
    "usr/share/fish/vendor_completions.d/hoplock.fish",
    "usr/share/doc/hoplock/install.md",
    "usr/share/doc/hoplock/copyright",
];
