//! The daemon as a process in a folder of its own, and how it is asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_hoplock");

/// A daemon in its own folder, over a resolver that swallows every question.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) folder: TempDir,
    pub(crate) socket: PathBuf,
    _black_hole: UdpSocket,
}

impl Daemon {
    pub(crate) fn start(more: &str) -> Self {
        Self::start_with(more, |_| {})
    }

    /// Over a name server of the test's own.
    pub(crate) fn start_over(server: SocketAddr, more: &str) -> Self {
        Self::start_with(more, |command| {
            let config = PathBuf::from(command.get_args().last().unwrap());
            let text = std::fs::read_to_string(&config).unwrap();
            let (before, after) = text.split_once("servers = [").unwrap();
            let (_, after) = after.split_once(']').unwrap();
            let text = format!("{before}servers = [\"{server}\"]{after}");
            std::fs::write(&config, text).unwrap();
        })
    }

    pub(crate) fn start_with(more: &str, change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let black_hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = black_hole.local_addr().unwrap();
        let socket = folder.path().join("map.sock");
        let text = format!(
            "[listen]\nsocketmap = [\"unix:{}\"]\nhttp = []\ncontrol = \"unix:{}\"\n\
             [store]\npath = \"{}\"\n\
             [dns]\nservers = [\"{server}\"]\nself_test = \"\"\ntimeout = \"60s\"\n{more}",
            socket.display(),
            folder.path().join("control.sock").display(),
            folder.path().join("state.db").display(),
        );
        std::fs::write(folder.path().join("hoplock.toml"), text).unwrap();
        let mut command = Command::new(BINARY);
        command
            .arg("serve")
            .arg("--config")
            .arg(folder.path().join("hoplock.toml"));
        command.stderr(std::fs::File::create(folder.path().join("log")).unwrap());
        command.stdout(Stdio::null());
        change(&mut command);
        let child = command.spawn().unwrap();
        let mut daemon = Self {
            child,
            folder,
            socket,
            _black_hole: black_hole,
        };
        let control = daemon.control();
        daemon.until(|daemon| daemon.socket.exists() && control.exists());
        daemon
    }

    /// SIGKILL, and another one in the same folder.
    pub(crate) fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(self.config());
        let log = std::fs::OpenOptions::new()
            .append(true)
            .open(self.folder.path().join("log"));
        command.stderr(log.unwrap()).stdout(Stdio::null());
        self.child = command.spawn().unwrap();
        let socket = self.socket.clone();
        self.until(|_| UnixStream::connect(&socket).is_ok());
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("hoplock.toml")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn until(&mut self, mut good: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !good(self) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended with {status}: {}", self.log());
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "waited in vain: {}",
                self.log()
            );
            sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--config").arg(self.config());
        command.output().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn ask(stream: &mut UnixStream, request: &str) -> String {
    let framed = format!("{}:{request},", request.len());
    stream.write_all(framed.as_bytes()).unwrap();
    reply(stream)
}

pub(crate) fn reply(stream: &mut impl Read) -> String {
    let mut length = String::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).unwrap();
        if byte[0] == b':' {
            break;
        }
        length.push(char::from(byte[0]));
    }
    let mut payload = vec![0; length.parse::<usize>().unwrap() + 1];
    stream.read_exact(&mut payload).unwrap();
    assert_eq!(payload.pop(), Some(b','));
    String::from_utf8(payload).unwrap()
}

pub(crate) fn is_closed(stream: &mut impl Read) -> bool {
    let mut rest = Vec::new();
    matches!(stream.read_to_end(&mut rest), Ok(0))
}
