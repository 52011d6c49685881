//! hoplock as a process, and as people and mail servers ask it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::servers::{must, until};

/// hoplock as a user runs it.
pub struct Hoplock {
    child: Child,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// The Postfix that `own_dane = "auto"` looks at.
    beside: PathBuf,
}

impl Hoplock {
    /// With these lines more in its configuration.
    pub fn start(folder: &Path, beside: &Path, more: &str) -> Self {
        let binary = std::env::var_os("HOPLOCK_BIN").expect("HOPLOCK_BIN names the binary");
        let (binary, config) = (PathBuf::from(binary), folder.join("hoplock.toml"));
        let text = format!(
            "[listen]\ncontrol = \"unix:{0}/control.sock\"\ntlsrpt = [\"unix:{0}/hoplock-tlsrpt\"]\n\
             readsocket = [\"inet:127.0.0.1:8427\"]\n\
             dns = [\"inet:127.0.0.1:5354\"]\nmode = \"0666\"\n[sources]\npostfix_log = \"{1}/log\"\n[sts]\nroots = [\"{0}/ca.pem\"]\n\
             [store]\npath = \"{0}/state.db\"\n{SENDMAILS}{more}",
            folder.display(),
            beside.display()
        );
        fs::write(&config, text).unwrap();
        let log = folder.join("hoplock.log");
        let child = Self::spawn(&binary, &config, &log, beside);
        Self {
            child,
            binary,
            config,
            log,
            beside: beside.to_path_buf(),
        }
    }

    /// The program.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Its configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    fn spawn(binary: &Path, config: &Path, log: &Path, beside: &Path) -> Child {
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
            .env("MAIL_CONFIG", beside)
            .stderr(log)
            .stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let control = config.with_file_name("control.sock");
        until("hoplock's sockets", Duration::from_secs(20), || {
            TcpStream::connect("127.0.0.1:8425").is_ok() && UnixStream::connect(&control).is_ok()
        });
        child
    }

    /// SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.child = Self::spawn(&self.binary, &self.config, &self.log, &self.beside);
    }

    /// SIGTERM; returns the exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        must(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        self.child.wait().unwrap().code()
    }

    /// It hangs from now on, and its sockets with it.
    pub fn pause(&self) {
        must(Command::new("kill").args(["-STOP", &self.child.id().to_string()]));
    }

    /// It goes on.
    pub fn resume(&self) {
        must(Command::new("kill").args(["-CONT", &self.child.id().to_string()]));
    }

    /// Starts it anew beside another Postfix; returns the one before.
    pub fn stand_beside(&mut self, postfix: &Path) -> PathBuf {
        let before = std::mem::replace(&mut self.beside, postfix.to_path_buf());
        self.terminate();
        self.restart();
        before
    }

    /// Starts it anew with what `change` makes of its configuration; returns the old one.
    pub fn reconfigure(&mut self, change: impl Fn(&str) -> String) -> String {
        let old = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, change(&old)).unwrap();
        self.terminate();
        self.restart();
        old
    }

    /// Has it read this configuration while it runs.
    pub fn reload(&self, text: &str) {
        let before = self.log().matches("reloaded").count();
        fs::write(&self.config, text).unwrap();
        must(Command::new("kill").args(["-HUP", &self.child.id().to_string()]));
        until("the reload", Duration::from_secs(20), || {
            self.log().matches("reloaded").count() > before
        });
    }

    /// `hoplock explain` as JSON, over the control socket.
    pub fn explain(&self, next_hop: &str, profile: &str) -> serde_json::Value {
        let output = self.tool(&["explain", next_hop, "--profile", profile, "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "explain {next_hop}: {error}: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// `hoplock explain` as people read it.
    pub fn explain_text(&self, next_hop: &str) -> String {
        String::from_utf8(self.tool(&["explain", next_hop]).stdout).unwrap()
    }

    /// Any command, with the daemon's configuration.
    pub fn tool(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--config").arg(&self.config);
        command.env("MAIL_CONFIG", &self.beside).output().unwrap()
    }

    /// The answer to one key, over a socketmap connection of its own; `None` where nobody answers.
    pub fn ask(map: &str, key: &str) -> Option<String> {
        Self::ask_at(8425, map, key)
    }

    /// The same of the one with this port.
    pub fn ask_at(port: u16, map: &str, key: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(25)))
            .ok()?;
        let request = format!("{map} {key}");
        write!(stream, "{}:{request},", request.len()).ok()?;
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with(':') {
            stream.read_exact(&mut byte).ok()?;
            text.push(char::from(byte[0]));
        }
        let mut payload = vec![0; text.trim_end_matches(':').parse().ok()?];
        stream.read_exact(&mut payload).ok()?;
        String::from_utf8(payload).ok()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

/// The lab's Sendmails, by what each can do. On a machine of its own each would be `sendmail`.
const SENDMAILS: &str = "\
[profile.sendmail-8-17]
family = \"sendmail\"
own_dane = \"no\"
[profile.sendmail-8-17-check]
family = \"sendmail\"
own_dane = \"no\"
verifier = true
[profile.sendmail-8-18]
family = \"sendmail\"
own_dane = \"yes\"
[profile.sendmail-8-18-check]
family = \"sendmail\"
own_dane = \"yes\"
verifier = true
";
