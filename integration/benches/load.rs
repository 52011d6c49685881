//! Load generator and judge: hoplock beside servers that do nothing, over the same sockets.
//!
//! usage: bench-load --hoplock FILE --empty FILE [--rounds N] [--seconds S] [--out FILE]
//!
//! hoplock answers from its cache: a small DNS server in this program makes the first answer
//! possible. Every reply of every round is compared with the one that is due. The servers take
//! turns, in another order each round. The generator has one thread, so with many connections its
//! own speed bounds the requests per second: the CPU time for one request is the figure that counts.
//! With one connection it depends most of all on where the kernel puts the two processes, and the
//! A/A ratio shows how little such a figure says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "this is test code: a fault must stop it, loudly"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[path = "load/dns.rs"]
mod dns;
#[path = "load/drive.rs"]
mod drive;
#[path = "load/servers.rs"]
mod servers;
#[path = "load/table.rs"]
mod table;

use tokio::signal::unix::{SignalKind, signal};

use dns::Dns;
use drive::{Transport, measure};
use servers::Server;
use table::{Cell, NAMES, tables};

fn main() {
    let options = Options::read();
    let folder = tempfile::tempdir().unwrap();
    let dns = Dns::start();
    let empty = |name, flavour| Server::empty(&options.empty, folder.path(), name, flavour);
    let servers = [
        Server::hoplock(&options.hoplock, folder.path(), dns.address),
        empty(NAMES[1], "current_thread"),
        empty(NAMES[2], "multi_thread"),
        empty(NAMES[3], "current_thread"),
        empty(NAMES[4], "multi_thread"),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let load_before = load_average();
    let (cells, asked) = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        // A panic takes the servers and the folder along; the default end by a signal would not.
        tokio::select! {
            done = all_rounds(&options, &servers, &dns) => done,
            _ = terminate.recv() => panic!("terminated"),
            _ = interrupt.recv() => panic!("interrupted"),
        }
    });
    let mut text = tables(&cells);
    let _ = writeln!(
        text,
        "\n{} rounds of {} s for each server, transport and number of connections; figures are \
         medians with their quartiles. {} CPUs, {}, Linux {}. Load average {load_before} before, {} \
         after. DNS queries from hoplock during the rounds: {asked}.\n",
        options.rounds,
        options.span.as_secs_f64(),
        std::thread::available_parallelism().unwrap(),
        cpu_model(),
        fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap()
            .trim(),
        load_average(),
    );
    text.push_str("CPU time of whole lives, as a check of the accounting:");
    for server in &servers {
        let (fine, coarse) = (server.cpu().seconds(), server.cpu_by_ticks());
        let _ = write!(
            text,
            " {} {fine:.2} s ({coarse:.2} s by ticks);",
            server.name
        );
    }
    text.pop();
    text.push_str(".\n");
    print!("{text}");
    if let Some(out) = &options.out {
        fs::write(out, text).unwrap();
    }
}

/// Every cell in every round, and how many DNS queries came meanwhile.
async fn all_rounds(options: &Options, servers: &[Server; 5], dns: &Dns) -> (Vec<Cell>, u64) {
    let mut cells = Vec::new();
    for transport in [Transport::Unix, Transport::Tcp] {
        cells.extend(CONNECTIONS.map(|connections| Cell {
            transport,
            connections,
            rounds: Vec::new(),
        }));
    }
    // Unmeasured: hoplock's first lookup, and first use of everything else.
    for cell in &cells {
        for server in servers {
            measure(server, cell.transport, cell.connections, WARMING).await;
        }
    }
    let asked = dns.asked();
    assert!(asked > 0, "hoplock gave its answer without the DNS");
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        for cell in &mut cells {
            let mut figures = [None; NAMES.len()];
            for turn in 0..servers.len() {
                let place = (round + turn) % servers.len();
                let (transport, connections) = (cell.transport, cell.connections);
                let own = measure(&servers[place], transport, connections, options.span).await;
                figures[place] = Some(own);
            }
            cell.rounds.push(figures.map(Option::unwrap));
        }
    }
    (cells, dns.asked() - asked)
}

struct Options {
    hoplock: PathBuf,
    empty: PathBuf,
    rounds: usize,
    span: Duration,
    out: Option<PathBuf>,
}

impl Options {
    fn read() -> Self {
        let (mut hoplock, mut empty, mut out) = (None, None, None);
        let (mut rounds, mut seconds) = (ROUNDS, SECONDS);
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let value = arguments.next().expect(USAGE);
            match option.as_str() {
                "--hoplock" => hoplock = Some(PathBuf::from(value)),
                "--empty" => empty = Some(PathBuf::from(value)),
                "--out" => out = Some(PathBuf::from(value)),
                "--rounds" => rounds = value.parse().expect(USAGE),
                "--seconds" => seconds = value.parse().expect(USAGE),
                _ => panic!("{USAGE}"),
            }
        }
        assert!(rounds > 0, "{USAGE}");
        Self {
            hoplock: hoplock.expect(USAGE),
            empty: empty.expect(USAGE),
            rounds,
            span: Duration::from_secs_f64(seconds),
            out,
        }
    }
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().to_owned()
}

fn cpu_model() -> String {
    let text = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split(": ").nth(1));
    model.unwrap_or("CPU of unknown make").to_owned()
}

const USAGE: &str =
    "usage: bench-load --hoplock FILE --empty FILE [--rounds N] [--seconds S] [--out FILE]";
const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
const ROUNDS: usize = 15;
/// With the default number of rounds the whole takes less than five minutes.
const SECONDS: f64 = 0.4;
const WARMING: Duration = Duration::from_millis(100);
