//! The lab from start to verdict.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::certificates::Authority;
use super::deliveries::{Delivery, table};
use super::hoplock::Hoplock;
use super::mail_host::{self, Sessions};
use super::policy_host::{self, Sites};
use super::postfix::{Instance, Postfix};
use super::report::Report;
use super::servers::{Server, must, nsd, open_to_all, plain_unbound, prepare, unbound, until};
use super::sessions::Relay;
use super::stage::{Lab, Mapped};
use super::zones::{BLACK_HOLE, POLICY_HOST, Plan};
use super::{
    check, clients, doctor, guard, manual, memory, package, page, pins, prometheus, reports,
    sessions, survive, tlsrpt,
};

/// Runs everything, or only the stages that are named; the last line counts.
pub fn main() -> ExitCode {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = named.iter().find(|name| !STAGES.contains(&name.as_str())) {
        eprintln!("no stage {unknown:?}; there are {}", STAGES.join(" "));
        return ExitCode::FAILURE;
    }
    let runs = |stage: &str| named.is_empty() || named.iter().any(|name| name == stage);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    open_to_all(folder);
    prepare(folder);
    let runtime = Runtime::new().unwrap();
    let mut plan = Plan::new(Authority::new());
    let deliveries = table(&mut plan);
    check::plan(&mut plan);
    manual::plan(&mut plan);
    let published = pins::plan(&mut plan);
    let asking = tlsrpt::plan(&mut plan, folder);
    fs::write(folder.join("ca.pem"), plan.authority.pem()).unwrap();
    let seen = Sessions::default();
    let (dns, sites) = start_servers(&runtime, folder, &mut plan, &seen);
    let mapped = Mapped::start(folder);
    let mut hoplock = Hoplock::start(
        folder,
        mapped.postfix.folder(),
        &published.configuration(folder),
    );
    let mut report = Report::default();
    let mut lab = Lab {
        folder,
        runtime: &runtime,
        hoplock: &mut hoplock,
        sessions: seen,
        sites,
        plan: &mut plan,
        nsd: &dns.authoritative,
        report: &mut report,
    };
    lab.own_dane_is_seen();
    stage("check", &runs, || check::all(&mut lab, &mapped));
    // Before the deliveries: sessions below their policy are an alarm, and doctor repeats alarms.
    stage("doctor", &runs, || doctor::traps(&mut lab));
    stage("deliveries", &runs, || {
        lab.all_deliveries(&deliveries, &mapped)
    });
    stage("pins", &runs, || {
        pins::all(&mut lab, &published, &deliveries, &mapped);
    });
    stage("exim", &runs, || clients::exim(&mut lab, &deliveries));
    stage("sendmail", &runs, || {
        clients::sendmail(&mut lab, &deliveries);
    });
    stage("guard", &runs, || guard::all(&mut lab));
    stage("memory", &runs, || {
        memory::changes(&mut lab);
        memory::another_resolver(&mut lab);
        memory::kills(&mut lab);
    });
    stage("survive", &runs, || survive::orders(&mut lab));
    stage("page", &runs, || page::all(&mut lab, &mapped));
    stage("manual", &runs, || manual::all(&mut lab));
    stage("prometheus", &runs, || prometheus::all(&mut lab));
    stage("tlsrpt", &runs, || tlsrpt::all(&mut lab, &asking));
    let log = lab.hoplock.log();
    lab.report
        .check(!log.contains("panicked"), || "hoplock panicked".to_owned());
    lab.hoplock.kill();
    stage("package", &runs, || {
        package::all(&mut lab);
    });
    if !report.failed.is_empty() {
        println!("--- hoplock's log\n{log}");
    }
    report.verdict()
}

/// Runs a stage that is wanted, and says how long it took.
fn stage(name: &str, runs: &dyn Fn(&str) -> bool, run: impl FnOnce()) {
    if runs(name) {
        let started = Instant::now();
        run();
        println!("stage {name}: {} s", started.elapsed().as_secs());
    }
}

/// What can be run by itself.
const STAGES: [&str; 14] = [
    "check",
    "deliveries",
    "doctor",
    "exim",
    "guard",
    "manual",
    "memory",
    "package",
    "page",
    "pins",
    "prometheus",
    "sendmail",
    "survive",
    "tlsrpt",
];

/// The lab's DNS.
struct Dns {
    authoritative: Server,
    _validating: Server,
    _plain: Server,
    _black_hole: UdpSocket,
}

/// DNS, mail hosts and policy hosts, as planned.
fn start_servers(
    runtime: &Runtime,
    folder: &Path,
    plan: &mut Plan,
    sessions: &Sessions,
) -> (Dns, Arc<Sites>) {
    let anchor = plan.sign(folder);
    let sites = start_hosts(runtime, plan, sessions);
    let authoritative = nsd(folder, plan);
    // A resolver that is told too early remembers that.
    let zones: Vec<String> = plan
        .zone_files()
        .into_iter()
        .map(|(zone, _)| zone)
        .collect();
    until("the lab's zones", Duration::from_secs(20), || {
        zones.iter().all(|zone| {
            let mut look = Command::new("drill");
            let output = look.args(["@127.0.0.2", zone, "SOA"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains("rcode: NOERROR")
        })
    });
    let dns = Dns {
        authoritative,
        _validating: unbound(folder, &anchor),
        _plain: plain_unbound(folder, &plan.forged),
        _black_hole: UdpSocket::bind((BLACK_HOLE, 53)).unwrap(),
    };
    until("the lab's DNS", Duration::from_secs(20), || {
        let mut look = Command::new("drill");
        let output = look.args(["-D", "@127.0.0.1", "com.", "SOA"]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.contains("flags: qr rd ra ad") || text.contains(" ad ")
    });
    (dns, sites)
}

/// A Debian in a folder, made by integration/debian.sh.
pub(super) fn debian(variable: &str) -> PathBuf {
    let folder = std::env::var_os(variable);
    PathBuf::from(folder.unwrap_or_else(|| panic!("{variable} names a folder with a Debian")))
}

fn start_hosts(runtime: &Runtime, plan: &mut Plan, sessions: &Sessions) -> Arc<Sites> {
    for host in &plan.hosts {
        let address = SocketAddr::from((host.address, host.port));
        let tls = Arc::clone(&host.identity.tls);
        let (name, sessions) = (host.name.clone(), Arc::clone(sessions));
        runtime.spawn(mail_host::serve(name, address, host.manner, tls, sessions));
    }
    let sites = Arc::new(std::mem::take(&mut plan.sites));
    let address = format!("{POLICY_HOST}:443").parse().unwrap();
    runtime.spawn(policy_host::serve(address, Arc::clone(&sites)));
    sites
}

impl Lab<'_> {
    /// PD-11: the daemon saw, by itself, that this Postfix validates.
    fn own_dane_is_seen(&mut self) {
        let status = self.hoplock.tool(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        self.report
            .check(status["postfix"]["own_dane"] == "works", || {
                format!("own_dane: {}", status["postfix"])
            });
        self.report.check(
            status["alarms"].as_array().is_some_and(Vec::is_empty),
            || format!("alarms at the start: {}", status["alarms"]),
        );
    }

    /// Mail with and without the map, by both versions of Postfix.
    fn all_deliveries(&mut self, deliveries: &[Delivery], mapped: &Mapped) {
        let trixie = self.trixie();
        let datagrams = self.folder.join("tlsrpt");
        let reports = UnixDatagram::bind(&datagrams).unwrap();
        must(Command::new("chmod").arg("666").arg(&datagrams));
        let socket = self.folder.join("hoplock-tlsrpt");
        let relay = Relay::start(reports, &socket);
        let mapped310 = Mapped::start310(self.folder, &trixie, &datagrams);
        let control = Postfix::start(self.folder, &Instance::new("control", 2526, ""));
        self.without_the_map(deliveries, &control);
        self.report.check(deliveries.len() >= 40, || {
            format!("only {} deliveries", deliveries.len())
        });
        for mapped in [mapped, &mapped310] {
            self.answers(deliveries, mapped);
            self.deliveries(deliveries, mapped);
        }
        sessions::by_log(self, deliveries, mapped);
        sessions::in_the_clear(self, mapped);
        sessions::by_datagrams(self, deliveries, &relay);
        reports::attributes(self, &mapped310, &relay);
        sessions::straight(self, &mapped310, &socket);
        for mapped in [mapped, &mapped310] {
            sessions::afterwards(self, deliveries, mapped);
        }
        self.kill_in_mid_flow(mapped);
    }

    /// FT-03: hoplock dies; mail waits, nothing is lost, and goes out after the restart.
    pub(super) fn kill_in_mid_flow(&mut self, mapped: &Mapped) {
        let postfix = &mapped.postfix;
        self.hoplock.kill();
        let to = "survivor@dane.test".to_owned();
        postfix.send(&to);
        until("the wait without hoplock", Duration::from_secs(30), || {
            postfix.attempts(&to) > 0
        });
        let outcome = postfix.outcome(&to).unwrap_or_default();
        self.report.check(
            outcome.contains("status=deferred") && outcome.contains("4.7.5"),
            || format!("hoplock killed: {outcome}"),
        );
        self.hoplock.restart();
        std::thread::sleep(Duration::from_secs(2));
        postfix.flush();
        until(
            "delivery after the restart",
            Duration::from_secs(30),
            || {
                postfix
                    .outcome(&to)
                    .is_some_and(|outcome| outcome.contains("status=sent"))
            },
        );
        self.report.check(true, String::new);
        let bounced = postfix.log().contains("status=bounced");
        self.report
            .check(!bounced, || "a message bounced".to_owned());
        let status = self.hoplock.terminate();
        self.report
            .check(status == Some(0), || format!("drained with {status:?}"));
        self.hoplock.restart();
    }
}
