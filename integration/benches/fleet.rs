//! What a fleet's store costs cached answers: hoplock with one beside hoplock without, and beside its twin.
//!
//! usage: bench-fleet --hoplock FILE --store PROGRAM [--rounds N] [--seconds S] [--out FILE]
//!
//! Both count sessions for TLS reports; the one in a fleet is connected to a real server (`--store`, such as
//! redis-server or valkey-server) all the while. They take turns, in another order each round; the ratio is
//! that of one round, and that of the twin says how much of it is noise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "this is test code: a fault must stop it, loudly; its modules serve another program too"
)]

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

#[path = "load/dns.rs"]
mod dns;
#[path = "load/drive.rs"]
mod drive;
#[path = "load/servers.rs"]
mod servers;

use dns::Dns;
use drive::{Figures, Transport, measure};
use servers::Server;

fn main() {
    let (mut hoplock, mut program, mut out) = (None, None, None);
    let (mut rounds, mut seconds) = (ROUNDS, SECONDS);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().expect(USAGE);
        match option.as_str() {
            "--hoplock" => hoplock = Some(value),
            "--store" => program = Some(value),
            "--out" => out = Some(value),
            "--rounds" => rounds = value.parse().expect(USAGE),
            "--seconds" => seconds = value.parse().expect(USAGE),
            _ => panic!("{USAGE}"),
        }
    }
    let hoplock = hoplock.expect(USAGE);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(&program.expect(USAGE), folder.path());
    let dns = Dns::start();
    let shared = format!("shared = \"redis://127.0.0.1:{}\"\n{REPORT}", store.port);
    let server = |name, more: &str| {
        Server::hoplock_with(Path::new(&hoplock), folder.path(), dns.address, name, more)
    };
    let servers = [
        server(NAMES[0], REPORT),
        server(NAMES[1], &shared),
        server(NAMES[2], REPORT),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let span = Duration::from_secs_f64(seconds);
    let cells = runtime.block_on(all_rounds(&servers, rounds, span));
    let mut text = table(&cells);
    let _ = writeln!(
        text,
        "\n{rounds} rounds of {seconds} s each; medians with their quartiles. {} CPUs. Commands that the \
         store was given meanwhile: {}.",
        std::thread::available_parallelism().unwrap(),
        store.commands(),
    );
    print!("{text}");
    if let Some(out) = out {
        fs::write(out, text).unwrap();
    }
}

/// One transport and number of connections, and what each round gave.
type Cell = (Transport, usize, Vec<[Figures; 3]>);

async fn all_rounds(servers: &[Server; 3], rounds: usize, span: Duration) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for transport in [Transport::Unix, Transport::Tcp] {
        cells.extend(CONNECTIONS.map(|connections| (transport, connections, Vec::new())));
    }
    for (transport, connections, _) in &cells {
        for server in servers {
            measure(server, *transport, *connections, WARMING).await;
        }
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (transport, connections, figures) in &mut cells {
            let mut own = [None; 3];
            for turn in 0..servers.len() {
                let place = (round + turn) % servers.len();
                own[place] = Some(measure(&servers[place], *transport, *connections, span).await);
            }
            figures.push(own.map(Option::unwrap));
        }
    }
    cells
}

fn table(cells: &[Cell]) -> String {
    let mut text = String::from(
        "| transport | connections | requests/s alone | in a fleet / alone | twin / alone | CPU µs alone | in a fleet / alone | twin / alone |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (transport, connections, rounds) in cells {
        let rate: fn(&Figures) -> f64 = |own| own.requests_per_second;
        let cpu: fn(&Figures) -> f64 = |own| own.cpu;
        let _ = write!(text, "| {} | {connections} |", transport.word());
        for pick in [rate, cpu] {
            let alone = quartiles(rounds.iter().map(|round| pick(&round[0])));
            let _ = write!(
                text,
                " {:.*} |",
                if alone[1] > 100.0 { 0 } else { 2 },
                alone[1]
            );
            for other in [1, 2] {
                let ratio = quartiles(
                    rounds
                        .iter()
                        .map(|round| pick(&round[other]) / pick(&round[0])),
                );
                let _ = write!(
                    text,
                    " {:.3} ({:.3} to {:.3}) |",
                    ratio[1], ratio[0], ratio[2]
                );
            }
        }
        text.push('\n');
    }
    text
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

/// The store of the fleet; ends with this value.
struct Store {
    port: u16,
    child: Child,
}

impl Store {
    fn start(program: &str, folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(program)
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--appendonly",
                "yes",
                "--dir",
            ])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("the store's program cannot be run");
        let store = Self { port, child };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return store;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("the store does not start");
    }

    /// How many commands it was given: it was asked at all.
    fn commands(&self) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"INFO stats\r\n").unwrap();
        let mut reply = vec![0; 64 * 1024];
        let read = stream.read(&mut reply).unwrap();
        let text = String::from_utf8_lossy(&reply[..read]).into_owned();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        line.expect("figures").to_owned()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const NAMES: [&str; 3] = ["alone", "fleet", "twin"];
const REPORT: &str = "[report]\nenabled = true\norganization = \"o\"\ncontact = \"c@o.test\"\n\
                      from = \"r@o.test\"\ndkim = \"mta\"\n";
const USAGE: &str =
    "usage: bench-fleet --hoplock FILE --store PROGRAM [--rounds N] [--seconds S] [--out FILE]";
const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
const ROUNDS: usize = 15;
const SECONDS: f64 = 0.4;
const WARMING: Duration = Duration::from_millis(100);
