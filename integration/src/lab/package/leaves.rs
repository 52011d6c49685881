//! Upgrade, removal and purge: what is kept, what waits, what is left.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::first::{Before, POSTFIX};
use super::{Newcomer, delivered};
use crate::lab::servers::{must, until};
use crate::lab::stage::Lab;

impl Newcomer {
    /// From an older package, whose state file has the first schema and whose configuration was changed.
    pub(super) fn upgrade(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        machine.told("hoplock rule add kept.test --answer encrypt --until 2d --comment kept");
        self.older_package();
        machine.told(
            "apt-get install -y --allow-downgrades ./older.deb
             systemctl stop hoplock
             printf '\\n[limits]\\njournal_days = 7\\n' >> /etc/hoplock/hoplock.toml",
        );
        let version = "dpkg-query -W -f '${Version}' hoplock";
        let older = machine.told(version);
        let state = machine.file("var/lib/hoplock/hoplock.db");
        must(
            Command::new("python3")
                .args(["-c", FIRST_SCHEMA])
                .arg(&state),
        );
        let told = machine.told("apt-get install -y ./hoplock_*.deb");
        self.check(lab, machine.told(version) != older, || told.clone());
        // Who upgrades has connected it already.
        self.check(lab, !told.contains("does not ask yet"), || told.clone());
        self.check(lab, machine.is("systemctl is-active -q hoplock"), || {
            machine.told("journalctl -u hoplock -n 20 --no-pager -o cat")
        });
        self.check(lab, self.answers("kept.test", "encrypt"), || {
            "the upgrade lost a rule of the state file".to_owned()
        });
        let kept = machine.told("hoplock config print | grep journal_days; ls /etc/hoplock");
        self.check(
            lab,
            kept.contains("journal_days = 7") && !kept.contains("dpkg"),
            || format!("the changed configuration: {kept}"),
        );
        machine.told("systemctl stop hoplock");
        let schema = must(Command::new("python3").args(["-c", SCHEMA]).arg(&state));
        self.check(lab, schema.trim() == "3", || format!("schema {schema}"));
        machine.told("systemctl start hoplock");
    }

    /// The same package under a lower version.
    fn older_package(&self) {
        let place = self.machine.file("root");
        let unpacked = place.join("older");
        must(
            Command::new("dpkg-deb")
                .arg("-R")
                .arg(&self.package)
                .arg(&unpacked),
        );
        let control = unpacked.join("DEBIAN/control");
        let text = fs::read_to_string(&control).unwrap();
        let lower: Vec<_> = text
            .lines()
            .map(|line| match line.strip_prefix("Version: ") {
                Some(_) => "Version: 0.0.9-1",
                None => line,
            })
            .collect();
        fs::write(&control, lower.join("\n") + "\n").unwrap();
        must(
            Command::new("dpkg-deb")
                .args(["-b", "-Znone"])
                .arg(&unpacked)
                .arg(place.join("older.deb")),
        );
        fs::remove_dir_all(&unpacked).unwrap();
    }

    /// Removed while Postfix still asks: mail waits and does not bounce, and goes out when hoplock is back.
    pub(super) fn removal(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        let output = machine.run("apt-get remove -y hoplock");
        let words = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        self.check(
            lab,
            output.status.success() && words.contains("Postfix still asks hoplock"),
            || format!("removal: {words}"),
        );
        for (kept, there) in [
            ("etc/hoplock/hoplock.toml", true),
            ("var/lib/hoplock/hoplock.db", true),
            ("usr/bin/hoplock", false),
            ("run/hoplock", false),
        ] {
            let is = machine.is(&format!("test -e /{kept}"));
            self.check(lab, is == there, || {
                format!("after the removal: {kept} {is}")
            });
        }
        let to = format!("removed-{}@dane.test", self.suite);
        self.send(&to);
        let waits = format!("journalctl --no-pager | grep 'to=<{to}>' | grep -q status=deferred");
        machine.until("the wait for a removed hoplock", &waits);
        machine.told("apt-get install -y ./hoplock_*.deb");
        until("hoplock after its return", Duration::from_secs(30), || {
            self.answers("dane.test", "dane-only")
        });
        machine.told("postqueue -f");
        self.check(lab, delivered(lab, &to), || {
            format!("{to} was not delivered after the return")
        });
        let bounced = machine.is("journalctl --no-pager | grep -q status=bounced");
        self.check(lab, !bounced, || "a message bounced".to_owned());
    }

    /// Nothing of it is left but the user; what people put beside it stays, and Postfix is as people left it.
    pub(super) fn purge(&self, lab: &mut Lab<'_>, before: &Before) {
        let machine = &self.machine;
        machine.told("sed -i '/^smtp_tls_policy_maps/d' /etc/postfix/main.cf; postfix reload");
        let postfix = machine.told(POSTFIX);
        let output = machine.run("apt-get purge -y hoplock");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        self.check(
            lab,
            output.status.success() && !words.contains("still asks"),
            || format!("purge: {words}"),
        );
        self.check(lab, machine.told(POSTFIX) == postfix, || {
            "the purge changed Postfix's configuration".to_owned()
        });
        let mine = "/etc/hoplock/rules.d/mine.toml";
        self.check(lab, machine.is(&format!("grep -q ruled {mine}")), || {
            "the purge took a rule of the administrator's".to_owned()
        });
        machine.told(&format!(
            "rm {mine}; rmdir -p /etc/hoplock/rules.d 2>/dev/null || true"
        ));
        let left: Vec<_> = self.files().difference(&before.files).cloned().collect();
        self.check(lab, left.is_empty(), || format!("the purge left {left:?}"));
        self.check(lab, machine.is("id hoplock"), || "no user".to_owned());
    }
}

/// Whether the state file has what only later schemas have.
const SCHEMA: &str = "import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version').fetchone()[0])";

/// Makes a state file what the first schema had.
const FIRST_SCHEMA: &str = "import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
for table in 'alarms sessions tally tally_closed outgoing mailed received identity'.split():
    file.execute(f'DROP TABLE {table}')
file.execute('PRAGMA user_version = 1')
file.commit()";
