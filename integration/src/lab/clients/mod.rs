//! The mail servers besides Postfix: Exim 4.96 and 4.98, Sendmail 8.17 and 8.18, each in a Debian of its
//! own, with the configuration that `docs/exim.md` and `docs/sendmail.md` print.
//!
//! * `debian`: a Debian for one mail server; `exim`, `sendmail`: the mail servers in it.
//! * `rounds`: every destination of the lab, and the controls.
//! * `vetoes`: why a certificate was refused.
//! * `stand_in`, `troubles`: hoplock stopped, hanging, answering garbage, restarted in the middle.
//! * `lookups`: what hoplock answers in place of Exim's own lookups.

use std::path::Path;

use super::deliveries::{self, Delivery};
use super::stage::Lab;

pub(super) mod debian;
mod exim;
mod lookups;
mod rounds;
pub(super) mod sendmail;
mod stand_in;
mod troubles;
mod vetoes;

use exim::Exim;
use sendmail::{Abilities, Sendmail};

/// Where a mail server believes hoplock to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// It has no part of hoplock's configuration.
    Nobody,
    /// At this port.
    At(u16),
}

/// What became of a message at the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Waits,
    Bounced,
    /// The log says nothing of it.
    Unknown,
}

/// A mail server that makes one attempt, in the foreground.
trait Client: Sync {
    fn name(&self) -> &str;
    /// The name by which it introduces itself.
    fn hello(&self, asks: Asks) -> String;
    /// The port at which hoplock answers it.
    fn port(&self) -> u16;
    /// Takes a message in and makes the first attempt.
    fn send(&self, asks: Asks, to: &str);
    /// Makes another attempt.
    fn again(&self, asks: Asks, to: &str);
    /// The outcome, and the line of the log that says so.
    fn outcome(&self, asks: Asks, to: &str) -> (Outcome, String);
    fn log(&self, asks: Asks) -> String;
    /// The command of which no refused host sees anything.
    fn leaves_before(&self) -> &'static str;
    /// Destinations with DANE get mail at all.
    fn can_dane(&self) -> bool {
        true
    }
    /// It authenticates hosts by DANE though this request is not answered; the empty one stands for all.
    fn does_dane_without(&self, _request: &str) -> bool {
        false
    }
    /// Words that are no answer to this request make mail wait.
    fn waits_on_garbage(&self, _request: &str) -> bool {
        true
    }
    /// What must become of a message, where it may be shown with this mail server.
    fn fate(&self, delivery: &Delivery) -> Option<Fate>;
}

/// What must become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It arrives at this host, over TLS or in clear text.
    Arrives {
        host: &'static str,
        tls: bool,
    },
    Waits,
    /// Reaches nobody; whether it then waits is beyond what can be configured.
    ReachesNobody,
}

/// One Exim for another stage.
pub(super) struct LoneExim(Exim);

impl LoneExim {
    pub(super) fn new(source: &Path, lab: &Path, name: &str) -> Self {
        Self(Exim::new(source, lab, name))
    }

    /// Sends a message with the hoplock whose readsocket is at this port; whether it arrived, and what the
    /// log says.
    pub(super) fn send(&self, port: u16, to: &str) -> (bool, String) {
        let asks = Asks::At(port);
        self.0.send(asks, to);
        let (outcome, line) = self.0.outcome(asks, to);
        (outcome == Outcome::Sent, line)
    }
}

/// Exim in both versions.
pub(super) fn exim(lab: &mut Lab<'_>, deliveries: &[Delivery]) {
    let source = super::run::debian;
    let (bookworm, trixie) = (source("LAB_EXIM_BOOKWORM"), source("LAB_EXIM_TRIXIE"));
    let old = Exim::new(&bookworm, lab.folder, "exim-4-96");
    let new = Exim::new(&trixie, lab.folder, "exim-4-98");
    let clients: [&dyn Client; 2] = [&old, &new];
    rounds::all(lab, deliveries, &clients);
    vetoes::all(lab, &clients);
    troubles::all(
        lab,
        &clients,
        &["hoplock1 level", "hoplock1 mx", "hoplock1 cert"],
    );
    // The only request that a host without STARTTLS meets.
    let option = "hoplock1 option";
    let domains = ["strip.test", "sts-strip.test", "garbage.test"];
    troubles::only(lab, &clients, option, &domains);
    for exim in [&old, &new] {
        lookups::equal(lab, exim);
        lookups::by_dns(lab, exim);
    }
}

/// Sendmail in both versions, without and with the session check.
pub(super) fn sendmail(lab: &mut Lab<'_>, deliveries: &[Delivery]) {
    let source = super::run::debian;
    let (bookworm, trixie) = (
        source("LAB_SENDMAIL_BOOKWORM"),
        source("LAB_SENDMAIL_TRIXIE"),
    );
    let folder = lab.folder;
    let start = |debian, name, abilities| Sendmail::new(debian, folder, name, abilities);
    let old = start(
        &bookworm,
        "sendmail-8-17",
        Abilities {
            dane: false,
            check: false,
        },
    );
    let new = start(
        &trixie,
        "sendmail-8-18",
        Abilities {
            dane: true,
            check: false,
        },
    );
    let old_check = start(
        &bookworm,
        "sendmail-8-17-check",
        Abilities {
            dane: false,
            check: true,
        },
    );
    let new_check = start(
        &trixie,
        "sendmail-8-18-check",
        Abilities {
            dane: true,
            check: true,
        },
    );
    let clients: [&dyn Client; 4] = [&old, &new, &old_check, &new_check];
    rounds::all(lab, deliveries, &clients);
    troubles::all(lab, &clients, &["sts "]);
    let clients: [&dyn Client; 2] = [&old_check, &new_check];
    troubles::all(lab, &clients, &[sendmail::GREETING, sendmail::SESSION]);
}

/// What the law asks for, whichever mail server it is; `None` where it can only be shown with Postfix.
fn lawful(delivery: &Delivery) -> Option<Fate> {
    if delivery.next_hop != delivery.domain {
        return None;
    }
    match delivery.fate {
        deliveries::Fate::Verified(host) | deliveries::Fate::Encrypted(host) => {
            Some(Fate::Arrives { host, tls: true })
        }
        deliveries::Fate::Clear(host) => Some(Fate::Arrives { host, tls: false }),
        deliveries::Fate::Waits(_) => Some(Fate::Waits),
        deliveries::Fate::AnswerOnly => delivery.reply.starts_with("TEMP").then_some(Fate::Waits),
    }
}

/// hoplock's ports in the lab.
const READSOCKET: u16 = 8427;
const SOCKETMAP: u16 = 8425;
