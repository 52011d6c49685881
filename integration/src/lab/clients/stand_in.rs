//! Something at hoplock's place that behaves like it up to a certain request, and then does not.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What happens from the marked request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// None. Requests to the map `sts` are for this profile: on a machine of its own hoplock is told
    /// what its Sendmail can do, and here one hoplock serves several.
    Nothing { profile: &'static str },
    /// Nothing is ever answered.
    Hang,
    /// What is answered is no answer, though words of answers occur in it.
    Garbage,
    /// The connection is closed instead.
    Close,
    /// hoplock ends, the connection is closed, and hoplock is started again; after that all is well.
    Restart,
}

/// The request at which [`Trouble::Restart`] holds: hoplock is to be ended and started again, and then
/// the channel told.
pub(super) type Held = Sender<()>;

/// A port of its own on loopback; everything up to a request that contains `mark` is handed on to
/// hoplock at `hoplock`.
pub(super) fn stand_in(
    hoplock: u16,
    mark: &'static str,
    trouble: Trouble,
) -> (u16, Receiver<Held>) {
    let listener = (STAND_INS..STAND_INS + 100)
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let (held, holds) = channel();
    let is_over = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, held, is_over) = (client.unwrap(), held.clone(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let fails = |text: &str| match trouble {
                    Trouble::Nothing { .. } => false,
                    Trouble::Restart => {
                        text.contains(mark) && !is_over.swap(true, Ordering::SeqCst)
                    }
                    _ => text.contains(mark),
                };
                let _ = converse(&client, hoplock, &fails, trouble, &held);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    (port, holds)
}

fn converse(
    mut client: &TcpStream,
    hoplock: u16,
    fails: &dyn Fn(&str) -> bool,
    trouble: Trouble,
    held: &Sender<Held>,
) -> std::io::Result<()> {
    let mut upstream: Option<(TcpStream, JoinHandle<()>)> = None;
    let mut bytes = vec![0; 65_536];
    loop {
        let length = client.read(&mut bytes)?;
        if length == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&bytes[..length]);
        if fails(&text) {
            return fail(client, trouble, held);
        }
        // A connection of its own for each client, made late: hoplock may have been started anew.
        if upstream.is_none() {
            let stream = TcpStream::connect(("127.0.0.1", hoplock))?;
            let (mut from, mut to) = (stream.try_clone()?, client.try_clone()?);
            let answers = std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            upstream = Some((stream, answers));
        }
        if let Some((stream, _)) = &mut upstream {
            stream.write_all(&for_profile(&bytes[..length], trouble))?;
        }
    }
    if let Some((stream, answers)) = upstream {
        stream.shutdown(Shutdown::Write)?;
        // That direction ends when hoplock has answered.
        let _ = answers.join();
    }
    Ok(())
}

fn fail(mut client: &TcpStream, trouble: Trouble, held: &Sender<Held>) -> std::io::Result<()> {
    match trouble {
        Trouble::Hang => std::thread::sleep(Duration::from_secs(90)),
        Trouble::Garbage => {
            client.write_all(b"\xff\x00 ok enforce may value no 3:OK secure\r\n")?;
        }
        Trouble::Close | Trouble::Nothing { .. } => {}
        Trouble::Restart => {
            let (told, tells) = channel();
            let _ = held.send(told);
            let _ = tells.recv_timeout(Duration::from_secs(60));
        }
    }
    Ok(())
}

/// A netstring, of another map where that is wanted.
fn for_profile(bytes: &[u8], trouble: Trouble) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    if let (Trouble::Nothing { profile }, Some((_, request))) = (trouble, text.split_once(':'))
        && let Some(key) = request.strip_prefix("sts ")
    {
        let request = format!("{profile} {}", key.trim_end_matches(','));
        return format!("{}:{request},", request.len()).into_bytes();
    }
    bytes.to_vec()
}

/// The first port that may be theirs.
const STAND_INS: u16 = 8430;
