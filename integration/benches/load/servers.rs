//! The servers as processes, and the CPU time that the kernel says they used.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::dns::VERDICT;

/// A server under measurement; ends with this value.
pub struct Server {
    pub name: &'static str,
    pub unix: PathBuf,
    pub tcp: SocketAddr,
    /// The only reply that counts, as bytes.
    pub expected: Vec<u8>,
    child: Child,
}

impl Server {
    /// hoplock with a configuration that needs no network but `dns`.
    pub fn hoplock(binary: &Path, folder: &Path, dns: SocketAddr) -> Self {
        Self::hoplock_with(binary, folder, dns, "hoplock", "")
    }

    /// The same under another name, in a folder of its own, with more in its configuration: keys of
    /// `[store]`, then sections.
    pub fn hoplock_with(
        binary: &Path,
        folder: &Path,
        dns: SocketAddr,
        name: &'static str,
        more: &str,
    ) -> Self {
        let folder = &folder.join(format!("{name}.d"));
        fs::create_dir(folder).unwrap();
        let (unix, tcp) = places(folder, name);
        let text = format!(
            "[listen]\nsocketmap = [\"unix:{1}\", \"inet:{tcp}\"]\nhttp = []\n\
             control = \"unix:{0}/control\"\n[dns]\nservers = [\"{dns}\"]\nself_test = \"\"\n\
             trust = \"always\"\n[sts]\nenabled = false\n[profile.postfix]\nown_dane = \"yes\"\n\
             [store]\npath = \"{0}/state.db\"\n{more}",
            folder.display(),
            unix.display(),
        );
        let config = folder.join("hoplock.toml");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(binary);
        command.arg("serve").arg("--config").arg(config);
        let expected = format!("{}:{VERDICT},", VERDICT.len()).into_bytes();
        Self::start(name, command, folder, unix, tcp, expected)
    }

    /// The server that does nothing, on one of tokio's runtimes.
    pub fn empty(binary: &Path, folder: &Path, name: &'static str, flavour: &str) -> Self {
        let (unix, tcp) = places(folder, name);
        let mut command = Command::new(binary);
        command.arg(flavour);
        command.arg(format!("unix:{}", unix.display()));
        command.arg(format!("inet:{tcp}"));
        let expected = b"9:NOTFOUND ,".to_vec();
        Self::start(name, command, folder, unix, tcp, expected)
    }

    fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
        unix: PathBuf,
        tcp: SocketAddr,
        expected: Vec<u8>,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = fs::File::create(&log).unwrap();
        command.stderr(output).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let server = Self {
            name,
            unix,
            tcp,
            expected,
            child,
        };
        let started = Instant::now();
        while UnixStream::connect(&server.unix).is_err() || TcpStream::connect(tcp).is_err() {
            let words = || fs::read_to_string(&log).unwrap();
            assert!(
                started.elapsed() < PATIENCE,
                "{name} did not start: {}",
                words()
            );
            sleep(Duration::from_millis(20));
        }
        server
    }

    /// The CPU time of each thread so far.
    pub fn cpu(&self) -> Cpu {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap() {
            let path = entry.unwrap().path();
            // A thread may end between the two looks.
            if let Ok(text) = fs::read_to_string(path.join("schedstat")) {
                let nanoseconds = text.split(' ').next().unwrap().parse().unwrap();
                threads.insert(path, nanoseconds);
            }
        }
        Cpu(threads)
    }

    /// The CPU time of the whole life, ended threads included, in the kernel's coarse ticks.
    pub fn cpu_by_ticks(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The program's name is in brackets and may hold spaces.
        let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks = |field: &str| field.parse::<f64>().unwrap();
        (ticks(fields[11]) + ticks(fields[12])) / TICKS_PER_SECOND
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and a second panic would hide the first.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nanoseconds on a CPU by thread. Ticks of 10 ms would be too coarse for a round.
pub struct Cpu(BTreeMap<PathBuf, u64>);

impl Cpu {
    /// What was used since `earlier`; `None` where a thread ended, since it took its count along.
    pub fn since(&self, earlier: &Self) -> Option<u64> {
        if earlier.0.keys().any(|thread| !self.0.contains_key(thread)) {
            return None;
        }
        let of = |(thread, now): (&PathBuf, &u64)| {
            now.checked_sub(earlier.0.get(thread).copied().unwrap_or(0))
        };
        self.0.iter().map(of).sum()
    }

    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.0.values().sum()).as_secs_f64()
    }
}

/// A path and a port that are free now.
fn places(folder: &Path, name: &str) -> (PathBuf, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (folder.join(name), listener.local_addr().unwrap())
}

const PATIENCE: Duration = Duration::from_secs(20);
/// USER_HZ is 100 on every architecture that counts.
const TICKS_PER_SECOND: f64 = 100.0;
