//! Every trap of `hoplock doctor`: planted once, found; and silence where nothing is planted.

mod traps;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hoplock::store::sqlite::SqliteStore;
use hoplock::world::{DaneMemory, Store as _};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::next_hop::NextHop;

use self::traps::{More, TRAPS, Trap};
use super::servers::{NOT_VALIDATING, must};
use super::stage::Lab;

/// Plants each.
pub(super) fn traps(lab: &mut Lab<'_>) {
    let folder = lab.folder.join("doctor");
    for part in ["spool/etc", "data", "state", "anchors", "closed"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    must(Command::new("chmod").arg("700").arg(folder.join("closed")));
    must(
        Command::new("chown")
            .arg("postfix")
            .arg(folder.join("data")),
    );
    let well = Trap::none();
    let found = examine(lab, &folder, &well);
    lab.report
        .check(found.problems.is_empty() && found.advice.is_empty(), || {
            format!("doctor on a good system: {found:?}")
        });
    for (number, trap) in TRAPS.iter().enumerate() {
        let found = examine(lab, &folder, trap);
        let expected: BTreeSet<String> =
            trap.checks.iter().map(|&check| check.to_owned()).collect();
        // A broken configuration ends the examination before the rest.
        let fits = if trap.checks.contains(&"configuration") {
            found.problems.contains("configuration")
        } else {
            let advised = trap.advice.iter();
            found.problems == expected && advised.clone().all(|&check| found.advice.contains(check))
        };
        lab.report.check(fits, || {
            format!(
                "doctor, trap {number} ({} {} {}): {found:?}, expected {expected:?} and advice {:?}",
                trap.main, trap.master, trap.hoplock, trap.advice
            )
        });
    }
    chroot_trap(lab, &folder);
    stopped(lab, &folder);
    println!("doctor: {} traps", TRAPS.len() + 2);
}

/// What doctor finds that is not fine, by the words of its checks.
#[derive(Debug, Default)]
struct Found {
    problems: BTreeSet<String>,
    advice: BTreeSet<String>,
}

fn examine(lab: &Lab<'_>, folder: &Path, trap: &Trap) -> Found {
    plant(lab, folder, trap);
    look(lab, folder, trap)
}

fn plant(lab: &Lab<'_>, folder: &Path, trap: &Trap) {
    let lab_folder = lab.folder.display();
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {0}/spool\ndata_directory = {0}/data\n\
         myhostname = client.lab.test\nsmtp_tls_security_level = may\n\
         smtp_tls_CAfile = {lab_folder}/ca.pem\nsmtp_dns_support_level = dnssec\n\
         smtp_tls_dane_insecure_mx_policy = dane\n\
         smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:postfix\n{1}\n",
        folder.display(),
        trap.main
    );
    fs::write(folder.join("main.cf"), main).unwrap();
    let chrooted = if matches!(trap.more, More::OldCopy) {
        "y"
    } else {
        "n"
    };
    let master = format!("smtp unix - - {chrooted} - - smtp{}\n", trap.master);
    fs::write(folder.join("master.cf"), master).unwrap();
    fs::write(
        folder.join("spool/etc/resolv.conf"),
        format!("nameserver {NOT_VALIDATING}\n"),
    )
    .unwrap();
    let state = match trap.more {
        More::Future => {
            let path = folder.join("state/future.db");
            let _ = fs::remove_file(&path);
            let far = Moment {
                wall: Timestamp(u64::MAX / 1_000_000),
                uptime: Duration::from_secs(1),
            };
            let store = SqliteStore::open(&path, 8, far).unwrap();
            let name = NextHop::parse("e.test");
            store.remember_dane(
                name,
                DaneMemory {
                    seen: far,
                    gone: None,
                },
            );
            path
        }
        More::Nobody => {
            let path = folder.join("state/nobody.db");
            fs::copy(lab.folder.join("state.db"), &path).unwrap();
            must(Command::new("chown").arg("nobody").arg(&path));
            path
        }
        More::Garbage => {
            let path = folder.join("state/garbage.db");
            fs::write(&path, "no state\n".repeat(1000)).unwrap();
            path
        }
        _ => lab.folder.join("state.db"),
    };
    let listen = format!("[listen]\ncontrol = \"unix:{lab_folder}/control.sock\"\n");
    let more = trap.hoplock.replace("LAB", &lab_folder.to_string());
    let listen = if more.contains("[listen]") {
        ""
    } else {
        &listen
    };
    let config = format!(
        "{listen}[sts]\nroots = [\"{lab_folder}/ca.pem\"]\n[store]\npath = \"{}\"\n{more}",
        state.display()
    );
    let config = if matches!(trap.more, More::Roots) {
        config.replace(&format!("roots = [\"{lab_folder}/ca.pem\"]"), "roots = []")
    } else {
        config
    };
    fs::write(folder.join("hoplock.toml"), config).unwrap();
}

fn look(lab: &Lab<'_>, folder: &Path, trap: &Trap) -> Found {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "$BEFORE; exec \"$0\" \"$@\""]);
    command.arg(lab.hoplock.binary());
    command.args(["doctor", "--json", "--config"]);
    command.arg(folder.join("hoplock.toml"));
    command.env("MAIL_CONFIG", folder).stderr(Stdio::inherit());
    let before = match trap.more {
        More::Resolver => format!(
            "mount --bind {}/spool/etc/resolv.conf /etc/resolv.conf",
            folder.display()
        ),
        _ => "true".to_owned(),
    };
    command.env("BEFORE", before);
    if matches!(trap.more, More::Roots) {
        command
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", "/nowhere");
    }
    let output = command.output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "doctor: {error}: {}",
            String::from_utf8_lossy(&output.stdout)
        )
    });
    let findings = value["findings"].as_array().cloned().unwrap_or_default();
    let mut found = Found::default();
    for finding in findings {
        let checks = match finding["state"].as_str() {
            Some("problem") => &mut found.problems,
            Some("advice") => &mut found.advice,
            _ => continue,
        };
        // Each comes with its cure.
        assert!(
            finding["cure"]
                .as_str()
                .is_some_and(|cure| !cure.is_empty()),
            "{finding}"
        );
        checks.insert(finding["check"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(
        output.status.code(),
        Some(i32::from(!found.problems.is_empty()))
    );
    found
}

/// A unix socket that smtp(8) looks for inside its chroot.
fn chroot_trap(lab: &mut Lab<'_>, folder: &Path) {
    let trap = Trap {
        more: More::OldCopy,
        ..Trap::none()
    };
    plant(lab, folder, &trap);
    let socket = folder.join("map.sock");
    fs::copy("/etc/resolv.conf", folder.join("spool/etc/resolv.conf")).unwrap();
    let main = fs::read_to_string(folder.join("main.cf")).unwrap();
    let place = format!("socketmap:unix:{}:postfix", socket.display());
    let main = main.replace("socketmap:inet:127.0.0.1:8425:postfix", &place);
    fs::write(folder.join("main.cf"), main).unwrap();
    let config = fs::read_to_string(folder.join("hoplock.toml")).unwrap();
    let listen = format!("[listen]\nsocketmap = [\"unix:{}\"]\n", socket.display());
    fs::write(
        folder.join("hoplock.toml"),
        config.replacen("[listen]\n", &listen, 1),
    )
    .unwrap();
    // Nobody listens at that socket: what is looked at is where Postfix looks.
    let found = look(lab, folder, &trap);
    lab.report.check(found.problems.contains("chroot"), || {
        format!("doctor, the chroot: {found:?}")
    });
}

/// The daemon is down.
fn stopped(lab: &mut Lab<'_>, folder: &Path) {
    let well = Trap::none();
    lab.hoplock.kill();
    let found = examine(lab, folder, &well);
    let expected = ["daemon", "postmap", "sockets"].map(ToOwned::to_owned);
    lab.report
        .check(found.problems == BTreeSet::from(expected), || {
            format!("doctor, hoplock down: {found:?}")
        });
    lab.hoplock.restart();
    let sessions = Arc::clone(&lab.sessions);
    sessions.lock().unwrap().clear();
}
