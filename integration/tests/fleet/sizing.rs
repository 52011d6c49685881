//! Measures what a fleet costs its server: `cargo test -p hoplock-integration --release --test fleet sizing --
//! --ignored --nocapture`. The figures of docs/fleet.md come from here.

use std::time::{Duration, Instant};

use hoplock::store::reports_checks as checks;
use hoplock::store::valkey::{FleetOptions, ValkeyReports};
use hoplock::world::Clock as _;
use hoplock::world::reports::Reports;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use crate::policies::{Node, clock};
use crate::server::{Server, until};

fn info(server: &Server, section: &str, field: &str) -> u64 {
    let text: String = redis::cmd("INFO")
        .arg(section)
        .query(&mut server.stranger())
        .unwrap();
    let start = format!("{field}:");
    let value = text.lines().find_map(|line| line.strip_prefix(&start));
    value.unwrap().trim().parse().unwrap()
}

/// Commands, bytes in and bytes out.
fn traffic(server: &Server) -> [u64; 3] {
    [
        "total_commands_processed",
        "total_net_input_bytes",
        "total_net_output_bytes",
    ]
    .map(|field| info(server, "stats", field))
}

fn told(what: &str, before: [u64; 3], after: [u64; 3], by: f64) {
    let per = |at: usize| (after[at] - before[at]) as f64 / by;
    println!(
        "{what}: commands {:.2}, bytes in {:.0}, bytes out {:.0}",
        per(0),
        per(1),
        per(2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and checks nothing"]
async fn sizing() {
    let server = Server::start(true);
    let hosts = 20;
    let mut fleet = Vec::new();
    for _ in 0..hosts {
        let client = server.client().await;
        let local = crate::reports::local();
        let options = FleetOptions::default();
        let reports = ValkeyReports::new(local, client.clone(), clock(0), options);
        fleet.push((Node::new(&client, 0), reports));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, began) = (traffic(&server), Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let host_seconds = began.elapsed().as_secs_f64() * f64::from(hosts);
    told(
        "idle, of each host and second",
        before,
        traffic(&server),
        host_seconds,
    );

    // A second of a busy host: sessions to 200 destinations, which were counted before.
    let day = Day::of(clock(0).now().wall);
    let names: Vec<DomainName> = (0..40_000)
        .map(|number| DomainName::parse(&format!("destination{number}.example.test")).unwrap())
        .collect();
    let memory = info(&server, "memory", "used_memory");
    let (before, began) = (traffic(&server), Instant::now());
    let (_, reports) = &fleet[0];
    for name in &names {
        reports.count(day, name, checks::counts(name, 3, 0));
    }
    until("all are handed over", async || {
        reports.hand_over().await.is_ok() && reports.figures().not_handed_over == 0
    })
    .await;
    let took = began.elapsed().as_secs_f64();
    println!("{} rows handed over in {took:.2} s", names.len());
    told("of each row", before, traffic(&server), names.len() as f64);
    let first = info(&server, "memory", "used_memory");
    println!(
        "first host: {} bytes of memory for each domain and day",
        (first - memory) / 40_000
    );
    let (_, reports) = &fleet[1];
    for name in &names {
        reports.count(day, name, checks::counts(name, 3, 0));
    }
    until("all are handed over", async || {
        reports.hand_over().await.is_ok() && reports.figures().not_handed_over == 0
    })
    .await;
    let second = info(&server, "memory", "used_memory");
    println!(
        "each further host: {} bytes",
        (second.saturating_sub(first)) / 40_000
    );

    let (before, began) = (traffic(&server), Instant::now());
    let (node, _) = &fleet[2];
    for number in 0..2_000 {
        node.fetched(
            &format!("p{number}.example.test"),
            "20261127T000000",
            604_800,
        )
        .await;
    }
    let mut stranger = server.stranger();
    until("all are published", async || {
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg("hoplock:policy:*")
            .query(&mut stranger)
            .unwrap();
        keys.len() == 2_000
    })
    .await;
    println!(
        "2000 policies published in {:.2} s",
        began.elapsed().as_secs_f64()
    );
    told("of each policy", before, traffic(&server), 2_000.0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let third = info(&server, "memory", "used_memory");
    println!(
        "each policy: {} bytes of memory",
        third.saturating_sub(second) / 2_000
    );
    let (other, _) = &fleet[3];
    let began = Instant::now();
    for number in 0..1_000 {
        let _ = other
            .elsewhere(&format!("unknown{number}.example.test"))
            .await;
    }
    println!(
        "a question for a policy: {:?} on average",
        began.elapsed() / 1_000
    );
}
