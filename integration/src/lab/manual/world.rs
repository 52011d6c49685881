//! What the pages' names publish, the machines on which people type, and the daemon beside them.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::lab::certificates::Flaw;
use crate::lab::mail_host::Manner;
use crate::lab::policy_host::Behaviour;
use crate::lab::run::debian;
use crate::lab::servers::{must, until};
use crate::lab::stage::Lab;
use crate::lab::zones::Plan;

use super::machine::Machine;

/// The destinations that the pages name: one with DANE at all hosts, one where only the first has it, one
/// whose TLSA lookup fails, one with an enforced policy, one without anything, one whose zone is bogus.
pub(in crate::lab) fn plan(plan: &mut Plan) {
    for (preference, host) in [(10, "mx1.example.com"), (20, "mx2.example.com")] {
        plan.mx("example.com", preference, host);
        let own = plan.host(host, Manner::Good, Flaw::None);
        plan.tlsa(host, &own.end_entity(1, 1));
    }
    plan.asks_for_reports("example.com");
    plan.mx("example.net", 10, "mx1.example.net");
    let own = plan.host("mx1.example.net", Manner::Good, Flaw::None);
    plan.tlsa("mx1.example.net", &own.end_entity(1, 1));
    plan.mx("example.net", 20, "mx2.example.net");
    plan.host("mx2.example.net", Manner::Good, Flaw::None);
    plan.mx("example.org", 10, "mx1.example.org");
    let own = plan.host("mx1.example.org", Manner::Good, Flaw::None);
    plan.tlsa("mx1.example.org", &own.end_entity(1, 1));
    plan.spoil("_25._tcp.mx1.example.org", "TLSA");
    plan.mx("bank.example", 10, "mx.bank.example");
    plan.host("mx.bank.example", Manner::Good, Flaw::None);
    let policy = "version: STSv1\r\nmode: enforce\r\nmx: mx.bank.example\r\nmax_age: 86400\r\n";
    plan.sts(
        "bank.example",
        Behaviour::Policy(policy.to_owned()),
        Flaw::None,
    );
    plan.mx("partner.example", 10, "mx.partner.example");
    plan.host("mx.partner.example", Manner::Good, Flaw::None);
    plan.mx("broken.example", 10, "mx.broken.example");
    // Submission, found by SRV.
    let own = plan.host_at("submit.example.com", 587, Manner::Good, Flaw::None);
    plan.record("_submission._tcp.example.com. 300 IN SRV 0 1 587 submit.example.com.");
    plan.record("_submissions._tcp.example.com. 300 IN SRV 0 1 465 submit.example.com.");
    let record = own.end_entity(1, 1);
    plan.record(&format!(
        "_587._tcp.submit.example.com. 300 IN TLSA {record}"
    ));
}

/// The machines, and hoplock as it runs beside them.
pub(super) struct World {
    machines: Vec<(&'static str, Machine)>,
    daemon: Child,
    demo: Child,
    /// What a page wrote into main.cf for a block of master.cf that follows.
    pub(super) earlier: RefCell<String>,
}

impl World {
    pub(super) fn start(lab: &mut Lab<'_>) -> Self {
        let layers = Path::new(MOUNTED);
        must(Command::new("mount").args(["-t", "tmpfs", "layers", MOUNTED]));
        let machine = |name, below: &Path| Machine::over(below, layers, name, lab.folder);
        let machines = vec![
            ("postfix", machine("postfix", Path::new("/"))),
            ("postfix310", machine("postfix310", &debian("LAB_TRIXIE"))),
            ("exim", machine("exim", &debian("LAB_EXIM_BOOKWORM"))),
            (
                "sendmail",
                machine("sendmail", &debian("LAB_SENDMAIL_TRIXIE")),
            ),
        ];
        let authority = fs::read_to_string(lab.folder.join("ca.pem")).unwrap();
        for (name, machine) in &machines {
            furnish(machine, lab, &authority);
            if *name != "postfix" {
                // There is one daemon, at the first machine.
                let control = lab.folder.join("manual-run/control.sock");
                let text = format!("[listen]\ncontrol = \"unix:{}\"\n", control.display());
                machine.write("etc/hoplock/hoplock.toml", &text);
            }
        }
        let first = &machines[0].1;
        daemon_of(first, lab.folder);
        postfix(first);
        exim(&machines[2].1);
        sendmail(&machines[3].1);
        // Of whole days alone there are reports.
        let mut daemon = spawn(first, lab.folder, &["FAKETIME=-86400", LIBRARY]);
        hand_in_a_session(first, lab.folder);
        stop(&mut daemon);
        let daemon = spawn(first, lab.folder, &[]);
        let demo = demo_of(first);
        let earlier = RefCell::default();
        let world = Self {
            machines,
            daemon,
            demo,
            earlier,
        };
        world.wait_for_mail(lab);
        world
    }

    pub(super) fn machine(&self, name: &str) -> Option<&Machine> {
        // The demonstration runs on the first one.
        let name = if name == "demo" { "postfix" } else { name };
        let found = self.machines.iter().find(|(own, _)| *own == name);
        found.map(|(_, machine)| machine)
    }

    /// Takes back what the page before wrote into main.cf.
    pub(super) fn as_at_first(&self) {
        let first = &self.machines[0].1;
        let file = first.inside("etc/postfix/main.cf");
        if fs::read_to_string(&file).unwrap() != main_cf() {
            fs::write(file, main_cf()).unwrap();
            assert!(first.shell("postfix reload").status.success());
        }
    }

    /// Where the HTTP interface is.
    pub(super) fn http(&self) -> &'static str {
        "127.0.0.1:8426"
    }

    /// Postfix is trusted with DANE; a message has left, and one waits.
    fn wait_for_mail(&self, lab: &mut Lab<'_>) {
        let first = &self.machines[0].1;
        until(
            "hoplock's look at the manual's Postfix",
            Duration::from_secs(60),
            || {
                let status = first.shell("hoplock status --json || true");
                let status: serde_json::Value =
                    serde_json::from_slice(&status.stdout).unwrap_or_default();
                status["postfix"]["own_dane"] == "works"
            },
        );
        for to in ["you@example.com", "you@example.org"] {
            let sent = first.shell(&format!("echo hello | sendmail {to}"));
            assert!(sent.status.success(), "{to}");
        }
        let log = first.inside("var/log/mail.log");
        let mut text = String::new();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            text = fs::read_to_string(&log).unwrap_or_default();
            if text.contains("status=sent") && text.contains("status=deferred") {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let good = text.contains("status=sent") && text.contains("status=deferred");
        lab.report
            .check(good, || format!("the manual's Postfix: {text}"));
    }

    pub(super) fn end(mut self, lab: &mut Lab<'_>) {
        let first = &self.machines[0].1;
        let _ = first.shell("postfix stop");
        stop(&mut self.demo);
        let status = stop(&mut self.daemon);
        let log = fs::read_to_string(lab.folder.join("manual.log")).unwrap_or_default();
        if !lab.report.failed.is_empty() {
            println!("--- the manual's hoplock\n{log}");
        }
        lab.report
            .check(status.success() && !log.contains("panicked"), || {
                format!("the manual's hoplock ended with {status}\n{log}")
            });
    }
}

/// What every machine has: hoplock, the lab's authorities among the system's, and files in root's home.
fn furnish(machine: &Machine, lab: &Lab<'_>, authority: &str) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("manual");
    machine.share(lab.hoplock.binary(), "usr/bin/hoplock");
    machine.add("etc/ssl/certs/ca-certificates.crt", authority);
    for entry in fs::read_dir(files.join("root")).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        machine.write(&format!("root/{name}"), &text);
    }
    let own = fs::read_to_string(files.join("authority.pem")).unwrap();
    machine.add("etc/ssl/certs/ca-certificates.crt", &own);
}

/// The configuration of the package, and what the pages add to it.
fn daemon_of(machine: &Machine, lab: &Path) {
    machine.add(
        "etc/passwd",
        "hoplock:x:990:990::/nonexistent:/usr/sbin/nologin\n",
    );
    machine.add("etc/group", "hoplock:x:990:\n");
    let package = include_str!("../../../../packaging/debian/hoplock.toml");
    let more = include_str!("../../../manual/hoplock.toml");
    let (head, sections) = more.split_once("\n# ---\n").unwrap();
    let (package, _) = package.split_once("# TLS reports (RFC 8460)").unwrap();
    let package = package.replacen("[listen]\n", &format!("[listen]\n{head}\n"), 1);
    let text = format!("{package}\n{sections}");
    machine.write("etc/hoplock/hoplock.toml", &text);
    // Other machines reach the control socket in the lab's folder.
    let shared = lab.join("manual-run");
    fs::create_dir_all(&shared).unwrap();
    let run = machine.inside("run/hoplock");
    for folder in [
        "run/hoplock",
        "var/lib/hoplock",
        "etc/hoplock/rules.d",
        "var/spool/postfix/hoplock",
    ] {
        fs::create_dir_all(machine.inside(folder)).unwrap();
    }
    must(Command::new("mount").arg("--bind").arg(&shared).arg(&run));
    let owned = machine.shell(
        "chown hoplock:hoplock /run/hoplock /var/lib/hoplock; \
         chown hoplock:postfix /var/spool/postfix/hoplock; chmod 2750 /var/spool/postfix/hoplock; \
         touch /var/log/mail.log; chmod 644 /var/log/mail.log",
    );
    assert!(owned.status.success());
}

/// The Postfix of this machine with the lines that the page prints, and a log in a file.
fn postfix(machine: &Machine) {
    machine.write("etc/postfix/main.cf", &main_cf());
    let started = machine.shell("/etc/init.d/postfix start");
    let words = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(started.status.success(), "the manual's Postfix: {words}");
    until("the manual's Postfix", Duration::from_secs(20), || {
        TcpStream::connect("127.0.0.1:25").is_ok()
    });
}

/// The lines that the page prints, and what a machine of the lab needs.
fn main_cf() -> String {
    let lines = include_str!("../../../postfix/main.cf");
    format!(
        "compatibility_level = 3.6\nmyhostname = client.lab.test\nmydestination = localhost\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmaillog_file = /var/log/mail.log\n{lines}"
    )
}

/// What Debian's questions about Exim write: an internet site, in small files.
fn exim(machine: &Machine) {
    let file = "etc/exim4/update-exim4.conf.conf";
    let old = fs::read_to_string(machine.inside(file)).unwrap();
    let answered: String = old
        .lines()
        .map(|line| match line.split('=').next() {
            Some("dc_eximconfig_configtype") => "dc_eximconfig_configtype='internet'\n".to_owned(),
            Some("dc_use_split_config") => "dc_use_split_config='true'\n".to_owned(),
            _ => format!("{line}\n"),
        })
        .collect();
    machine.write(file, &answered);
}

/// A domain of its own that it need not look up; what it says to syslog comes into the usual file.
fn sendmail(machine: &Machine) {
    let socket = machine.inside("dev/log");
    let log = machine.inside("var/log/mail.log");
    let socket = UnixDatagram::bind(&socket).unwrap();
    let _ = must(
        Command::new("chmod")
            .arg("666")
            .arg(machine.inside("dev/log")),
    );
    std::thread::spawn(move || {
        let mut log = fs::File::create(log).unwrap();
        let mut datagram = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut datagram) {
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            let text = text.trim_end_matches(['\0', '\n']);
            let text = text.split_once('>').map_or(text, |(_, words)| words);
            writeln!(log, "{text}").unwrap();
        }
    });
}

/// A session of yesterday, of which a report can be made.
fn hand_in_a_session(machine: &Machine, lab: &Path) {
    let day = machine.shell("date -u -d yesterday +%FT%TZ");
    let day = String::from_utf8_lossy(&day.stdout).trim().to_owned();
    let mut socket = UnixStream::connect(lab.join("manual-run/sessions")).unwrap();
    writeln!(
        socket,
        "{{\"next_hop\":\"example.com\",\"mx_host\":\"mx1.example.com\",\"address\":\"127.0.1.1\",\
         \"port\":25,\"time\":\"{day}\",\"starttls\":\"not-offered\"}}"
    )
    .unwrap();
    let mut verdict = String::new();
    BufReader::new(socket).read_line(&mut verdict).unwrap();
    assert!(verdict.contains("starttls-not-offered"), "{verdict}");
    // What was counted is kept in the next second.
    std::thread::sleep(Duration::from_secs(2));
}

/// As the package's unit runs it, as far as there is no systemd.
fn spawn(machine: &Machine, lab: &Path, variables: &[&str]) -> Child {
    let log = fs::File::create(lab.join("manual.log")).unwrap();
    let mut command = machine.program("setpriv");
    command.args(["--reuid", "hoplock", "--regid", "hoplock", "--init-groups"]);
    command.args(["--no-new-privs", "--bounding-set=-all", "env"]);
    command.args(["STATE_DIRECTORY=/var/lib/hoplock", "DONT_FAKE_MONOTONIC=1"]);
    command.args(variables).args(["hoplock", "serve"]);
    let mut child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
    until("the manual's daemon", Duration::from_secs(30), || {
        let control = lab.join("manual-run/control.sock");
        if child.try_wait().unwrap().is_some() {
            let log = fs::read_to_string(lab.join("manual.log")).unwrap();
            panic!("the manual's daemon ended:\n{log}");
        }
        TcpStream::connect("127.0.0.1:8425").is_ok() && control.exists()
    });
    child
}

/// `hoplock demo`, once it answers.
fn demo_of(machine: &Machine) -> Child {
    let mut command = machine.program("hoplock");
    command.arg("demo").stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    let look = "HOPLOCK_CONFIG=$(echo /tmp/hoplock-demo-*/hoplock.toml) hoplock query plain.test";
    until("the demonstration", Duration::from_secs(30), || {
        machine.shell(look).status.success()
    });
    child
}

fn stop(daemon: &mut Child) -> ExitStatus {
    must(Command::new("kill").args(["-TERM", &daemon.id().to_string()]));
    daemon.wait().unwrap()
}

/// libfaketime, where Debian has it.
const LIBRARY: &str = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// Where the layers are: nothing of the lab's is there.
const MOUNTED: &str = "/media";
