//! TLS reports (RFC 8460) from sessions to receivers: real datagrams, a day by a clock that is set by hand,
//! mail through a real Postfix 3.10, HTTPS; one box, and fleets.
//!
//! * `published`: who asks for reports and where they go. `clock`: libfaketime.
//! * `node`: a hoplock under that clock. `office`: Postfix 3.10. `receiver`: HTTPS.
//! * `datagrams`: what is sent. `tally`: datagrams and reports as lines that can be compared.
//! * `arrivals`: what came, read by dkimpy, Python's mail library and a JSON schema.
//! * `oracle`: the same datagrams given to tlsrpt-reporter 0.6.0.
//! * `single`: a day of one box; `after`: the hours and days after it.

mod after;
mod arrivals;
mod clock;
mod datagrams;
mod node;
mod office;
mod oracle;
mod published;
mod receiver;
mod single;
mod tally;

use std::sync::Arc;

use self::clock::HandClock;
use self::office::Office;
use self::receiver::Posts;
use super::stage::Lab;

pub(super) use self::published::{Published, plan};

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>, published: &Published) {
    let clock = Arc::new(HandClock::new(lab.folder.join("wall")));
    let posts = Posts::default();
    let address = format!("{}:443", published::RECEIVER_ADDRESS);
    lab.runtime.spawn(receiver::serve(
        address.parse().unwrap(),
        Arc::clone(&published.receiver),
        Arc::clone(&posts),
        Arc::clone(&clock),
    ));
    let trixie = lab.trixie();
    let socket = lab.folder.join("solo/tlsrpt");
    let office = Office::start(lab.folder, &trixie, single::PORT, &socket);
    single::all(lab, &office, &posts, &clock);
}
