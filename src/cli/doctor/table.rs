//! The tables of `smtp_tls_policy_maps`, and whether one of them is hoplock's.

use std::path::Path;

use crate::adapters::postfix::{Settings, words};
use crate::config::Endpoint;

/// One table of `smtp_tls_policy_maps`.
pub(super) struct Table {
    /// As it is written.
    pub(super) written: String,
    /// Without `proxy:`.
    pub(super) bare: String,
    /// Through proxymap(8), which is not chrooted.
    pub(super) proxied: bool,
    /// Where it is asked, for a socketmap.
    pub(super) endpoint: Option<Endpoint>,
    /// The map's name there.
    pub(super) map: Option<String>,
}

/// Whether a table is asked where hoplock listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ours {
    /// It is not.
    No,
    /// systemd holds a socket that may be that one: asking tells.
    Perhaps,
    /// It is.
    Yes,
}

impl Table {
    /// All tables, in their order.
    pub(super) fn all(settings: &Settings) -> Vec<Self> {
        words(settings.get("smtp_tls_policy_maps"))
            .map(Self::read)
            .collect()
    }

    fn read(written: &str) -> Self {
        let (proxied, bare) = match written.strip_prefix("proxy:") {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let socketmap = bare
            .strip_prefix("socketmap:")
            .and_then(|rest| rest.rsplit_once(':'));
        let (endpoint, map) = socketmap
            .map(|(place, map)| (Endpoint::parse(place), map.to_owned()))
            .unzip();
        Self {
            written: written.to_owned(),
            bare: bare.to_owned(),
            proxied,
            endpoint: endpoint.flatten(),
            map,
        }
    }

    /// A table made of others, a socketmap among them.
    pub(super) fn hides_a_socketmap(&self) -> bool {
        let compound = ["unionmap:", "pipemap:"];
        compound.iter().any(|kind| self.bare.starts_with(kind)) && self.bare.contains("socketmap:")
    }

    /// The socket as it stands outside of any chroot.
    pub(super) fn outside(&self, root: &Path) -> Option<Endpoint> {
        match &self.endpoint {
            Some(Endpoint::Unix(path)) if !self.proxied => {
                let inside = path.strip_prefix("/").unwrap_or(path);
                Some(Endpoint::Unix(root.join(inside)))
            }
            other => other.clone(),
        }
    }

    /// Whether hoplock listens where it is asked.
    pub(super) fn ours(&self, root: &Path, listening: &[Endpoint]) -> Ours {
        let Some(asked) = self.outside(root) else {
            return Ours::No;
        };
        ours_of(&asked, listening)
    }
}

/// Whether hoplock listens at the socket that is `asked`.
pub(super) fn ours_of(asked: &Endpoint, listening: &[Endpoint]) -> Ours {
    let each = listening.iter().map(|own| listens(own, asked));
    each.max().unwrap_or(Ours::No)
}

/// Whether the socket `own` is the one that is `asked`.
fn listens(own: &Endpoint, asked: &Endpoint) -> Ours {
    let same = match (own, asked) {
        (Endpoint::Systemd(_), _) => return Ours::Perhaps,
        (Endpoint::Inet(own), Endpoint::Inet(asked)) => {
            let (Some((own, own_port)), Some((asked, port))) =
                (own.rsplit_once(':'), asked.rsplit_once(':'))
            else {
                return Ours::No;
            };
            let both_here = is_here(own) && is_here(asked);
            let number = |port: &str| port.parse::<u16>().ok();
            number(own_port) == number(port)
                && (both_here || is_wildcard(own) || own.eq_ignore_ascii_case(asked))
        }
        (own, asked) => own == asked,
    };
    if same { Ours::Yes } else { Ours::No }
}

/// The usual names of this machine, for itself.
fn is_here(host: &str) -> bool {
    is_wildcard(host)
        || host.eq_ignore_ascii_case("localhost")
        || matches!(host, "127.0.0.1" | "[::1]")
}

/// Every address of this machine: good to listen at, and not to be asked.
pub(super) fn is_wildcard(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    address.is_ok_and(|address| address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(asked: &str, listening: &[&str]) -> Ours {
        let listening: Vec<Endpoint> = listening
            .iter()
            .map(|text| Endpoint::parse(text).unwrap())
            .collect();
        let table = Table::read(&format!("socketmap:{asked}:postfix"));
        table.ours("/var/spool/postfix".as_ref(), &listening)
    }

    #[test]
    fn one_socket_has_several_names() {
        for (asked, listening, expected) in [
            ("inet:127.0.0.1:8425", "inet:127.0.0.1:8425", Ours::Yes),
            ("inet:localhost:8425", "inet:127.0.0.1:8425", Ours::Yes),
            ("inet:[::1]:8425", "inet:localhost:8425", Ours::Yes),
            ("inet:127.0.0.1:8425", "inet:0.0.0.0:8425", Ours::Yes),
            ("inet:localhost:8425", "inet:[::]:8425", Ours::Yes),
            ("inet:192.0.2.1:8425", "inet:0.0.0.0:8425", Ours::Yes),
            ("inet:localhost:8461", "inet:127.0.0.1:8425", Ours::No),
            ("inet:192.0.2.1:8425", "inet:127.0.0.1:8425", Ours::No),
            ("inet:127.0.0.1:8425", "systemd:map", Ours::Perhaps),
            (
                "unix:/hoplock/s",
                "unix:/var/spool/postfix/hoplock/s",
                Ours::Yes,
            ),
            ("unix:/hoplock/s", "unix:/hoplock/s", Ours::No),
        ] {
            assert_eq!(ours(asked, &[listening]), expected, "{asked} {listening}");
        }
        let both = ["systemd:map", "inet:127.0.0.1:8425"];
        assert_eq!(ours("inet:localhost:8425", &both), Ours::Yes);
        assert_eq!(ours("inet:localhost:8425", &[]), Ours::No);
    }

    #[test]
    fn a_proxied_table_is_asked_from_outside() {
        let table = Table::read("proxy:socketmap:unix:/run/hoplock/socketmap:postfix");
        let own = [Endpoint::parse("unix:/run/hoplock/socketmap").unwrap()];
        assert_eq!(table.ours("/var/spool/postfix".as_ref(), &own), Ours::Yes);
        assert_eq!(table.bare, "socketmap:unix:/run/hoplock/socketmap:postfix");
    }

    #[test]
    fn compound_tables_are_known() {
        let hides = |text| Table::read(text).hides_a_socketmap();
        assert!(hides(
            "unionmap:{static:may, socketmap:inet:127.0.0.1:8425:postfix}"
        ));
        assert!(hides(
            "proxy:pipemap:{socketmap:inet:127.0.0.1:8425:postfix}"
        ));
        assert!(!hides("unionmap:{static:may}"));
        assert!(!hides("inline:{ a=b }"));
        assert!(!hides("socketmap:inet:127.0.0.1:8425:postfix"));
    }
}
