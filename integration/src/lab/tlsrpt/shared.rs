//! The server that a fleet shares: Redis of this Debian, or Valkey of another in a folder, with a password
//! and a replica.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lab::postfix::program;
use crate::lab::servers::{must, until};

/// Which server it is.
#[derive(Clone)]
pub(super) enum Kind {
    Redis,
    /// In the Debian in this folder, which sees the lab.
    Valkey(PathBuf),
}

/// A server and its replica.
pub(super) struct Shared {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    main: Option<Child>,
    replica: Option<Child>,
}

impl Shared {
    /// Starts both: the replica has the next port.
    pub(super) fn start(lab: &Path, name: &str, kind: Kind, port: u16) -> Self {
        let mut shared = Self {
            kind,
            folder: lab.join(format!("{name}-server")),
            port,
            main: None,
            replica: None,
        };
        shared.run();
        shared.replica =
            Some(shared.spawn(port + 1, &["--replicaof", "127.0.0.1", &port.to_string()]));
        shared
    }

    /// `[store]` of its hosts.
    pub(super) fn store(&self) -> String {
        format!(
            "shared = \"redis://:{PASSWORD}@127.0.0.1:{}/0\"\n",
            self.port
        )
    }

    /// Starts the server, again where it was killed, with what it kept.
    pub(super) fn run(&mut self) {
        self.main = Some(self.spawn(self.port, &[]));
        until("the fleet's server", Duration::from_secs(20), || {
            self.client(self.port, "ping").trim() == "PONG"
        });
    }

    /// Without a word of warning.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.main.take() {
            child.kill().unwrap();
            child.wait().unwrap();
            let port = self.port;
            until(
                "the fleet's server to be gone",
                Duration::from_secs(5),
                || TcpStream::connect(("127.0.0.1", port)).is_err(),
            );
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.main.is_some()
    }

    /// Its version.
    pub(super) fn version(&self) -> String {
        let told = must(self.program("server").arg("--version"));
        let version = told.split_whitespace().find(|word| word.starts_with("v="));
        version.unwrap_or("?")[2..].to_owned()
    }

    /// How many keys the server and its replica have.
    pub(super) fn keys(&self) -> [String; 2] {
        [self.port, self.port + 1].map(|port| self.client(port, "dbsize").trim().to_owned())
    }

    fn client(&self, port: u16, order: &str) -> String {
        let mut client = self.program("cli");
        client.args([
            "-p",
            &port.to_string(),
            "--no-auth-warning",
            "-a",
            PASSWORD,
            order,
        ]);
        let told = client.output().unwrap();
        String::from_utf8_lossy(&told.stdout).into_owned()
    }

    fn spawn(&self, port: u16, more: &[&str]) -> Child {
        let folder = self.folder.join(port.to_string());
        fs::create_dir_all(&folder).unwrap();
        let mut command = self.program("server");
        command
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args(["--requirepass", PASSWORD, "--masterauth", PASSWORD])
            // As docs/fleet.md has it: after a kill the last second may be missing.
            .args(["--appendonly", "yes", "--appendfsync", "everysec"])
            .args(["--repl-diskless-sync-delay", "0", "--dir"])
            .arg(&folder)
            .args(more)
            .stdout(Stdio::null());
        command.spawn().unwrap()
    }

    fn program(&self, part: &str) -> Command {
        match &self.kind {
            Kind::Redis => program(None, &format!("redis-{part}")),
            Kind::Valkey(root) => program(Some(root), &format!("/usr/bin/valkey-{part}")),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for child in [self.main.take(), self.replica.take()].iter_mut().flatten() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

const PASSWORD: &str = "long-and-random";
