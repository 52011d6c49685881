//! Two hosts that share a server, one beside Exim and one beside Postfix: the sessions of both are counted
//! together, each once (RP-16).

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Scene;
use super::clock::HandClock;
use super::datagrams::Sender;
use super::node::{Installation, Node, Told};
use super::office::Office;
use super::published::{MATCH, NO_MATCH};
use super::shared::{Kind, Shared};
use super::tally::{self, Tally};
use crate::lab::clients::LoneExim;
use crate::lab::report::Report;

/// All of it; what was checked.
pub(super) fn all(scene: &Scene<'_>, office: &Office, exim: &LoneExim) -> Report {
    let mut report = Report::default();
    let clock = Arc::new(HandClock::new(scene.folder.join("wall-pair")));
    clock.set(0, 12, 0);
    let shared = Shared::start(scene.folder, "pair", Kind::Redis, 8490);
    let store = shared.store();
    let installation = Installation {
        name: "pair",
        mailer: "smtp:127.0.0.1:1",
        store: &store,
        told: Told::ByDatagrams,
    };
    let start = |name, port| Node::start(scene.folder, name, port, installation, &clock);
    let (beside_exim, beside_postfix) = (start("pair-exim", EXIM), start("pair-postfix", POSTFIX));
    let mut sent = Vec::new();
    for (to, arrives) in [
        (format!("e1@{MATCH}"), true),
        (format!("e2@{MATCH}"), true),
        (format!("e3@{NO_MATCH}"), false),
        ("e4@sts.test".to_owned(), true),
    ] {
        let (sends, line) = exim.send(EXIM + 1, &to);
        report.check(sends == arrives, || format!("Exim: {to}: {line}"));
        sent.push(to);
    }
    // Postfix's own octets, as they came from it.
    let started = Instant::now();
    while office.relay.seen().len() < 4 && started.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(200));
    }
    let mut sender = Sender::new();
    for octets in office.relay.seen() {
        sender.send(0, &beside_postfix.datagrams(), octets);
    }
    let by_postfix = tally::of_datagrams(sender.sent.iter().map(|own| &*own.octets));
    let of = |tally: &Tally, words: [&str; 2]| -> u64 {
        let own = tally
            .iter()
            .filter(|(line, _)| line.starts_with(words[0]) && line.ends_with(words[1]));
        own.map(|(_, count)| count).sum()
    };
    let wanted = [
        ([MATCH, " ok"], 2),
        ([MATCH, " failed"], 0),
        ([NO_MATCH, " ok"], 0),
        ([NO_MATCH, " failed"], 1),
        (["sts.test", " ok"], 1),
        (["sts.test", " failed"], 0),
    ];
    let day = clock.name(0);
    let counted = || {
        let mut tally = Tally::new();
        for domain in [MATCH, NO_MATCH, "sts.test"] {
            let shown = beside_exim.told(&["report", "show", domain, "--day", &day]);
            tally::of_report(&mut tally, domain, &shown["document"]);
        }
        tally
    };
    let fits = |tally: &Tally| {
        let mut wanted = wanted.iter();
        wanted.all(|(words, by_exim)| of(tally, *words) == of(&by_postfix, *words) + by_exim)
    };
    let mut found = counted();
    let started = Instant::now();
    while !fits(&found) && started.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(500));
        found = counted();
    }
    // Nothing comes later.
    sleep(Duration::from_secs(3));
    found = counted();
    report.check(fits(&found), || {
        format!(
            "Exim and Postfix together: {found:#?}\nPostfix: {by_postfix:#?}\n{}",
            beside_exim.log()
        )
    });
    // Where both were under the same policy, that is one section of the report.
    let lines = found.keys().filter(|line| line.starts_with(MATCH));
    let lines = lines.count();
    report.check(lines == 1, || {
        format!("{lines} lines for {MATCH}: {found:#?}")
    });
    println!(
        "pair: {} sessions of Exim 4.98 and {} of Postfix 3.10 are {} in one report",
        sent.len(),
        tally::sessions(&by_postfix),
        tally::sessions(&found)
    );
    report
}

/// Where Exim's configuration in the lab can ask.
const EXIM: u16 = 8500;
const POSTFIX: u16 = 8510;
