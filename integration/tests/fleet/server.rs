//! A server for one test: on loopback, in a folder of its own, with a password; killed with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hoplock::store::valkey::{FleetAddress, FleetClient};
use hoplock::world::reports::FleetState;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "geheim-und-lang";

pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    keeps: bool,
    tls: Option<(PathBuf, PathBuf)>,
    child: Option<Child>,
}

impl Server {
    /// One that keeps what it has over a restart, or not.
    pub(crate) fn start(keeps: bool) -> Self {
        Self::start_with(keeps, None)
    }

    pub(crate) fn start_with(keeps: bool, tls: Option<(PathBuf, PathBuf)>) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            port,
            keeps,
            tls,
            child: None,
        };
        server.run();
        server
    }

    pub(crate) fn run(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new(program());
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--requirepass",
                PASSWORD,
            ])
            .args(["--appendonly", if self.keeps { "yes" } else { "no" }])
            .args(["--appendfsync", "always", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match &self.tls {
            None => command.args(["--port", &port]),
            Some((certificate, key)) => command
                .args([
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-auth-clients",
                    "no",
                ])
                .arg("--tls-cert-file")
                .arg(certificate)
                .arg("--tls-key-file")
                .arg(key),
        };
        self.child = Some(command.spawn().unwrap_or_else(|error| {
            panic!(
                "{} cannot be started ({error}): install redis-server or valkey-server",
                program()
            )
        }));
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the server does not listen");
    }

    /// Without a word of warning.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it as if its machine hung, or lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn url(&self) -> String {
        url(self.port)
    }

    /// A client of ours, connected.
    pub(crate) async fn client(&self) -> Arc<FleetClient> {
        let client = client(&self.url(), None);
        reached(&client).await;
        client
    }

    /// As somebody else, with `redis-cli` in mind.
    pub(crate) fn stranger(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).unwrap();
        for _ in 0..100 {
            if let Ok(connection) = client.get_connection() {
                return connection;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("no connection");
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        redis::cmd("KEYS")
            .arg("*")
            .query(&mut self.stranger())
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            // A stopped process takes no other signal well.
            let pid = child.id().to_string();
            let _ = Command::new("kill").args(["-CONT", &pid]).status();
        }
        self.kill();
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("redis://:{PASSWORD}@127.0.0.1:{port}/0")
}

pub(crate) fn client(url: &str, roots: Option<&Path>) -> Arc<FleetClient> {
    FleetClient::start(FleetAddress::parse(url).unwrap(), roots).unwrap()
}

pub(crate) async fn reached(client: &FleetClient) {
    until("the server is reached", async || {
        client.state() == FleetState::Reached
    })
    .await;
}

pub(crate) async fn not_reached(client: &FleetClient) {
    until("the server is not reached", async || {
        client.state() != FleetState::Reached
    })
    .await;
}

/// Waits until it is so; half a minute at most.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came so far that {what}");
}

/// The one that is installed; another where somebody says so.
fn program() -> String {
    if let Ok(program) = std::env::var("HOPLOCK_FLEET_SERVER") {
        return program;
    }
    let is_there = |name: &&str| {
        let version = Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        version.is_ok_and(|status| status.success())
    };
    let found = ["redis-server", "valkey-server"].into_iter().find(is_there);
    found.unwrap_or("redis-server").to_owned()
}
