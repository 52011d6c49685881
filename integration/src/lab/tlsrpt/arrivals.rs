//! Reports as they arrived, by mail and by HTTPS, and what other programs make of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Scene;
use super::clock::HandClock;
use super::tally::{self, Tally};
use crate::lab::mail_host::Sessions;
use crate::lab::servers::must;

/// A report that arrived, as `report_mails.py` reads it.
pub(super) struct Arrival {
    /// The report itself.
    pub(super) report: Value,
    /// For a mail: signature, fields and parts.
    pub(super) mail: Option<Value>,
    /// What the schema has against it.
    pub(super) against: Vec<String>,
    /// As it came.
    pub(super) octets: Vec<u8>,
    /// The path that was posted to.
    pub(super) path: Option<String>,
}

impl Arrival {
    /// The domain that it is about: no member of a report says so, but the fields of the mail and the path
    /// of the POST do.
    pub(super) fn domain(&self) -> String {
        match (&self.mail, &self.path) {
            (Some(mail), _) => mail["tls-report-domain"][0]
                .as_str()
                .unwrap_or("?")
                .to_owned(),
            (None, path) => path.as_deref().unwrap_or("/?")[1..].to_owned(),
        }
    }

    pub(super) fn id(&self) -> String {
        self.report["report-id"].as_str().unwrap_or("?").to_owned()
    }

    /// The day that it covers.
    pub(super) fn day(&self) -> &str {
        let begin = self.report["date-range"]["start-datetime"].as_str();
        begin.and_then(|begin| begin.get(..10)).unwrap_or("?")
    }

    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::new();
        tally::of_report(&mut tally, &self.domain(), &self.report);
        tally
    }
}

/// Mails of an installation that the lab's mail hosts took so far, each with where it arrived.
pub(super) fn mails(sessions: &Sessions, installation: &str) -> Vec<(String, Vec<u8>)> {
    let from = format!("<tlsrpt@{installation}.client.lab.test>");
    let sessions = sessions.lock().unwrap();
    let own = sessions.iter().filter(|session| {
        let sender = session.mail_from.as_deref().unwrap_or_default();
        sender.to_ascii_lowercase().contains(&from)
    });
    let messages = own.flat_map(|session| {
        let messages = session.messages.iter();
        messages.map(|message| (session.host.clone(), message.clone()))
    });
    messages.collect()
}

/// To how many targets of an installation a report has come so far, however often.
pub(super) fn reached(scene: &Scene<'_>, installation: &str) -> usize {
    let about = |(_, mail): (String, Vec<u8>)| {
        let text = String::from_utf8_lossy(&mail).into_owned();
        let mut fields = text
            .lines()
            .filter(|line| line.starts_with("TLS-Report-Domain:"));
        fields.next().unwrap_or_default().to_owned()
    };
    let mails = mails(scene.sessions, installation).into_iter().map(about);
    let posts = scene.posts.of(installation).into_iter().map(|own| own.path);
    mails.chain(posts).collect::<BTreeSet<String>>().len()
}

/// All that arrived from an installation, read by other programs.
pub(super) fn arrivals(scene: &Scene<'_>, installation: &str, clock: &HandClock) -> Vec<Arrival> {
    let folder = scene.folder.join(format!("arrived-{installation}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    for (number, (_, mail)) in mails(scene.sessions, installation).into_iter().enumerate() {
        files.push((format!("{number:04}.eml"), mail, None));
    }
    for (number, posted) in scene.posts.of(installation).into_iter().enumerate() {
        files.push((format!("{number:04}.body"), posted.body, Some(posted.path)));
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new("/usr/bin/python3");
    python.arg(sources.join("oracle/report_mails.py"));
    python.arg(sources.join("tlsrpt.schema.json"));
    for (name, octets, _) in &files {
        let file = folder.join(name);
        fs::write(&file, octets).unwrap();
        python.arg(file);
    }
    if files.is_empty() {
        return Vec::new();
    }
    // A signature of tomorrow is not good yet.
    let told = must(clock.rules(&mut python));
    let mut arrivals = Vec::new();
    for (line, (_, octets, path)) in told.lines().zip(files) {
        let told: Value = serde_json::from_str(line).unwrap();
        let against = told["schema"].as_array().unwrap().iter();
        arrivals.push(Arrival {
            report: told["report"].clone(),
            against: against.map(ToString::to_string).collect(),
            mail: path.is_none().then(|| told.clone()),
            octets,
            path,
        });
    }
    arrivals
}
