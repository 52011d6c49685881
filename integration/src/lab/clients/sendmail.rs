//! Sendmail as Debian ships it, with the configuration of `integration/sendmail`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use super::debian::Debian;
use super::stand_in::{Trouble, stand_in};
use super::{Asks, Client, Fate, Outcome, SOCKETMAP, lawful};
use crate::lab::deliveries::Delivery;
use crate::lab::servers::must;

/// What its session check asks before STARTTLS and after it.
pub(super) const GREETING: &str = "verifier hello";
/// What stands in the question about a session alone: the end of the recipient, and the host.
pub(super) const SESSION: &str = "| mx";

/// What a Sendmail can do.
#[derive(Clone, Copy)]
pub(super) struct Abilities {
    /// It looks for TLSA records by itself.
    pub dane: bool,
    /// It asks about each session.
    pub check: bool,
}

/// One Sendmail with one set of shipped snippets, and the same without any.
pub(super) struct Sendmail {
    debian: Debian,
    abilities: Abilities,
    port: u16,
    log: Arc<Mutex<String>>,
    /// The ports for which there is a configuration.
    made: Mutex<BTreeSet<u16>>,
}

impl Sendmail {
    /// The Sendmail of the Debian in `source`, with the files of `integration/sendmail` for what it can.
    pub(super) fn new(source: &Path, lab: &Path, name: &'static str, abilities: Abilities) -> Self {
        let private = ["etc/mail", "var/spool/mqueue", "var/lib/sendmail"];
        let debian = Debian::enter(source, lab, name, &private);
        let log = debian.syslog();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("sendmail");
        let mut snippets = String::new();
        let map = if abilities.dane {
            "sts-8.18.mc"
        } else {
            "sts-8.17.mc"
        };
        for (file, is_used) in [(map, true), ("verifier.mc", abilities.check)] {
            if is_used {
                snippets.push_str(&fs::read_to_string(shipped.join(file)).unwrap());
            }
        }
        let sendmail = Self {
            debian,
            abilities,
            port: stand_in(SOCKETMAP, "", Trouble::Nothing { profile: name }).0,
            log,
            made: Mutex::default(),
        };
        let hello = sendmail.debian.hello();
        sendmail.make("with", &sendmail.whole(lab, &hello, &snippets));
        // No part of hoplock's, and no DANE by Sendmail itself.
        let hello = control(&sendmail.debian);
        let careless = "define(`confTLS_FALLBACK_TO_CLEAR', `true')dnl\n";
        sendmail.make("without", &sendmail.whole(lab, &hello, careless));
        sendmail
    }

    /// A whole configuration around the snippets, in which the lab's authority vouches.
    fn whole(&self, lab: &Path, name: &str, snippets: &str) -> String {
        let authority = Path::new("/mnt").join("ca.pem").display().to_string();
        assert!(lab.join("ca.pem").exists());
        let snippets = snippets.replace("/etc/ssl/certs/ca-certificates.crt", &authority);
        // What stands for the rulesets comes behind the mailers.
        let (options, rulesets) = match snippets.find("LOCAL_CONFIG") {
            Some(at) => snippets.split_at(at),
            None => (snippets.as_str(), ""),
        };
        format!(
            "{HEAD}define(`confDOMAIN_NAME', `{name}')dnl\n{options}MAILER(`smtp')dnl\n{rulesets}"
        )
    }

    fn make(&self, name: &str, text: &str) {
        fs::write(self.debian.outside(&format!("{name}.mc")), text).unwrap();
        let source = self.debian.inside(&format!("{name}.mc"));
        let configuration = must(self.debian.program("m4").arg(source));
        fs::write(self.debian.outside(&format!("{name}.cf")), configuration).unwrap();
    }

    /// Its program with the configuration that asks there.
    fn program(&self, asks: Asks) -> Command {
        let file = match asks {
            Asks::Nobody => "without.cf".to_owned(),
            Asks::At(port) => {
                let file = format!("{port}.cf");
                // Held until the file is there.
                let mut made = self.made.lock().unwrap();
                if made.insert(port) {
                    let shipped = fs::read_to_string(self.debian.outside("with.cf")).unwrap();
                    let text = shipped.replace("inet:8425@", &format!("inet:{port}@"));
                    let new = self.debian.outside("new.cf");
                    fs::write(&new, text).unwrap();
                    fs::rename(new, self.debian.outside(&file)).unwrap();
                }
                file
            }
        };
        let mut command = self.debian.program("sendmail");
        command.arg("-Am").arg("-C").arg(self.debian.inside(&file));
        command
    }
}

impl Client for Sendmail {
    fn name(&self) -> &str {
        &self.debian.name
    }

    fn hello(&self, asks: Asks) -> String {
        match asks {
            Asks::Nobody => control(&self.debian),
            Asks::At(_) => self.debian.hello(),
        }
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn send(&self, asks: Asks, to: &str) {
        let mut sendmail = self.program(asks);
        sendmail.args(["-odq", "-oi", "-f", "sender@client.lab.test", to]);
        sendmail.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = sendmail.stdin(Stdio::piped()).spawn().unwrap();
        let message = format!("To: {to}\nSubject: lab\n\nhello\n");
        let mut input = child.stdin.take().unwrap();
        let _ = input.write_all(message.as_bytes());
        drop(input);
        assert!(child.wait().unwrap().success(), "{}: {to}", self.name());
        self.again(asks, to);
    }

    fn again(&self, asks: Asks, to: &str) {
        // A directory that other queue runs change meanwhile may not show every message.
        for _ in 0..QUEUE_RUNS {
            let mut sendmail = self.program(asks);
            let run = sendmail.args(["-v", &format!("-qR{to}")]).output();
            let takes_it_up =
                |run: &Output| String::from_utf8_lossy(&run.stdout).contains("Running ");
            if run.is_ok_and(|run| takes_it_up(&run)) {
                return;
            }
        }
    }

    fn outcome(&self, _: Asks, to: &str) -> (Outcome, String) {
        let log = self.log.lock().unwrap();
        let of_recipient = |line: &&str| {
            line.contains(&format!("to={to},")) || line.contains(&format!("to=<{to}>,"))
        };
        let mut marked = log.lines().filter(of_recipient).filter_map(|line| {
            let (_, stat) = line.split_once("stat=")?;
            let outcome = if stat.starts_with("Sent") {
                Outcome::Sent
            } else if line.contains("dsn=5") {
                Outcome::Bounced
            } else {
                Outcome::Waits
            };
            Some((outcome, line.to_owned()))
        });
        // Queued first; 8.17 then reads on and on where it is answered garbage, and is ended.
        marked
            .next_back()
            .unwrap_or_else(|| (Outcome::Unknown, String::new()))
    }

    fn log(&self, _: Asks) -> String {
        self.log.lock().unwrap().clone()
    }

    /// SV-10: the veto comes before RCPT.
    fn leaves_before(&self) -> &'static str {
        "RCPT"
    }

    fn can_dane(&self) -> bool {
        self.abilities.dane || self.abilities.check
    }

    /// Where there are TLSA records, 8.18 asks nothing of its map for MTA-STS.
    fn does_dane_without(&self, request: &str) -> bool {
        self.abilities.dane && (!self.abilities.check || request == "sts ")
    }

    /// Before RCPT Sendmail takes a reply that is no netstring for an error of its own, and gives the message
    /// back; hence the greeting, which whatever is not hoplock meets first.
    fn waits_on_garbage(&self, request: &str) -> bool {
        request != SESSION
    }

    /// Column S. Without DANE of its own and without the session check, nothing that owes more than
    /// `secure` can say is delivered.
    fn fate(&self, delivery: &Delivery) -> Option<Fate> {
        let lawful = lawful(delivery)?;
        // Where an alias leads elsewhere, Sendmail puts that name into the recipient's place.
        if delivery.domain == "sub.old.test" {
            return None;
        }
        let cannot_be_said = ["OK dane", "OK encrypt"]
            .iter()
            .any(|reply| delivery.reply.starts_with(reply))
            // DT-20: half-DANE is Postfix's alone.
            && delivery.domain != "half.plain.test";
        if cannot_be_said && !self.abilities.dane && !self.abilities.check {
            return Some(Fate::Waits);
        }
        Some(lawful)
    }
}

/// The name by which it introduces itself without hoplock.
fn control(debian: &Debian) -> String {
    format!("control-{}", debian.hello())
}

/// How often a message that no queue run has taken up is looked for.
const QUEUE_RUNS: usize = 5;

/// It must try at once, however busy the machine of the lab is.
pub(in crate::lab) const HEAD: &str = "\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confTO_CONNECT', `5s')dnl
define(`confTO_ICONNECT', `5s')dnl
FEATURE(`access_db')dnl
";
