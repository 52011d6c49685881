//! Runs the program `openssl`: its connection, its words, its end.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::output;
use crate::adapters::clock::Stopwatch;
use crate::adapters::smtp::{CLOSING, HANDSHAKE};
use crate::world::Patience;

/// How a run ended.
pub(super) enum Ended {
    /// The program came to its end or to that of the handshake, and said this.
    Output(Output),
    /// Neither, within its time.
    Silent,
    /// It could not be run.
    Failed(String),
}

/// What the program said.
#[derive(Default)]
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// The program's own name and version.
pub(super) async fn version(program: &Path) -> Result<String, String> {
    let run = command(program).arg("version").output();
    let output = timeout(STARTING, run).await;
    let output = output.map_err(|_| "it does not answer".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default();
    if output.status.success() && !line.is_empty() {
        Ok(line.chars().filter(|c| !c.is_control()).collect())
    } else {
        Err("it does not say its version".to_owned())
    }
}

/// Shakes hands over `stream`, says QUIT, and waits for the end; and how long the handshake took, the
/// start of the program included.
pub(super) async fn s_client(
    program: &Path,
    arguments: &[String],
    stream: TcpStream,
    patience: Patience,
) -> (Ended, Duration) {
    let watch = Stopwatch::start();
    let started = start(program, arguments);
    let (mut child, listener) = match started {
        Ok(started) => started,
        Err(error) => {
            let words = format!("{} cannot be run: {error}", program.display());
            return (Ended::Failed(words), watch.elapsed());
        }
    };
    let carrying = async {
        // Whatever ends it also ends the program's connection, and the program says so.
        let _ = carry(listener, stream).await;
        std::future::pending::<Infallible>().await
    };
    let ended = tokio::select! {
        ended = attend(&mut child, watch, patience) => ended,
        never = carrying => match never {},
    };
    // No farewell is owed to a program; it is gone when this returns, or soon after.
    let _ = child.start_kill();
    let _ = timeout(CLOSING, child.wait()).await;
    ended
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        // What the machine's file forbids or adds is of no interest: the question is the host.
        .env("OPENSSL_CONF", "/dev/null")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn start(program: &Path, arguments: &[String]) -> io::Result<(Child, TcpListener)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    // One connection is all that is taken; who else comes first on this machine spoils the probe, and
    // nothing more.
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    let child = command(program)
        .args(["s_client", "-connect"])
        .arg(address.to_string())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok((child, listener))
}

async fn carry(listener: TcpListener, mut stream: TcpStream) -> io::Result<()> {
    let (mut own, _) = listener.accept().await?;
    drop(listener);
    own.set_nodelay(true)?;
    copy_bidirectional(&mut own, &mut stream).await?;
    Ok(())
}

/// Reads what the program says of the handshake, then has it say QUIT.
async fn attend(child: &mut Child, watch: Stopwatch, patience: Patience) -> (Ended, Duration) {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        let words = "the program openssl has no pipes".to_owned();
        return (Ended::Failed(words), watch.elapsed());
    };
    let mut ears = Ears {
        stdout: Some(stdout),
        stderr: Some(stderr),
        heard: Output::default(),
    };
    let shaking = ears.listen(|heard| output::summary(&heard.stdout).is_some());
    let shaken = patience.wait(timeout(HANDSHAKE, shaking)).await;
    let took = watch.elapsed();
    match shaken {
        Some(Ok(())) => {
            // Whatever comes from now on is the host's, or about tickets.
            let end = output::summary(&ears.heard.stdout).map(<[u8]>::len);
            say_good_bye(&mut ears, stdin).await;
            if let Some(end) = end {
                ears.heard.stdout.truncate(end);
            }
            (Ended::Output(ears.heard), took)
        }
        // It may wait for us, not for the host.
        Some(Err(_)) | None if output::is_finished(&ears.heard.stderr) => {
            let words = "what the program openssl says of a handshake is not understood";
            (Ended::Failed(words.to_owned()), took)
        }
        Some(Err(_)) | None => (Ended::Silent, took),
    }
}

async fn say_good_bye(ears: &mut Ears, mut stdin: ChildStdin) {
    let before = ears.heard.stdout.len();
    // In small letters, as `s_client` may take a capital Q for a command of its own.
    let _ = timeout(CLOSING, stdin.write_all(b"quit\r\n")).await;
    // The host's answer (RFC 5321, 4.1.1.10), or whatever looks like it: only the waiting ends by it.
    let answered = |heard: &Output| {
        let later = heard.stdout.get(before..).unwrap_or_default();
        let mut lines = later.split(|octet| *octet == b'\n');
        lines.any(|line| line.starts_with(b"221"))
    };
    let _ = timeout(CLOSING, ears.listen(answered)).await;
    // The end of its input makes it send close_notify and go.
    drop(stdin);
    let _ = timeout(CLOSING, ears.listen(|_| false)).await;
}

/// Both pipes at once, so that the program never waits for us at one of them.
struct Ears {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    heard: Output,
}

impl Ears {
    /// Listens until both pipes have ended, too much was said, or `enough` has been heard.
    async fn listen(&mut self, enough: impl Fn(&Output) -> bool) {
        while !enough(&self.heard) {
            if self.heard.stdout.len().max(self.heard.stderr.len()) > OUTPUT_LIMIT {
                return;
            }
            let (heard, stdout, stderr) = (&mut self.heard, &mut self.stdout, &mut self.stderr);
            match (stdout.as_mut(), stderr.as_mut()) {
                (Some(out), Some(err)) => tokio::select! {
                    read = out.read_buf(&mut heard.stdout) => closed(stdout, read),
                    read = err.read_buf(&mut heard.stderr) => closed(stderr, read),
                },
                (Some(out), None) => {
                    let read = out.read_buf(&mut heard.stdout).await;
                    closed(stdout, read);
                }
                (None, Some(err)) => {
                    let read = err.read_buf(&mut heard.stderr).await;
                    closed(stderr, read);
                }
                (None, None) => return,
            }
        }
    }
}

fn closed<T>(pipe: &mut Option<T>, read: io::Result<usize>) {
    if !read.is_ok_and(|length| length > 0) {
        *pipe = None;
    }
}

/// Starting a program and reading one line.
const STARTING: Duration = Duration::from_secs(5);
/// `s_client` takes chains of 100 KiB, which are a third longer as text.
const OUTPUT_LIMIT: usize = 512 * 1024;
