//! The servers around: NSD and Unbound as processes, and the lab's own system files.
//!
//! They run in a process namespace of their own and die with it; nothing here has to clean up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::zones::{AUTHORITATIVE, Plan};

/// A server as a process; it ends when this is dropped.
pub struct Server(Child);

impl Server {
    fn start(program: &str, config: &Path) -> Self {
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(config);
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    /// Makes it read its zones again.
    pub fn reload(&self) {
        must(Command::new("kill").args(["-HUP", &self.0.id().to_string()]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs a command that must succeed.
pub fn must(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until `good`, or stops the lab with `words`.
pub fn until(words: &str, patience: Duration, mut good: impl FnMut() -> bool) {
    let started = Instant::now();
    while !good() {
        assert!(started.elapsed() < patience, "waited in vain for {words}");
        sleep(Duration::from_millis(50));
    }
}

/// Brings loopback up and makes the lab's resolver the system's.
pub fn prepare(folder: &Path) {
    must(Command::new("ip").args(["link", "set", "lo", "up"]));
    let resolv = folder.join("resolv.conf");
    fs::write(&resolv, "nameserver 127.0.0.1\noptions trust-ad edns0\n").unwrap();
    must(
        Command::new("mount")
            .arg("--bind")
            .arg(&resolv)
            .arg("/etc/resolv.conf"),
    );
}

/// Makes another Debian in a folder see the lab: its files, its resolver, its network's devices.
pub fn enter(root: &Path, lab: &Path) {
    let inside = root.join(lab.strip_prefix("/").unwrap());
    fs::create_dir_all(&inside).unwrap();
    let bind = |from: &Path, to: &Path| {
        must(Command::new("mount").arg("--rbind").arg(from).arg(to));
    };
    bind(lab, &inside);
    bind(&lab.join("resolv.conf"), &root.join("etc/resolv.conf"));
    for system in ["dev", "proc"] {
        bind(&Path::new("/").join(system), &root.join(system));
    }
}

/// The authoritative server.
pub fn nsd(folder: &Path, plan: &Plan) -> Server {
    let zones: Vec<String> = plan
        .zone_files()
        .iter()
        .map(|(zone, file)| format!("zone:\n  name: \"{zone}\"\n  zonefile: \"{file}\"\n"))
        .collect();
    let config = format!(
        "server:\n  ip-address: {AUTHORITATIVE}\n  username: \"\"\n  chroot: \"\"\n  \
         zonesdir: \"{0}\"\n  pidfile: \"{0}/nsd.pid\"\n  database: \"\"\n  \
         xfrdfile: \"{0}/xfrd\"\n  zonelistfile: \"{0}/zone.list\"\n  logfile: \"{0}/nsd.log\"\n\
         remote-control:\n  control-enable: no\n{1}",
        folder.display(),
        zones.concat()
    );
    let file = folder.join("nsd.conf");
    fs::write(&file, config).unwrap();
    Server::start("nsd", &file)
}

/// The address of a resolver that does not validate.
pub const NOT_VALIDATING: &str = "127.0.0.3";

/// A resolver that does not validate.
pub fn plain_unbound(folder: &Path) -> Server {
    let config = format!(
        "server:\n  interface: {NOT_VALIDATING}\n  chroot: \"\"\n  username: \"\"\n  \
         directory: \"{0}\"\n  pidfile: \"{0}/plain.pid\"\n  logfile: \"{0}/plain.log\"\n  \
         use-syslog: no\n  root-hints: \"{0}/root.hints\"\n  do-not-query-localhost: no\n  \
         do-ip6: no\n  local-zone: \"test.\" nodefault\n  module-config: \"iterator\"\n\
         remote-control:\n  control-enable: no\n",
        folder.display()
    );
    let file = folder.join("plain.conf");
    fs::write(&file, config).unwrap();
    Server::start("unbound", &file)
}

/// The validating resolver.
pub fn unbound(folder: &Path, anchor: &str) -> Server {
    fs::write(folder.join("root.key"), anchor).unwrap();
    fs::write(
        folder.join("root.hints"),
        format!(". 3600 IN NS ns.test.\nns.test. 3600 IN A {AUTHORITATIVE}\n"),
    )
    .unwrap();
    let config = format!(
        "server:\n  interface: 127.0.0.1\n  chroot: \"\"\n  username: \"\"\n  directory: \"{0}\"\n  \
         pidfile: \"{0}/unbound.pid\"\n  logfile: \"{0}/unbound.log\"\n  use-syslog: no\n  \
         verbosity: 1\n  val-log-level: 2\n  root-hints: \"{0}/root.hints\"\n  \
         trust-anchor-file: \"{0}/root.key\"\n  do-not-query-localhost: no\n  ede: yes\n  \
         do-ip6: no\n  local-zone: \"test.\" nodefault\n  module-config: \"validator iterator\"\n  \
         domain-insecure: \"policy.hoplock.internal.\"\n\
         remote-control:\n  control-enable: yes\n  control-interface: \"{0}/unbound.control\"\n  \
         control-use-cert: no\n\
         stub-zone:\n  name: \"policy.hoplock.internal.\"\n  stub-addr: 127.0.0.1@5354\n  \
         stub-no-cache: yes\n",
        folder.display()
    );
    let file = folder.join("unbound.conf");
    fs::write(&file, config).unwrap();
    Server::start("unbound", &file)
}

/// Folders that other users walk through.
pub fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}
