//! What the checks of this stage are given.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::client::{Client, Envelope, Replies};
use super::server::{Door, SOCKET, Server};
use super::sink::Sink;
use crate::lab::servers::until;
use crate::lab::stage::Lab;

/// Everything that runs.
pub(super) struct Stage<'a, 'b> {
    pub(super) lab: &'a mut Lab<'b>,
    pub(super) servers: &'a [&'a dyn Server],
    /// Where messages arrive.
    pub(super) sink: Sink,
    /// Where those arrive that are sent another way.
    pub(super) other: Sink,
    /// hoplock's configuration without this stage.
    pub(super) plain: String,
}

/// Which sockets hoplock has for mail servers at submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sockets {
    /// Policy delegation alone, as where a rule has mail go another way.
    Policy,
    Both,
}

impl Sockets {
    fn ports(self) -> &'static [u16] {
        match self {
            Self::Policy => &[8428],
            Self::Both => &[8428, 8429],
        }
    }
}

/// A message to hand in.
#[derive(Clone, Copy, Default)]
pub(super) struct Handed<'a> {
    pub(super) from: &'a str,
    /// What is said behind the sender.
    pub(super) parameters: &'a str,
    /// As whom the client authenticates itself; nobody where empty.
    pub(super) user: &'a str,
    pub(super) to: &'a [&'a str],
    /// Fields of its header, each with its line end.
    pub(super) fields: &'a str,
}

impl Stage<'_, '_> {
    /// Has hoplock run with these sockets, this `[guard]` and more.
    pub(super) fn guard(&mut self, sockets: Sockets, guard: &str) {
        let text = self.configuration(sockets, guard);
        self.lab.hoplock.reconfigure(|_| text.clone());
        until("the guard's sockets", Duration::from_secs(20), || {
            let is_there = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
            sockets.ports().iter().all(is_there)
        });
    }

    /// Has it go on with the same sockets and another `[guard]`.
    pub(super) fn reload(&mut self, sockets: Sockets, guard: &str) {
        let text = self.configuration(sockets, guard);
        self.lab.hoplock.reload(&text);
    }

    fn configuration(&self, sockets: Sockets, guard: &str) -> String {
        let mut listen = "[listen]\npolicy = [\"inet:127.0.0.1:8428\"]\n".to_owned();
        if sockets == Sockets::Both {
            let near = self.lab.folder.join(SOCKET);
            let near = near.display();
            listen.push_str(&format!(
                "milter = [\"inet:127.0.0.1:8429\", \"unix:{near}\"]\n"
            ));
        }
        let plain = self.plain.replacen("[listen]\n", &listen, 1);
        format!("{plain}{guard}")
    }

    /// Counts a check of a server at one of its doors.
    pub(super) fn check(
        &mut self,
        server: &dyn Server,
        door: Door,
        good: bool,
        words: impl FnOnce() -> String,
    ) {
        let report = &mut self.lab.report;
        report.check(good, || {
            format!("{} at {door:?}: {}", server.name(), words())
        });
    }

    /// Does something at these doors of all servers at the same time, and counts what is found.
    pub(super) fn at_once(
        &mut self,
        doors: &[Door],
        run: impl Fn(&dyn Server, Door) -> Vec<Result<(), String>> + Sync,
    ) {
        let doors = self.servers.iter().flat_map(|server| {
            let has = |door: &&Door| server.port(**door).is_some();
            doors.iter().filter(has).map(|door| (*server, *door))
        });
        let doors: Vec<_> = doors.collect();
        let found: Vec<Vec<Result<(), String>>> = std::thread::scope(|scope| {
            let run = &run;
            let threads = doors
                .iter()
                .map(|(server, door)| scope.spawn(move || run(*server, *door)));
            let threads: Vec<_> = threads.collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        });
        for ((server, door), found) in doors.into_iter().zip(found) {
            for result in found {
                self.check(server, door, result.is_ok(), || result.unwrap_err());
            }
        }
    }
}

/// A recipient at this domain that nobody else has.
pub(super) fn recipient(domain: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("r{}@{domain}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Hands a message in.
pub(super) fn hand_in(server: &dyn Server, door: Door, handed: Handed<'_>) -> Replies {
    let mut client = Client::connect(server.port(door).unwrap());
    if !handed.user.is_empty() {
        let reply = client.authenticate(handed.user);
        assert!(reply.is("235"), "{}: {reply}", server.name());
    }
    let envelope = Envelope {
        from: handed.from,
        parameters: handed.parameters,
        to: handed.to,
    };
    client.send(envelope, &message(handed.fields))
}

/// A message with these fields more.
pub(super) fn message(fields: &str) -> Vec<u8> {
    format!("Subject: lab\r\n{fields}From: lab@client.lab.test\r\n\r\nhello\r\n").into_bytes()
}
