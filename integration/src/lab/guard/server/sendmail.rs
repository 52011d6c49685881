//! Sendmail as a submission server, with `integration/sendmail/guard.mc`.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Door, HOME, SINK, SOCKET, Server};
use crate::lab::clients::debian::Debian;
use crate::lab::clients::sendmail::HEAD;
use crate::lab::servers::{must, until};

/// One Sendmail; it ends when this is dropped.
pub(in crate::lab::guard) struct Sendmail {
    debian: Debian,
    port: u16,
    daemon: Child,
    log: Arc<Mutex<String>>,
}

/// The doors of it, in the order of their ports, and the filter of each.
const DOORS: [(Door, &str); 5] = [
    (Door::Milter, "hoplock"),
    (Door::MilterByPath, "near"),
    (Door::MilterPasses, "passing"),
    (Door::MilterRefuses, "refusing"),
    (Door::Bare, ""),
];

impl Sendmail {
    /// Starts the Sendmail of the Debian in `source`; its doors are at this port and the next ones.
    pub(super) fn start(source: &Path, lab: &Path, name: &str, port: u16) -> Self {
        let private = ["etc/mail", "var/spool/mqueue", "var/lib/sendmail"];
        let debian = Debian::enter(source, lab, name, &private);
        let log = debian.syslog();
        fs::write(debian.outside("guard.mc"), whole(&debian, port)).unwrap();
        let configuration = must(debian.program("m4").arg(debian.inside("guard.mc")));
        fs::write(debian.outside("guard.cf"), configuration).unwrap();
        let mut daemon = debian.server("sendmail");
        daemon.arg("-bD").arg("-C").arg(debian.inside("guard.cf"));
        daemon.stdin(Stdio::null()).stdout(Stdio::null());
        let daemon = daemon.spawn().unwrap();
        until("Sendmail", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            debian,
            port,
            daemon,
            log,
        }
    }
}

impl Drop for Sendmail {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

impl Server for Sendmail {
    fn name(&self) -> &str {
        &self.debian.name
    }

    fn port(&self, door: Door) -> Option<u16> {
        let found = DOORS.into_iter().zip(self.port..);
        let mut found = found.filter(|((own, _), _)| *own == door);
        found.next().map(|(_, port)| port)
    }

    /// The files of quarantined messages have a name of their own.
    fn holds(&self, to: &str) -> bool {
        let queue = fs::read_dir(self.debian.outside("var-spool-mqueue")).unwrap();
        let recipient = format!("<{to}>\n");
        let is_own = |file: fs::DirEntry| {
            let text = fs::read(file.path()).unwrap_or_default();
            file.file_name().to_string_lossy().starts_with("hf")
                && String::from_utf8_lossy(&text).contains(&recipient)
        };
        queue.map(Result::unwrap).any(is_own)
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

/// The configuration around the lines that the page prints.
fn whole(debian: &Debian, port: u16) -> String {
    let shipped = include_str!("../../../../sendmail/guard.mc");
    let mut filters = String::new();
    let near = format!("unix:/mnt/{SOCKET}");
    for (name, socket, flags) in [
        ("near", near.as_str(), "F=T, "),
        ("passing", FAR, ""),
        ("refusing", FAR, "F=R, "),
    ] {
        // Named by doors alone.
        let filter = shipped
            .replace("INPUT_MAIL_FILTER", "MAIL_FILTER")
            .replace("`hoplock'", &format!("`{name}'"))
            .replace(FAR, socket)
            .replace("F=T, ", flags);
        filters.push_str(&filter);
    }
    let doors: String = DOORS
        .into_iter()
        .zip(port..)
        .map(|((door, filter), port)| {
            format!(
                "DAEMON_OPTIONS(`Family=inet, Name={door:?}, Port={port}, Addr=127.0.0.1, \
                 InputMailFilters={filter}')dnl\n"
            )
        })
        .collect();
    format!(
        "{HEAD}define(`confDOMAIN_NAME', `{}')dnl\n{SMART}{shipped}{filters}{doors}MAILER(`local')dnl\nMAILER(`smtp')dnl\n",
        debian.hello()
    )
    .replace("SINK", &SINK.to_string())
    .replace("`HOME'", &format!("`{HOME}'"))
}

/// Where hoplock is by the lines of the page.
const FAR: &str = "inet:8429@127.0.0.1";

/// Everything goes one way, at once, and nobody is looked up.
const SMART: &str = "\
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h SINK')dnl
LOCAL_DOMAIN(`HOME')dnl
";
