//! TLS reports (RFC 8460) from sessions to receivers: real datagrams, a day by a clock that is set by hand,
//! mail through a real Postfix 3.10, HTTPS; one box, and fleets.
//!
//! * `published`: who asks for reports and where they go. `clock`: libfaketime.
//! * `node`: a hoplock under that clock. `office`: Postfix 3.10. `receiver`: HTTPS. `shared`: Redis, Valkey.
//! * `datagrams`: what is sent. `tally`: datagrams and reports as lines that can be compared.
//! * `arrivals`: what came, read by dkimpy, Python's mail library and a JSON schema.
//! * `oracle`: the same datagrams given to tlsrpt-reporter 0.6.0.
//! * `single`: a day of one box; `after`: the hours and days after it. `older`: by the log of a Postfix 3.7.
//! * `fleet`: three hosts and the server that they share; `pair`: Exim and Postfix counted together.

mod after;
mod arrivals;
mod clock;
mod datagrams;
mod fleet;
mod node;
mod office;
mod older;
mod oracle;
mod pair;
mod published;
mod receiver;
mod shared;
mod single;
mod tally;

use std::path::Path;
use std::sync::Arc;
use std::thread::scope;

use self::clock::HandClock;
use self::fleet::Trouble;
use self::office::Office;
use self::receiver::Posts;
use self::shared::Kind;
use super::clients::LoneExim;
use super::mail_host::Sessions;
use super::run::debian;
use super::servers::enter;
use super::stage::Lab;

pub(super) use self::published::{Published, plan};

/// What all parts of the stage have in common.
struct Scene<'a> {
    folder: &'a Path,
    /// What the mail hosts saw.
    sessions: &'a Sessions,
    /// What was posted.
    posts: &'a Posts,
}

/// All of it. The parts share Postfix and the receivers and nothing else; most of their time is waiting.
pub(super) fn all(lab: &mut Lab<'_>, published: &Published) {
    let clock = Arc::new(HandClock::new(lab.folder.join("wall")));
    let posts = Posts::default();
    let address = format!("{}:443", published::RECEIVER_ADDRESS);
    lab.runtime.spawn(receiver::serve(
        address.parse().unwrap(),
        Arc::clone(&published.receiver),
        posts.clone(),
        Arc::clone(&clock),
    ));
    let (trixie, valkey) = (lab.trixie(), debian("LAB_VALKEY"));
    enter(&valkey, lab.folder);
    let exim = LoneExim::new(&debian("LAB_EXIM_TRIXIE"), lab.folder, "exim-pair");
    let socket = lab.folder.join("solo/tlsrpt");
    let office = Office::start(lab.folder, &trixie, single::PORT, &socket);
    let scene = Scene {
        folder: lab.folder,
        sessions: &lab.sessions,
        posts: &posts,
    };
    let reports = scope(|scope| {
        let scene = &scene;
        let valkey = Kind::Valkey(valkey);
        let parts = [
            scope.spawn(move || {
                fleet::all(
                    scene,
                    ("redis", Kind::Redis, 8530),
                    Trouble::AwayOverMidnight,
                )
            }),
            scope.spawn(move || fleet::all(scene, ("valkey", valkey, 8570), Trouble::SenderKilled)),
            scope.spawn(|| pair::all(scene, &office, &exim)),
            scope.spawn(|| older::all(scene)),
        ];
        let single = single::all(scene, &office, &clock);
        let mut reports: Vec<_> = parts.into_iter().map(|part| part.join().unwrap()).collect();
        reports.push(single);
        reports
    });
    for report in reports {
        lab.report.passed += report.passed;
        lab.report.failed.extend(report.failed);
    }
}
