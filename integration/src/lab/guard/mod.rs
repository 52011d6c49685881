//! Mail at submission: Postfix 3.7 and 3.10 by policy delegation and by the milter protocol, Sendmail 8.17
//! and 8.18 by the latter, with the lines that `docs/postfix.md` and `docs/sendmail.md` print.
//!
//! * `server`: the mail servers, each with several doors; `sasl`: who proves users to them.
//! * `client`: who hands in; `sink`: where everything arrives.
//! * `stage`: what the checks are given, and how hoplock is configured for them.
//! * `fates`: the operator's rules. `demands`: what a message itself demands of TLS.
//! * `routes`: what stays, and what goes by a relay.
//! * `connection`: messages one after the other, and rules that change between them.
//! * `bypass`: `TLS-Required: No` on its way out of Postfix, where the guard has let it go.
//! * `away`: hoplock stopped, and hanging. `slow`: DNS that does not answer.
//! * `messages`, `compare`, `octets`: nothing is changed but what must be.

mod away;
mod bypass;
mod client;
mod compare;
mod connection;
mod demands;
mod fates;
mod messages;
mod octets;
mod routes;
mod sasl;
mod server;
mod sink;
mod slow;
mod stage;

use std::fs;

use super::run::debian;
use super::stage::Lab;

use self::server::Server;
use self::sink::Sink;
use self::stage::Stage;

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>) {
    let trixie = lab.trixie();
    let (sink, other) = (Sink::start(server::SINK), Sink::start(server::OTHER_SINK));
    sasl::start(server::SASL, server::USERS);
    let postfixes = server::postfixes(lab.folder, &trixie);
    let sendmails = server::sendmails(
        lab.folder,
        &debian("LAB_SENDMAIL_BOOKWORM"),
        &debian("LAB_SENDMAIL_TRIXIE"),
    );
    let servers: [&dyn Server; 4] = [&postfixes[0], &postfixes[1], &sendmails[0], &sendmails[1]];
    let plain = fs::read_to_string(lab.hoplock.config()).unwrap();
    let mut stage = Stage {
        lab,
        servers: &servers,
        sink,
        other,
        plain: plain.clone(),
    };
    fates::all(&mut stage);
    demands::all(&mut stage);
    routes::all(&mut stage);
    connection::all(&mut stage);
    away::all(&mut stage);
    slow::all(&mut stage);
    bypass::all(stage.lab);
    octets::are_kept(&mut stage, MESSAGES);
    lab.hoplock.reconfigure(|_| plain.clone());
}

/// The header field in which the protection of each recipient's domain is told.
const FIELD: &str = "Hoplock-Protection";
/// Through each server.
const MESSAGES: usize = 1000;
