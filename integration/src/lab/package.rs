//! The Debian package, installed by apt in a fresh Debian 12: the newcomer's way, step by step.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::postfix::program;
use super::servers::{enter, must, until};
use super::stage::Lab;

/// `root` is a Debian 12 in which apt has installed Postfix and the package.
pub(super) fn installed(lab: &mut Lab<'_>, root: &Path) {
    enter(root, lab.folder);
    let run = |words: &[&str]| -> Output {
        let (name, arguments) = words.split_first().unwrap();
        program(Some(root), name).args(arguments).output().unwrap()
    };
    for file in [
        "usr/bin/hoplock",
        "etc/hoplock/hoplock.toml",
        "usr/lib/systemd/system/hoplock.service",
        "usr/share/man/man8/hoplock.8.gz",
    ] {
        lab.report.check(root.join(file).exists(), || {
            format!("the package has no {file}")
        });
    }
    // The lab's ports: this Postfix keeps to its own address.
    must(program(Some(root), "postconf").args([
        "-e",
        "inet_interfaces = 127.0.0.1",
        "inet_protocols = ipv4",
    ]));
    // On a machine with systemd the installation has started it.
    let started = run(&["/etc/init.d/postfix", "start"]);
    lab.report.check(started.status.success(), || {
        format!("postfix: {}", String::from_utf8_lossy(&started.stderr))
    });
    let mut daemon = start(root);
    let first = doctor(root);
    let expected = ["smtp_dns_support_level", "smtp_tls_policy_maps"].map(ToOwned::to_owned);
    lab.report.check(first == BTreeSet::from(expected), || {
        format!("doctor on a stock Debian 12: {first:?}\n{}", page(root))
    });
    // The two lines.
    let mut main = fs::read_to_string(root.join("etc/postfix/main.cf")).unwrap();
    main.push_str(
        "smtp_dns_support_level = dnssec\n\
         smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:postfix\n",
    );
    fs::write(root.join("etc/postfix/main.cf"), main).unwrap();
    let reloaded = run(&["postfix", "reload"]);
    lab.report.check(reloaded.status.success(), || {
        format!("postfix: {}", String::from_utf8_lossy(&reloaded.stderr))
    });
    // It is looked at every half minute while it is not well.
    let seen = || {
        let status = run(&["hoplock", "status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["postfix"]["own_dane"] == "works"
    };
    until("own_dane in the package", Duration::from_secs(60), seen);
    let second = doctor(root);
    lab.report.check(second.is_empty(), || {
        format!("doctor after the change: {second:?}\n{}", page(root))
    });
    let map = "socketmap:inet:127.0.0.1:8425:postfix";
    let told = run(&["postmap", "-q", "dane.test", map]);
    let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    lab.report.check(told == "dane-only", || {
        format!("postmap in the package: {told:?}")
    });
    ways_to_ask(lab, root, &daemon);
    deliver(lab, root);
    let status = run(&["hoplock", "status"]);
    lab.report.check(status.status.success(), || {
        format!("status: {}", String::from_utf8_lossy(&status.stdout))
    });
    must(Command::new("kill").args(["-TERM", &daemon.id().to_string()]));
    let drained = daemon.wait().unwrap().code();
    lab.report.check(drained == Some(0), || {
        format!("the package's daemon drained with {drained:?}")
    });
    lab.report
        .check(root.join("var/lib/hoplock/hoplock.db").exists(), || {
            "no state file in /var/lib/hoplock".to_owned()
        });
    let _ = run(&["/etc/init.d/postfix", "stop"]);
    purge(lab, root);
}

/// Sockets and settings that root can open, and others cannot: doctor must see with their eyes.
fn ways_to_ask(lab: &mut Lab<'_>, root: &Path, daemon: &Child) {
    let main = root.join("etc/postfix/main.cf");
    let good = fs::read_to_string(&main).unwrap();
    let map = "socketmap:inet:127.0.0.1:8425:postfix";
    for (own, expected) in [
        ("socketmap:unix:/hoplock/socketmap:postfix", None),
        // That one is for root and the group hoplock.
        (
            "proxy:socketmap:unix:/run/hoplock/socketmap:postfix",
            Some("postmap".to_owned()),
        ),
    ] {
        fs::write(&main, good.replace(map, own)).unwrap();
        let found = doctor(root);
        lab.report
            .check(found == expected.into_iter().collect(), || {
                format!("doctor on {own}: {found:?}\n{}", page(root))
            });
    }
    fs::write(&main, &good).unwrap();
    // A main.cf for root alone: the daemon learns nothing of Postfix, though root does.
    for (mode, seen, expected) in [
        ("0600", "not-found", Some("alarm".to_owned())),
        ("0644", "works", None),
    ] {
        must(Command::new("chmod").arg(mode).arg(&main));
        must(Command::new("kill").args(["-HUP", &daemon.id().to_string()]));
        until(
            "the daemon's look at Postfix",
            Duration::from_secs(60),
            || {
                let status = program(Some(root), "hoplock")
                    .args(["status", "--json"])
                    .output()
                    .unwrap();
                let status: serde_json::Value =
                    serde_json::from_slice(&status.stdout).unwrap_or_default();
                status["postfix"]["own_dane"] == seen
            },
        );
        let found = doctor(root);
        lab.report
            .check(found == expected.into_iter().collect(), || {
                format!("doctor, main.cf of mode {mode}: {found:?}\n{}", page(root))
            });
    }
}

/// As the unit does, as far as a folder without systemd allows.
fn start(root: &Path) -> Child {
    for (folder, mode) in [("run/hoplock", "0750"), ("var/lib/hoplock", "0750")] {
        let place = Path::new("/").join(folder);
        must(
            program(Some(root), "install")
                .args(["-d", "-o", "hoplock", "-g", "hoplock", "-m", mode])
                .arg(place),
        );
    }
    let log = fs::File::create(root.join("var/log/hoplock.log")).unwrap();
    let mut command = program(Some(root), "setpriv");
    command.args([
        "--reuid",
        "hoplock",
        "--regid",
        "hoplock",
        "--init-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]);
    command.args(["hoplock", "serve"]);
    command.env("STATE_DIRECTORY", "/var/lib/hoplock");
    let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
    until("the package's daemon", Duration::from_secs(30), || {
        TcpStream::connect("127.0.0.1:8425").is_ok()
    });
    child
}

/// The problems that doctor tells root of.
fn doctor(root: &Path) -> BTreeSet<String> {
    let output = program(Some(root), "hoplock")
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let findings = value["findings"].as_array().cloned().unwrap_or_default();
    let bad = findings
        .iter()
        .filter(|finding| finding["state"] == "problem");
    bad.map(|finding| finding["check"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn page(root: &Path) -> String {
    let output = program(Some(root), "hoplock")
        .arg("doctor")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One message through the stock, chrooted smtp(8), authenticated.
fn deliver(lab: &mut Lab<'_>, root: &Path) {
    let to = "package@dane.test";
    let mut sendmail = program(Some(root), "sendmail");
    let mut child = sendmail.arg(to).stdin(Stdio::piped()).spawn().unwrap();
    let message = format!("To: {to}\nSubject: package\n\nhello\n");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(message.as_bytes())
        .unwrap();
    child.wait().unwrap();
    let taken = || {
        let sessions = lab.sessions.lock().unwrap();
        sessions
            .iter()
            .any(|session| session.tls && session.delivered_to.iter().any(|own| own == to))
    };
    let started = std::time::Instant::now();
    while !taken() && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let taken = taken();
    lab.report.check(taken, || {
        let mut log = String::new();
        if let Ok(mut file) = fs::File::open(root.join("var/log/hoplock.log")) {
            let _ = file.read_to_string(&mut log);
        }
        format!("the package's Postfix did not deliver over TLS\n{log}")
    });
}

/// Nothing of it is left but the user.
fn purge(lab: &mut Lab<'_>, root: &Path) {
    let output = program(Some(root), "dpkg")
        .args(["--purge", "hoplock"])
        .output()
        .unwrap();
    lab.report.check(output.status.success(), || {
        format!("purge: {}", String::from_utf8_lossy(&output.stderr))
    });
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    lab.report
        .check(words.contains("Postfix still asks hoplock"), || {
            format!("purge does not warn that mail will wait: {words}")
        });
    for folder in ["etc/hoplock", "var/lib/hoplock", "usr/bin/hoplock"] {
        lab.report.check(!root.join(folder).exists(), || {
            format!("purge left {folder}")
        });
    }
}
