//! Files of trust anchors: read inside the chroot; one that somebody takes away makes mail wait, and is
//! put back (DT-16).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::chroot;
use crate::lab::servers::until;
use crate::lab::stage::{Lab, Mapped};

/// A file that is taken away.
pub(super) struct Gone(PathBuf);

/// DT-16, PD-13: without its file Postfix delivers nothing, and not otherwise either.
pub(super) fn take_away(lab: &mut Lab<'_>, pins: &Mapped) -> Gone {
    let explained = lab.hoplock.explain(DOMAIN, pins.map);
    let reply = explained["reply"].as_str().unwrap_or_default();
    let told = reply.split("tafile=").nth(1).unwrap_or_default();
    let told = told.split(' ').next().unwrap_or_default();
    lab.report.check(told.starts_with("/hoplock/anchors/"), || {
        format!("{DOMAIN}: {reply:?} names no file as smtp(8) sees it")
    });
    let file = chroot(lab.folder).join(told.trim_start_matches('/'));
    for (path, mode) in [(file.as_path(), 0o644), (file.parent().unwrap(), 0o755)] {
        let found = fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
        lab.report
            .check(found.as_ref().is_ok_and(|found| *found == mode), || {
                format!("{}: {found:?}, expected {mode:o}", path.display())
            });
    }
    fs::remove_file(&file).unwrap();
    pins.postfix.send(TO);
    until("the wait without the file", Duration::from_secs(30), || {
        pins.postfix.attempts(TO) > 0
    });
    let outcome = pins.postfix.outcome(TO).unwrap_or_default();
    let waits = outcome.contains("status=deferred") && outcome.contains("4.7.5");
    lab.report
        .check(waits, || format!("without the file: {outcome}"));
    lab.report.check(!taken(lab), || {
        "without its file a message was delivered".to_owned()
    });
    Gone(file)
}

/// DT-16: within a minute the file is back, and mail goes out.
pub(super) fn is_back(lab: &mut Lab<'_>, pins: &Mapped, gone: &Gone) {
    until("the file of anchors", Duration::from_secs(90), || {
        gone.0.exists()
    });
    pins.postfix.flush();
    until("mail with the file", Duration::from_secs(30), || {
        let outcome = pins.postfix.outcome(TO).unwrap_or_default();
        outcome.contains("status=sent")
    });
    // The mail host notes a session when it has ended, which is after Postfix says that it has sent.
    until("the session with the file", Duration::from_secs(30), || {
        taken(lab)
    });
    let taken = taken(lab);
    lab.report
        .check(taken, || "with its file nothing was delivered".to_owned());
    println!("pins: a file of anchors was taken away and came back");
}

fn taken(lab: &Lab<'_>) -> bool {
    let sessions = lab.sessions.lock().unwrap();
    let mut taken = sessions
        .iter()
        .filter(|session| session.delivered_to.iter().any(|own| own == TO));
    taken.any(|session| session.tls)
}

const DOMAIN: &str = "ta-full.test";
const TO: &str = "gone@ta-full.test";
