//! Postfix instances: the one of this machine, and one of another Debian in a folder.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::servers::{must, until};

/// One Postfix instance.
pub struct Postfix {
    folder: PathBuf,
    port: u16,
    root: Option<PathBuf>,
}

/// What tells instances apart.
pub struct Instance<'a> {
    pub name: &'a str,
    pub port: u16,
    /// `smtp_tls_policy_maps`.
    pub map: &'a str,
    /// More lines of main.cf.
    pub more: String,
    /// A folder with another Debian, whose Postfix it is.
    pub root: Option<&'a Path>,
    /// The lines that docs/postfix.md prints for it.
    pub lines: &'static str,
    /// smtp(8) runs in its chroot, as Debian has it, and asks this resolver.
    pub chroot: Option<&'a str>,
    /// More lines of master.cf.
    pub services: String,
}

impl<'a> Instance<'a> {
    /// The Postfix of this machine.
    pub fn new(name: &'a str, port: u16, map: &'a str) -> Self {
        Self {
            name,
            port,
            map,
            more: String::new(),
            root: None,
            lines: include_str!("../../postfix/main.cf"),
            chroot: None,
            services: String::new(),
        }
    }
}

impl Postfix {
    /// Starts an instance.
    pub fn start(lab: &Path, instance: &Instance<'_>) -> Self {
        let port = instance.port;
        let folder = lab.join(instance.name);
        let root = instance.root.map(Path::to_path_buf);
        fs::create_dir_all(folder.join("spool")).unwrap();
        fs::create_dir_all(folder.join("data")).unwrap();
        // The user has another number in each Debian.
        must(
            program(root.as_deref(), "chown")
                .arg("postfix")
                .arg(folder.join("data")),
        );
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {0}/spool\ndata_directory = {0}/data\n\
             myhostname = client.lab.test\nmydestination =\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nmaillog_file = {0}/log\n\
             maillog_file_prefixes = {0}\nalias_maps =\nalias_database =\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             {1}smtp_tls_connection_reuse = no\nsmtp_connection_cache_on_demand = no\n\
             minimal_backoff_time = 1s\nmaximal_backoff_time = 4000s\nqueue_run_delay = 4000s\n\
             transport_maps = {TRANSPORT}\nsmtp_connect_timeout = 10s\n{2}",
            folder.display(),
            shipped(lab, instance),
            instance.more
        );
        fs::write(folder.join("main.cf"), main).unwrap();
        let mut master = MASTER.replace("PORT", &port.to_string());
        if let Some(resolver) = instance.chroot {
            master = master.replace("smtp unix - - n", "smtp unix - - y");
            furnish(&folder.join("spool"), resolver);
        }
        master.push_str(&instance.services);
        fs::write(folder.join("master.cf"), master).unwrap();
        must(
            program(root.as_deref(), "postfix")
                .arg("-c")
                .arg(&folder)
                .arg("start"),
        );
        until("Postfix", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { folder, port, root }
    }

    /// Its folder of configuration.
    pub fn folder(&self) -> &Path {
        &self.folder
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
            program(self.root.as_deref(), "postqueue")
                .arg("-c")
                .arg(&self.folder)
                .arg("-f"),
        );
    }

    /// Changes one setting, and has it taken over.
    pub fn reconfigure(&self, setting: &str) {
        let root = self.root.as_deref();
        must(
            program(root, "postconf")
                .arg("-c")
                .arg(&self.folder)
                .args(["-e", setting]),
        );
        must(
            program(root, "postfix")
                .arg("-c")
                .arg(&self.folder)
                .arg("reload"),
        );
        std::thread::sleep(Duration::from_secs(1));
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

    /// What waits in its queues: a line of JSON for each message.
    pub fn queue(&self) -> String {
        let root = self.root.as_deref();
        let mut command = program(root, "postqueue");
        must(command.arg("-c").arg(&self.folder).arg("-j"))
    }

    /// `postmap -q`.
    pub fn postmap(&self, key: &str, map: &str) -> String {
        let mut command = program(self.root.as_deref(), "postmap");
        command.arg("-c").arg(&self.folder).args(["-q", key]);
        let output = command
            .arg(format!("socketmap:inet:127.0.0.1:8425:{map}"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// The lines that docs/postfix.md prints, with another map, the lab's authority, and more in the log.
fn shipped(lab: &Path, instance: &Instance<'_>) -> String {
    let authority = format!("{}/ca.pem", lab.display());
    instance
        .lines
        .replace("socketmap:inet:127.0.0.1:8425:postfix", instance.map)
        .replace("socketmap:inet:127.0.0.1:8425:pins", instance.map)
        .replace("/etc/ssl/certs/ca-certificates.crt", &authority)
        .replace("smtp_tls_loglevel = 1", "smtp_tls_loglevel = 2")
}

/// What Debian's start copies into the chroot, with a resolver of its own.
fn furnish(chroot: &Path, resolver: &str) {
    let etc = chroot.join("etc");
    fs::create_dir_all(&etc).unwrap();
    for file in ["services", "hosts", "nsswitch.conf"] {
        let _ = fs::copy(Path::new("/etc").join(file), etc.join(file));
    }
    fs::write(etc.join("resolv.conf"), format!("nameserver {resolver}\n")).unwrap();
}

/// A program of this machine, or of the Debian in a folder.
pub fn program(root: Option<&Path>, name: &str) -> Command {
    match root {
        None => Command::new(name),
        Some(root) => {
            let mut command = Command::new("chroot");
            command.arg(root).arg(name);
            command
        }
    }
}

/// A relay on the way to one destination.
const TRANSPORT: &str = "inline:{ {relayed.test=smtp:[submit.test]:587} }";

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
