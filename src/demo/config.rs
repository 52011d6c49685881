//! What the daemon of the demonstration is told: a configuration like any other.

use std::fmt::Write as _;
use std::path::Path;

use super::DOMAINS;

/// The configuration, with everything in `folder`; `ports` are those of socketmap and HTTP, on loopback, and
/// `an_hour_ago` is a time of RFC 3339.
#[must_use]
pub fn text(folder: &Path, ports: (u16, u16), an_hour_ago: &str) -> String {
    let folder = folder.display();
    let (socketmap, http) = ports;
    let mut text = format!(
        "# Written by `hoplock demo`, and removed when it ends. Rules may be changed while it runs: SIGHUP.\n\
         [listen]\n\
         socketmap = [\"inet:127.0.0.1:{socketmap}\", \"unix:{folder}/{MAP}\"]\n\
         http = [\"inet:127.0.0.1:{http}\"]\n\
         sessions = [\"unix:{folder}/{SESSIONS}\"]\n\
         control = \"unix:{folder}/{CONTROL}\"\n\
         [store]\n\
         path = \"{folder}/hoplock.db\"\n\
         [sts]\n\
         roots = [\"{folder}/{AUTHORITY}\"]\n"
    );
    for domain in DOMAINS.iter().filter(|domain| !domain.rule.is_empty()) {
        let (name, shows) = (domain.name, domain.shows);
        let keys = domain.rule.replace("{an hour ago}", an_hour_ago);
        let _ = writeln!(text, "[rules.{name:?}]\n{keys}\ncomment = {shows:?}");
    }
    text
}

/// The authority's certificate in the folder: sessions are judged by it.
pub const AUTHORITY: &str = "authority.pem";
/// What stands in it. Its key was thrown away when the others were signed.
pub const AUTHORITY_PEM: &str = include_str!("certificates/authority.pem");
/// The socket for mail servers in the folder, beside the one on loopback.
pub const MAP: &str = "map";
/// The socket for session reports there.
pub const SESSIONS: &str = "sessions";
/// The control socket there.
pub const CONTROL: &str = "control";
/// The configuration itself.
pub const FILE: &str = "hoplock.toml";
