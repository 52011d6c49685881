//! The Debian package on fresh machines, Debian 12 and 13, each under its own systemd: the newcomer's way as
//! docs/install.md prints it, the unit, upgrade, removal and purge; and the container.

mod container;
mod first;
mod leaves;
mod logs;
mod machine;
mod profile;
mod unit;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use self::machine::Machine;
use super::run::debian;
use super::stage::Lab;
use crate::manual::Page;
use crate::manual::block::Block;
use crate::manual::mark::{FRESH, Mark};

/// OP-10, on both Debians.
pub(super) fn all(lab: &mut Lab<'_>) {
    let package = debian("LAB_PACKAGE");
    for (suite, base, map) in [
        ("bookworm", "LAB_MACHINE_BOOKWORM", "postfix"),
        ("trixie", "LAB_MACHINE_TRIXIE", "postfix310"),
    ] {
        let started = Instant::now();
        let folder = lab.folder.join(format!("machine-{suite}"));
        let machine = Machine::start(&debian(base), &folder, |root| furnish(root, &package));
        let newcomer = Newcomer {
            suite,
            map,
            machine,
            package: package.clone(),
        };
        newcomer.goes(lab);
        drop(newcomer);
        println!("  {suite}: {} s", started.elapsed().as_secs());
    }
    profile::parses(lab);
    container::runs(lab, &debian("LAB_IMAGE"));
}

/// What a machine has before hoplock comes: Postfix as Debian sets it up, and the package file.
fn furnish(root: &Path, package: &Path) {
    fs::copy(
        package,
        root.join("root").join(package.file_name().unwrap()),
    )
    .unwrap();
    // Services start here, as they do on a machine.
    fs::remove_file(root.join("usr/sbin/policy-rc.d")).unwrap();
    // The lab's mail hosts have the other addresses.
    let main = fs::read_to_string(root.join("etc/postfix/main.cf")).unwrap();
    let main = main
        .replace("inet_interfaces = all", "inet_interfaces = 127.0.0.1")
        .replace("inet_protocols = all", "inet_protocols = ipv4");
    fs::write(root.join("etc/postfix/main.cf"), main).unwrap();
    // The Internet has another root: the lab's Unbound stands where Debian's would, at the same address.
    let unbound = root.join("etc/systemd/system/unbound.service");
    std::os::unix::fs::symlink("/dev/null", unbound).unwrap();
    fs::write(root.join("etc/resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
}

/// Who installs the package on one machine.
struct Newcomer {
    suite: &'static str,
    /// The map that fits its Postfix.
    map: &'static str,
    machine: Machine,
    package: PathBuf,
}

impl Newcomer {
    fn goes(&self, lab: &mut Lab<'_>) {
        let before = self.first_delivery(lab);
        self.ways_to_ask(lab);
        self.unit(lab);
        self.confined(lab);
        self.restart_without_a_gap(lab);
        self.upgrade(lab);
        self.lines_of_the_log(lab);
        self.removal(lab);
        self.purge(lab, &before);
    }

    fn check(&self, lab: &mut Lab<'_>, good: bool, words: impl FnOnce() -> String) {
        let suite = self.suite;
        lab.report.check(good, || format!("{suite}: {}", words()));
    }

    /// The problems that doctor tells root of.
    fn doctor(&self) -> Vec<String> {
        let output = self.machine.run("hoplock doctor --json");
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let findings = value["findings"].as_array().cloned().unwrap_or_default();
        let bad = findings
            .iter()
            .filter(|finding| finding["state"] == "problem");
        bad.map(|finding| format!("{}: {}", finding["check"], finding["what"]))
            .collect()
    }

    /// Hands in one message.
    fn send(&self, to: &str) {
        let mut shell = self.machine.shell(&format!("sendmail {to}"));
        let mut child = shell.stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        write!(pipe, "To: {to}\nSubject: package\n\nhello\n").unwrap();
        drop(pipe);
        child.wait().unwrap();
    }
}

/// Whether a message was delivered over TLS within half a minute.
fn delivered(lab: &Lab<'_>, to: &str) -> bool {
    let taken = || {
        let sessions = lab.sessions.lock().unwrap();
        sessions
            .iter()
            .any(|session| session.tls && session.delivered_to.iter().any(|own| own == to))
    };
    let started = Instant::now();
    while !taken() && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    taken()
}

/// The lines of a block that docs/install.md has for a fresh machine, counted from 0.
fn printed(number: usize) -> Vec<String> {
    let page = Page::read(
        "docs/install.md",
        include_str!("../../../../docs/install.md"),
    )
    .unwrap();
    let is_fresh = |block: &&Block| matches!(&block.mark, Some(Mark::Run(run)) if run.place.as_deref() == Some(FRESH));
    let block = page.blocks.iter().filter(is_fresh).nth(number).unwrap();
    block.text.lines().map(ToOwned::to_owned).collect()
}
