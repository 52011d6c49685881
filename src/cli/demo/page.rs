//! What the demonstration prints: the table of answers, and how to ask for more.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::tour::Row;
use crate::cli::table;

/// The table.
pub(super) fn table(rows: &[Row]) -> String {
    let head = ["destination", "Postfix is told", "row", "what it shows"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.domain.name.to_owned(),
            told(&row.reply),
            row.row.clone(),
            row.domain.shows.to_owned(),
        ]
    }));
    table::table(&lines)
}

/// A reply without what makes it long: attributes, and the words after a reason.
pub(super) fn told(reply: &str) -> String {
    let reply = reply.trim_end();
    let policy = reply.strip_prefix("OK ").unwrap_or(reply);
    if let Some((reason, _)) = policy.split_once(": ") {
        return reason.to_owned();
    }
    match policy.split_once('=') {
        Some((front, _)) => format!("{front}=…"),
        None => policy.to_owned(),
    }
}

/// How to go on.
pub(super) struct Way {
    program: PathBuf,
    config: PathBuf,
    socketmap: SocketAddr,
    http: SocketAddr,
}

impl Way {
    /// By this program, as short as it can be called from here.
    pub(super) fn new(config: &Path, socketmap: SocketAddr, http: SocketAddr) -> Self {
        let name = PathBuf::from("hoplock");
        let program = std::env::current_exe().ok().filter(|path| {
            let folder = path.parent();
            folder.is_some_and(|folder| !IN_THE_PATH.iter().any(|known| Path::new(known) == folder))
        });
        let program = program.map(|path| {
            let here = std::env::current_dir().ok();
            let relative = here.and_then(|here| Some(path.strip_prefix(here).ok()?.to_path_buf()));
            relative.unwrap_or(path)
        });
        Self {
            program: program.unwrap_or(name),
            config: config.to_path_buf(),
            socketmap,
            http,
        }
    }
}

/// What else there is, as commands to copy.
pub(super) fn ways(way: &Way) -> String {
    let (program, config) = (way.program.display(), way.config.display());
    let (socketmap, http) = (way.socketmap, way.http);
    format!(
        "
This daemon answers until Ctrl-C. In another terminal:

  export HOPLOCK_CONFIG={config}
  {program} explain half-dane.test          why, with every lookup
  {program} status                          alarms, rules, figures
  {program} sessions                        what became of TLS sessions
  {program} rule list                       your own orders
  {program} cache list                      what is kept, and for how long
  {program} report list                     TLS reports of others

  postmap -q dane-all-hosts.test socketmap:inet:{socketmap}:postfix
  curl 'http://{http}/api/v1/query?next_hop=sts-enforce.test'
  curl http://{http}/metrics

The page for people: http://{http}/
"
    )
}

/// Folders whose programs are called by name.
const IN_THE_PATH: &[&str] = &["/usr/bin", "/usr/local/bin", "/usr/sbin", "/bin"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_cut_where_they_get_long() {
        for (reply, expected) in [
            ("OK dane-only", "dane-only"),
            (
                "OK secure match=mx1.e.test servername=hostname",
                "secure match=…",
            ),
            ("NOTFOUND ", "NOTFOUND"),
            (
                "TEMP mx-lookup-failed: MX e.test: bogus",
                "TEMP mx-lookup-failed",
            ),
        ] {
            assert_eq!(told(reply), expected, "{reply}");
        }
    }
}
