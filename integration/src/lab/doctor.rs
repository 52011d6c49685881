//! Every trap of `hoplock doctor`: planted once, found; and silence where nothing is planted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hoplock::store::sqlite::SqliteStore;
use hoplock::world::{DaneMemory, Store as _};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;

use super::run::Lab;
use super::servers::{NOT_VALIDATING, must};

/// One trap.
struct Trap {
    /// What doctor must call a problem; several where one thing shows twice.
    checks: &'static [&'static str],
    /// What it must advise; what else it advises is left open.
    advice: &'static [&'static str],
    /// Lines of main.cf, after those of the base.
    main: &'static str,
    /// Options of the smtp service in master.cf, and lines after it.
    master: &'static str,
    /// Lines of hoplock's configuration, after those of the base.
    hoplock: &'static str,
    /// More to prepare.
    more: More,
}

enum More {
    Nothing,
    /// resolv.conf names a resolver that does not validate.
    Resolver,
    /// The chroot's resolv.conf is an old copy.
    OldCopy,
    /// No root certificates.
    Roots,
    /// The state file is of the future.
    Future,
    /// The state file is no state file.
    Garbage,
}

const fn setting(checks: &'static [&'static str], main: &'static str) -> Trap {
    Trap {
        checks,
        advice: &[],
        main,
        master: "",
        hoplock: "",
        more: More::Nothing,
    }
}

const fn advised(advice: &'static [&'static str], main: &'static str) -> Trap {
    Trap {
        advice,
        ..setting(&[], main)
    }
}

const fn of_master(
    checks: &'static [&'static str],
    advice: &'static [&'static str],
    master: &'static str,
) -> Trap {
    Trap {
        advice,
        master,
        ..setting(checks, "")
    }
}

const fn of_hoplock(
    checks: &'static [&'static str],
    advice: &'static [&'static str],
    hoplock: &'static str,
) -> Trap {
    Trap {
        advice,
        hoplock,
        ..setting(checks, "")
    }
}

const fn other(checks: &'static [&'static str], more: More) -> Trap {
    Trap {
        more,
        ..setting(checks, "")
    }
}

const TRAPS: &[Trap] = &[
    setting(
        &["smtp_dns_support_level"],
        "smtp_dns_support_level = enabled",
    ),
    setting(&["smtp_host_lookup"], "smtp_host_lookup = native"),
    setting(&["ignore_mx_lookup_error"], "ignore_mx_lookup_error = yes"),
    setting(
        &["smtp_dns_resolver_options"],
        "smtp_dns_resolver_options = res_dnsrch",
    ),
    setting(&["smtp_tls_security_level"], "smtp_tls_security_level ="),
    setting(
        &["smtp_tls_security_level"],
        "smtp_tls_security_level = encrypt",
    ),
    setting(
        &["smtp_tls_security_level"],
        "smtp_tls_security_level = dane-only",
    ),
    setting(
        &["smtp_tls_fingerprint_digest"],
        "smtp_tls_fingerprint_digest = md5",
    ),
    advised(
        &["smtp_tls_dane_insecure_mx_policy"],
        "smtp_tls_dane_insecure_mx_policy = encrypt",
    ),
    advised(&["inet_protocols"], "inet_protocols = ipv4"),
    advised(&["smtp_mx_address_limit"], "smtp_mx_address_limit = 2"),
    // The level of old is a level: no clear text is claimed.
    advised(
        &["smtp_use_tls"],
        "smtp_tls_security_level =\nsmtp_use_tls = yes",
    ),
    advised(
        &["smtp_tls_policy_maps"],
        "smtp_tls_policy_maps = unionmap:{socketmap:inet:127.0.0.1:8425:postfix}",
    ),
    // Another name of the same socket is no trap.
    setting(
        &[],
        "smtp_tls_policy_maps = socketmap:inet:localhost:8425:postfix",
    ),
    setting(
        &["proxy_read_maps"],
        "smtp_tls_policy_maps = proxy:socketmap:inet:127.0.0.1:8425:postfix\n\
         proxy_read_maps = static:all",
    ),
    setting(
        &[],
        "smtp_tls_policy_maps = proxy:socketmap:inet:127.0.0.1:8425:postfix",
    ),
    setting(&["smtp_tls_policy_maps"], "smtp_tls_policy_maps ="),
    setting(
        &["smtp_tls_policy_maps"],
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix",
    ),
    setting(
        &["map-name"],
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:posfix",
    ),
    setting(
        &["postfix-version"],
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:postfix310",
    ),
    setting(
        &["map-order"],
        "smtp_tls_policy_maps = static:may, socketmap:inet:127.0.0.1:8425:postfix",
    ),
    setting(&["relayhost"], "relayhost = [relay.test]:587"),
    setting(&["default_transport"], "default_transport = uucp"),
    setting(&["ca-store"], "smtp_tls_CAfile = /nowhere/ca.pem"),
    setting(&["ca-store"], "smtp_tls_CAfile ="),
    setting(
        &["ca-store"],
        "smtp_tls_CAfile =\nsmtp_tls_CApath = /nowhere/certs",
    ),
    of_master(
        &["smtp_tls_policy_maps"],
        &[],
        " -o smtp_tls_policy_maps=static:may",
    ),
    of_master(
        &["smtp_tls_security_level"],
        &[],
        " -o { smtp_tls_security_level = none }",
    ),
    of_master(
        &[],
        &[],
        " -o smtp_tls_policy_maps=socketmap:inet:localhost:8425:postfix",
    ),
    of_master(
        &["transport"],
        &[],
        "\nrelay unix - - n - - smtp -o smtp_tls_security_level=none",
    ),
    of_master(
        &[],
        &["transport"],
        "\nbulk unix - - n - - smtp -o smtp_tls_policy_maps=",
    ),
    of_hoplock(
        &[],
        &["sockets"],
        "[listen]\nsocketmap = [\"inet:127.0.0.1:8425\", \"unix:/nowhere/else/map.sock\"]\n\
         control = \"unix:LAB/control.sock\"\n",
    ),
    of_hoplock(
        &["inet_protocols"],
        &[],
        "[profile.postfix]\nfamilies = \"4\"\n",
    ),
    Trap {
        hoplock: "[rules.\"relay.test\"]\nanswer = \"encrypt\"\n",
        ..setting(&[], "relayhost = [relay.test]:587")
    },
    Trap {
        checks: &["configuration", "daemon"],
        advice: &[],
        main: "",
        master: "",
        hoplock: "[dane]\nenable = false\n",
        more: More::Nothing,
    },
    Trap {
        checks: &["sockets", "postmap"],
        advice: &[],
        main: "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8427:postfix",
        master: "",
        hoplock: "[listen]\nsocketmap = [\"inet:127.0.0.1:8427\"]\ncontrol = \"unix:LAB/control.sock\"\n",
        more: More::Nothing,
    },
    Trap {
        checks: &["resolver-trust"],
        advice: &[],
        main: "",
        master: "",
        hoplock: "[dns]\ntrust = \"never\"\n",
        more: More::Nothing,
    },
    // The running daemon goes on with the resolver that it was started with.
    Trap {
        advice: &["daemon-resolver"],
        ..other(&["resolver", "postfix-resolver"], More::Resolver)
    },
    other(&["postfix-resolv-conf", "postfix-resolver"], More::OldCopy),
    other(&["roots"], More::Roots),
    other(&["clock"], More::Future),
    other(&["state"], More::Garbage),
];

/// Plants each.
pub(super) fn traps(lab: &mut Lab<'_>) {
    let folder = lab.folder.join("doctor");
    for part in ["spool/etc", "data", "state"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    must(
        Command::new("chown")
            .arg("postfix")
            .arg(folder.join("data")),
    );
    let well = Trap {
        checks: &[],
        advice: &[],
        main: "",
        master: "",
        hoplock: "",
        more: More::Nothing,
    };
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
            let name = DomainName::parse("e.test").unwrap();
            store.remember_dane(
                name,
                DaneMemory {
                    seen: far,
                    gone: None,
                },
            );
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
        checks: &["chroot"],
        advice: &[],
        main: "",
        master: "",
        hoplock: "",
        more: More::OldCopy,
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
    let well = Trap {
        checks: &[],
        advice: &[],
        main: "",
        master: "",
        hoplock: "",
        more: More::Nothing,
    };
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
