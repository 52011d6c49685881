//! The real programs as processes: NSD, Unbound, hoplock, Postfix.
//!
//! They run in a process namespace of their own and die with it; nothing here has to clean up.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::zones::{AUTHORITATIVE, Plan};

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

/// The authoritative server.
pub fn nsd(folder: &Path, plan: &Plan) -> Child {
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
    Command::new("nsd")
        .arg("-d")
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The validating resolver.
pub fn unbound(folder: &Path, anchor: &str) -> Child {
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
         do-ip6: no\n  local-zone: \"test.\" nodefault\n  module-config: \"validator iterator\"\n\
         remote-control:\n  control-enable: no\n",
        folder.display()
    );
    let file = folder.join("unbound.conf");
    fs::write(&file, config).unwrap();
    Command::new("unbound")
        .arg("-d")
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// hoplock as a user runs it.
pub struct Hoplock {
    child: Child,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
}

impl Hoplock {
    pub fn start(folder: &Path) -> Self {
        let binary = std::env::var_os("HOPLOCK_BIN").expect("HOPLOCK_BIN names the binary");
        let (binary, config) = (PathBuf::from(binary), folder.join("hoplock.toml"));
        let text = format!(
            "[listen]\ncontrol = \"unix:{0}/control.sock\"\n[sts]\nroots = [\"{0}/ca.pem\"]\n",
            folder.display()
        );
        fs::write(&config, text).unwrap();
        let log = folder.join("hoplock.log");
        let child = Self::spawn(&binary, &config, &log);
        Self {
            child,
            binary,
            config,
            log,
        }
    }

    fn spawn(binary: &Path, config: &Path, log: &Path) -> Child {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let mut command = Command::new(binary);
        command
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stderr(log)
            .stdin(Stdio::null());
        let child = command.spawn().unwrap();
        until("hoplock's socket", Duration::from_secs(20), || {
            TcpStream::connect("127.0.0.1:8425").is_ok()
        });
        child
    }

    /// SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.child = Self::spawn(&self.binary, &self.config, &self.log);
    }

    /// SIGTERM; returns the exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        must(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        self.child.wait().unwrap().code()
    }

    /// `hoplock explain` as JSON, over the control socket.
    pub fn explain(&self, next_hop: &str) -> serde_json::Value {
        let mut command = Command::new(&self.binary);
        command
            .args(["explain", next_hop, "--json", "--config"])
            .arg(&self.config);
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "explain {next_hop}: {error}: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// `hoplock explain` as people read it.
    pub fn explain_text(&self, next_hop: &str) -> String {
        let mut command = Command::new(&self.binary);
        command
            .args(["explain", next_hop, "--config"])
            .arg(&self.config);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

/// One Postfix instance.
pub struct Postfix {
    folder: PathBuf,
    port: u16,
}

impl Postfix {
    /// Starts an instance; `map` is its `smtp_tls_policy_maps`.
    pub fn start(lab: &Path, name: &str, port: u16, map: &str, transport: &str) -> Self {
        let folder = lab.join(name);
        fs::create_dir_all(folder.join("spool")).unwrap();
        fs::create_dir_all(folder.join("data")).unwrap();
        must(
            Command::new("chown")
                .arg("postfix")
                .arg(folder.join("data")),
        );
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {0}/spool\ndata_directory = {0}/data\n\
             myhostname = client.lab.test\nmydestination =\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nmaillog_file = {0}/log\n\
             maillog_file_prefixes = {0}\nalias_maps =\nalias_database =\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\nsmtp_tls_CAfile = {1}/ca.pem\n\
             smtp_tls_policy_maps = {map}\nsmtp_dns_support_level = dnssec\n\
             smtp_tls_connection_reuse = no\nsmtp_connection_cache_on_demand = no\n\
             minimal_backoff_time = 1s\nmaximal_backoff_time = 4000s\nqueue_run_delay = 4000s\n\
             transport_maps = {transport}\nsmtp_connect_timeout = 10s\n",
            folder.display(),
            lab.display()
        );
        fs::write(folder.join("main.cf"), main).unwrap();
        fs::write(
            folder.join("master.cf"),
            MASTER.replace("PORT", &port.to_string()),
        )
        .unwrap();
        must(Command::new("postfix").arg("-c").arg(&folder).arg("start"));
        until("Postfix", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { folder, port }
    }

    /// Hands in one message.
    pub fn send(&self, to: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut talk = |line: &str| {
            stream.write_all(line.as_bytes()).unwrap();
            let mut reply = vec![0; 4096];
            let length = stream.read(&mut reply).unwrap();
            String::from_utf8_lossy(&reply[..length]).into_owned()
        };
        talk("");
        for line in ["EHLO me.test\r\n", "MAIL FROM:<sender@client.lab.test>\r\n"] {
            talk(line);
        }
        let taken = talk(&format!("RCPT TO:<{to}>\r\n"));
        assert!(taken.starts_with("250"), "{to}: {taken}");
        talk("DATA\r\n");
        let queued = talk(&format!("To: {to}\r\nSubject: lab\r\n\r\nhello\r\n.\r\n"));
        assert!(queued.starts_with("250"), "{to}: {queued}");
        talk("QUIT\r\n");
    }

    /// Tries deferred mail again.
    pub fn flush(&self) {
        must(
            Command::new("postqueue")
                .arg("-c")
                .arg(&self.folder)
                .arg("-f"),
        );
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The last `status=` line of a recipient.
    pub fn outcome(&self, to: &str) -> Option<String> {
        let mark = format!("to=<{to}>");
        let log = self.log();
        let mut lines = log
            .lines()
            .filter(|line| line.contains(&mark) && line.contains("status="));
        lines.next_back().map(ToOwned::to_owned)
    }

    /// How many `status=` lines a recipient has.
    pub fn attempts(&self, to: &str) -> usize {
        let mark = format!("to=<{to}>");
        self.log()
            .lines()
            .filter(|line| line.contains(&mark) && line.contains("status="))
            .count()
    }

    /// `postmap -q`.
    pub fn postmap(&self, key: &str) -> String {
        let mut command = Command::new("postmap");
        command.arg("-c").arg(&self.folder).args(["-q", key]);
        let output = command
            .arg("socketmap:inet:127.0.0.1:8425:postfix")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Folders that other users walk through.
pub fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

const MASTER: &str = "\
127.0.0.1:PORT inet n - n - - smtpd
  -o smtpd_tls_security_level=none
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
