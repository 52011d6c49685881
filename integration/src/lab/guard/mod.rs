//! Mail at submission: Postfix 3.7 and 3.10 by policy delegation and by the milter protocol, Sendmail 8.17
//! and 8.18 by the latter, with the lines that `docs/postfix.md` and `docs/sendmail.md` print.
//!
//! * `server`: the mail servers, each with several doors; `sasl`: who proves users to them.
//! * `client`: who hands in; `sink`: where everything arrives.
//! * `messages`, `compare`, `octets`: nothing is changed but what must be.

mod client;
mod compare;
mod messages;
mod octets;
mod sasl;
mod server;
mod sink;

use super::run::debian;
use super::stage::Lab;

use self::server::Server;
use self::sink::Sink;

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>) {
    let trixie = lab.trixie();
    let (sink, _other) = (Sink::start(server::SINK), Sink::start(server::OTHER_SINK));
    sasl::start(server::SASL, server::USERS);
    let postfixes = server::postfixes(lab.folder, &trixie);
    let sendmails = server::sendmails(
        lab.folder,
        &debian("LAB_SENDMAIL_BOOKWORM"),
        &debian("LAB_SENDMAIL_TRIXIE"),
    );
    let servers: [&dyn Server; 4] = [&postfixes[0], &postfixes[1], &sendmails[0], &sendmails[1]];
    octets::are_kept(lab.report, &servers, &sink, 1000);
}

/// The header field in which the protection of each recipient's domain is told.
const FIELD: &str = "Hoplock-Protection";
