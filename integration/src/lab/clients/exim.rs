//! Exim as Debian ships it, with the configuration of `integration/exim`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use super::debian::Debian;
use super::{Asks, Client, Fate, Outcome, READSOCKET, lawful};
use crate::lab::deliveries::Delivery;
use crate::lab::servers::must;

/// One Exim, with two configurations: as shipped, and the same without hoplock's parts.
pub(super) struct Exim {
    with: Debian,
    without: Debian,
}

impl Exim {
    /// The Exim of the Debian in `source`.
    pub(super) fn new(source: &Path, lab: &Path, name: &str) -> Self {
        let private = ["etc/exim4", "var/spool/exim4", "var/log/exim4"];
        let with = Debian::enter(source, lab, name, &private);
        let without = Debian::enter(source, lab, &format!("{name}-control"), &private);
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("exim");
        for entry in fs::read_dir(&shipped).unwrap() {
            let file = entry.unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            let file = file.file_name().into_string().unwrap();
            configure(&with, &file, &as_the_sender_says(&text));
            configure(&without, &file, &without_hoplock(&text));
        }
        let ports: String = (READSOCKET..READSOCKET + 100)
            .map(|port| format!("{port}: {port}\n"))
            .collect();
        fs::write(with.outside("etc-exim4").join("ports"), ports).unwrap();
        for debian in [&with, &without] {
            must(debian.program("exim").arg("-bV"));
        }
        Self { with, without }
    }

    fn of(&self, asks: Asks) -> &Debian {
        match asks {
            Asks::Nobody => &self.without,
            Asks::At(_) => &self.with,
        }
    }

    /// What Exim makes of an expression.
    pub(super) fn expand(&self, expression: &str) -> String {
        let mut exim = self.with.program("exim");
        let output = exim.args(["-be", expression]).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }
}

impl Client for Exim {
    fn name(&self) -> &str {
        &self.with.name
    }

    fn hello(&self, asks: Asks) -> String {
        self.of(asks).hello()
    }

    fn port(&self) -> u16 {
        READSOCKET
    }

    fn send(&self, asks: Asks, to: &str) {
        let port = match asks {
            Asks::Nobody => 0,
            Asks::At(port) => port,
        };
        let mut exim = self.of(asks).program("exim");
        exim.args(["-odq", "-oi", "-f", &format!("{port}@client.lab.test"), to]);
        let mut child = exim.stdin(Stdio::piped()).spawn().unwrap();
        let message = format!("To: {to}\nSubject: lab\n\nhello\n");
        let mut input = child.stdin.take().unwrap();
        input.write_all(message.as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success(), "{}: {to}", self.name());
        self.again(asks, to);
    }

    /// Whatever Exim remembers of the host: an attempt is made.
    fn again(&self, asks: Asks, to: &str) {
        let _ = self.of(asks).program("exim").args(["-Rff", to]).output();
    }

    fn outcome(&self, asks: Asks, to: &str) -> (Outcome, String) {
        let log = self.log(asks);
        let of_recipient =
            |line: &&str| line.contains(&format!(" {to} ")) || line.contains(&format!(" {to}:"));
        let mut marked = log.lines().filter(of_recipient).filter_map(|line| {
            let mark = line.split(' ').nth(3)?;
            let outcome = match mark {
                "=>" | "->" => Outcome::Sent,
                "==" => Outcome::Waits,
                "**" => Outcome::Bounced,
                _ => return None,
            };
            Some((outcome, line.to_owned()))
        });
        marked
            .next_back()
            .unwrap_or_else(|| (Outcome::Unknown, String::new()))
    }

    fn log(&self, asks: Asks) -> String {
        let log = self.of(asks).outside("var-log-exim4/mainlog");
        // Exim logs what it was answered, garbage too.
        String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
    }

    /// SV-10: the veto comes before MAIL.
    fn leaves_before(&self) -> &'static str {
        "MAIL"
    }

    /// Each host gets exactly its duty, and half-DANE is not used (column E).
    fn fate(&self, delivery: &Delivery) -> Option<Fate> {
        lawful(delivery)
    }
}

fn configure(debian: &Debian, file: &str, text: &str) {
    let text = text.replace("client.example.com", &debian.hello());
    fs::write(debian.outside("etc-exim4").join(file), text).unwrap();
}

/// The lab's messages say by their sender at which port hoplock is to be asked: the one, or one of those
/// that only pretend. Exim takes no address that a message brings; by way of a file it is the file's.
fn as_the_sender_says(text: &str) -> String {
    let looked_up = "${lookup{$sender_address_local_part}lsearch{/etc/exim4/ports}}";
    text.replace(":8427", &format!(":{looked_up}"))
}

/// No part of hoplock's, and no DANE by Exim itself.
fn without_hoplock(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with(".include"))
        .map(|line| match line.trim() {
            "driver = smtp" => format!("{line}\n  hosts_try_dane =\n"),
            _ => format!("{line}\n"),
        });
    lines.collect()
}
