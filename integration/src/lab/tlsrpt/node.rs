//! A hoplock that counts and reports, under the clock that is set by hand.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::clock::HandClock;
use super::published::SELECTOR;
use crate::lab::hoplock::Hoplock;
use crate::lab::servers::{must, until};

/// One daemon, with a folder and ports of its own.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// Of its socketmap; that of readsocket is the next, of HTTP the one after.
    pub(super) port: u16,
    child: Option<Child>,
    clock: Arc<HandClock>,
}

/// What tells installations apart.
#[derive(Clone, Copy)]
pub(super) struct Installation<'a> {
    /// It reports as `tlsrpt@NAME.client.lab.test`.
    pub(super) name: &'a str,
    /// `[report] mailer`.
    pub(super) mailer: &'a str,
    /// Lines of `[store]`.
    pub(super) store: &'a str,
    pub(super) told: Told<'a>,
}

/// How it hears of sessions.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    /// By datagrams, and by Exim.
    ByDatagrams,
    /// By the log of the Postfix in this folder.
    ByLog(&'a Path),
}

impl Installation<'_> {
    fn configuration(&self, lab: &Path, own: &Path, port: u16) -> String {
        let Self {
            name,
            mailer,
            store,
            ..
        } = self;
        let (lab, own) = (lab.display(), own.display());
        let (readsocket, http) = (port + 1, port + 2);
        let (socket, log) = match self.told {
            Told::ByDatagrams => (format!("tlsrpt = [\"unix:{own}/tlsrpt\"]\n"), String::new()),
            Told::ByLog(postfix) => {
                let log = postfix.join("log");
                (
                    String::new(),
                    format!("[sources]\npostfix_log = \"{}\"\n", log.display()),
                )
            }
        };
        format!(
            "[listen]\nsocketmap = [\"inet:127.0.0.1:{port}\"]\n\
             readsocket = [\"inet:127.0.0.1:{readsocket}\"]\nhttp = [\"inet:127.0.0.1:{http}\"]\n\
             control = \"unix:{own}/control.sock\"\nmode = \"0666\"\n{socket}{log}\
             [sts]\nroots = [\"{lab}/ca.pem\"]\n\
             [profile.postfix]\nown_dane = \"yes\"\n\
             [profile.postfix310]\nown_dane = \"yes\"\n\
             [profile.exim]\nown_dane = \"yes\"\n\
             [store]\npath = \"{own}/state.db\"\n{store}\
             [report]\nenabled = true\norganization = \"{name}\"\ncontact = \"help@client.lab.test\"\n\
             from = \"tlsrpt@{name}.client.lab.test\"\nmailer = \"{mailer}\"\n\
             dkim = \"key\"\ndkim_key = \"{lab}/dkim.pem\"\ndkim_selector = \"{SELECTOR}\"\n\
             delay = \"1h\"\nrefuse_private_addresses = false\n"
        )
    }
}

impl Node {
    /// Starts one in a folder of the lab's.
    pub(super) fn start(
        lab: &Path,
        name: &str,
        port: u16,
        installation: Installation<'_>,
        clock: &Arc<HandClock>,
    ) -> Self {
        let folder = lab.join(name);
        fs::create_dir_all(&folder).unwrap();
        let text = installation.configuration(lab, &folder, port);
        fs::write(folder.join("hoplock.toml"), text).unwrap();
        let mut node = Self {
            name: name.to_owned(),
            folder,
            port,
            child: None,
            clock: Arc::clone(clock),
        };
        node.run();
        node
    }

    /// Starts it, again where it was ended.
    pub(super) fn run(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let mut command = self.command(&["serve"]);
        self.child = Some(command.stderr(log).stdin(Stdio::null()).spawn().unwrap());
        let control = self.folder.join("control.sock");
        until("a node's sockets", Duration::from_secs(30), || {
            Hoplock::ask_at(self.port, "postfix310", "nobody.test").is_some()
                && UnixStream::connect(&control).is_ok()
        });
    }

    /// SIGKILL, as a crash would.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; returns the exit status.
    pub(super) fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        must(Command::new("kill").args(["-TERM", &child.id().to_string()]));
        child.wait().unwrap().code()
    }

    pub(super) fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// Where Postfix sends datagrams.
    pub(super) fn datagrams(&self) -> PathBuf {
        self.folder.join("tlsrpt")
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A command as a user types it.
    pub(super) fn tool(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same with something on its standard input.
    pub(super) fn fed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command says as JSON.
    pub(super) fn told(&self, arguments: &[&str]) -> Value {
        let output = self.tool(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Sessions that it counted since it started, under each of their policies.
    pub(super) fn counted(&self) -> u64 {
        let status = self.told(&["status"]);
        let reports = &status["reports"];
        reports["sessions_counted"].as_u64().unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let binary = std::env::var_os("HOPLOCK_BIN").expect("HOPLOCK_BIN names the binary");
        let mut command = Command::new(binary);
        command.args(arguments).arg("--config");
        command.arg(self.folder.join("hoplock.toml"));
        self.clock.rules(&mut command);
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
