//! The unit under a real systemd: what it may do, reload, watchdog, and the socket that systemd holds.

use std::time::{Duration, Instant};

use super::{Newcomer, printed};
use crate::lab::servers::until;
use crate::lab::stage::Lab;

impl Newcomer {
    pub(super) fn unit(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        let shown = machine.told(
            "systemctl show hoplock -p ActiveState -p User -p Group -p Type -p NoNewPrivileges \
             -p CapabilityBoundingSet -p UMask -p ProtectSystem -p NotifyAccess",
        );
        for line in [
            "ActiveState=active",
            "User=hoplock",
            "Group=hoplock",
            "Type=notify",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "ProtectSystem=strict",
        ] {
            self.check(lab, shown.lines().any(|own| own == line), || {
                format!("{line} is not in {shown}")
            });
        }
        let status = machine.told("cat /proc/$(systemctl show hoplock -P MainPID)/status");
        // Every right gone, and a filter of system calls in force.
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"] {
            self.check(lab, status.contains(line), || format!("{line}: {status}"));
        }
        let exposed =
            machine.told("systemd-analyze security hoplock.service --no-pager | tail -n 1");
        let figure = exposed
            .split_whitespace()
            .find_map(|word| word.parse::<f64>().ok());
        println!("  {}: {exposed}", self.suite);
        self.check(lab, figure.is_some_and(|figure| figure <= 1.5), || exposed);
        let sockets = machine.told(
            "stat -c '%a %U:%G' /run/hoplock /var/lib/hoplock \
             /var/spool/postfix/hoplock /var/spool/postfix/hoplock/socketmap",
        );
        let expected =
            "750 hoplock:hoplock\n750 hoplock:hoplock\n2750 hoplock:postfix\n660 hoplock:postfix";
        self.check(lab, sockets == expected, || format!("modes: {sockets}"));
        // OP-10: nobody outside of this machine reaches anything.
        let open =
            machine.told("awk '$4 == \"0A\" { print $2 }' /proc/net/tcp /proc/net/tcp6 | sort -u");
        for (port, hex) in [(8425, "20E9"), (8426, "20EA")] {
            let mine: Vec<_> = open.lines().filter(|own| own.ends_with(hex)).collect();
            self.check(lab, mine == [format!("0100007F:{hex}")], || {
                format!("port {port}: {mine:?}")
            });
        }
        self.the_journal_is_read(lab);
        self.reload_and_watchdog(lab);
    }

    /// SV-10: sessions of Postfix's log are judged under the unit, too, once its user may read the journal.
    fn the_journal_is_read(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        let file = "/etc/hoplock/hoplock.toml";
        machine.told(&format!(
            "usermod -aG systemd-journal hoplock; cp -p {file} before.toml
             printf '[sources]\\npostfix_log = \"journal\"\\n' >> {file}; systemctl restart hoplock"
        ));
        // It is read from its end on, a moment later.
        machine.until(
            "journalctl under the unit",
            "grep -l journalctl /proc/[0-9]*/comm | grep -q .",
        );
        let to = format!("journal-{}@dane.test", self.suite);
        until("a session of the journal", Duration::from_secs(30), || {
            self.send(&to);
            std::thread::sleep(Duration::from_secs(1));
            let told = machine.told("hoplock sessions --json");
            told.contains("postfix-log") && told.contains("authenticated-dane")
        });
        let log = machine.told("journalctl -u hoplock -n 60 --no-pager -o cat");
        self.check(lab, !log.contains("cannot be followed"), || log);
        machine.told(&format!(
            "cat before.toml > {file}; systemctl restart hoplock"
        ));
    }

    /// A reload with mistakes fails where somebody looks, and changes nothing; a daemon that hangs is
    /// started anew.
    fn reload_and_watchdog(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        let rule = "/etc/hoplock/rules.d/mine.toml";
        machine.told(&format!("echo nonsense > {rule}"));
        self.check(lab, !machine.is("systemctl reload hoplock"), || {
            "a reload with mistakes ends well".to_owned()
        });
        self.check(lab, self.answers("dane.test", "dane-only"), || {
            "a reload with mistakes changed the answer".to_owned()
        });
        machine.told(&format!(
            "printf '[rules.\"ruled.test\"]\\nanswer = \"encrypt\"\\n' > {rule}; systemctl reload hoplock"
        ));
        machine.until(
            "the rule",
            &format!("postmap -q ruled.test {} | grep -qx encrypt", self.table()),
        );
        machine.told(
            "mkdir -p /run/systemd/system/hoplock.service.d
             printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/hoplock.service.d/quick.conf
             systemctl daemon-reload; systemctl restart hoplock
             kill -STOP $(systemctl show hoplock -P MainPID)",
        );
        machine.until(
            "the watchdog",
            "systemctl show hoplock -P NRestarts | grep -qx 1 && systemctl is-active -q hoplock",
        );
        machine.told(
            "rm -r /run/systemd/system/hoplock.service.d; systemctl daemon-reload; \
             systemctl restart hoplock",
        );
        self.check(lab, self.answers("dane.test", "dane-only"), || {
            "no answer after the watchdog".to_owned()
        });
    }

    /// With hoplock.socket as docs/install.md switches it on, nobody who asks during a restart is refused.
    pub(super) fn restart_without_a_gap(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        for line in printed(1) {
            machine.told(&line);
        }
        let asking = format!(
            "(for turn in 1 2 3; do systemctl restart hoplock; done; touch /run/restarted) & \
             n=0; while [ ! -e /run/restarted ]; do \
             postmap -q dane.test {} >/dev/null || exit 1; n=$((n + 1)); done; echo $n",
            self.table()
        );
        let started = Instant::now();
        let output = machine.run(&asking);
        let count = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse::<u32>();
        self.check(
            lab,
            output.status.success() && count.as_ref().is_ok_and(|count| *count > 3),
            || {
                format!(
                    "asked {count:?} times in {:?} over three restarts: {}",
                    started.elapsed(),
                    String::from_utf8_lossy(&output.stderr)
                )
            },
        );
        let log = machine.told("journalctl -u hoplock -n 60 --no-pager -o cat");
        self.check(lab, !log.contains("systemd handed over"), || log);
        // A question starts a daemon that was stopped.
        machine.told("systemctl stop hoplock.service 2>/dev/null");
        self.check(lab, self.answers("dane.test", "dane-only"), || {
            "a question does not start the service".to_owned()
        });
        machine.told("systemctl disable --now hoplock.socket; systemctl restart hoplock.service");
    }

    pub(super) fn table(&self) -> String {
        format!("socketmap:inet:127.0.0.1:8425:{}", self.map)
    }

    /// Whether the daemon gives that answer.
    pub(super) fn answers(&self, domain: &str, answer: &str) -> bool {
        let line = format!("postmap -q {domain} {}", self.table());
        self.machine.run(&line).stdout == format!("{answer}\n").into_bytes()
    }
}
