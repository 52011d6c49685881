//! `[listen]`: sockets. Nothing on them asks who a client is, so they stay local (PF-17).

use super::reader::{Reader, Section};
use super::types::{Endpoint, Listen};

/// The sockets of a text.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Listen {
    let mut seen = Vec::new();
    for (key, default) in [("socketmap", SOCKETMAP), ("http", HTTP)] {
        if reader.value(section, key).is_none() {
            seen.push(Endpoint::Inet(default.to_owned()));
        }
    }
    let socketmap = endpoints(reader, section, "socketmap", &mut seen);
    let http = endpoints(reader, section, "http", &mut seen);
    let sessions = endpoints(reader, section, "sessions", &mut seen).unwrap_or_default();
    warn_of_strangers(reader, section, "sessions", &sessions);
    let tlsrpt = datagrams(reader, section, "tlsrpt", &mut seen).unwrap_or_default();
    let readsocket = endpoints(reader, section, "readsocket", &mut seen).unwrap_or_default();
    warn_of_strangers(reader, section, "readsocket", &readsocket);
    let policy = endpoints(reader, section, "policy", &mut seen).unwrap_or_default();
    let milter = endpoints(reader, section, "milter", &mut seen).unwrap_or_default();
    let dns = name_server(reader, section, "dns", &mut seen).unwrap_or_default();
    let control = reader
        .text(section, "control")
        .filter(|(text, _)| !text.is_empty());
    let control = control.and_then(|(text, at)| endpoint(reader, "control", &text, at, &mut seen));
    let mode = mode(reader, section);
    let mut name = |key| {
        let text = reader.text(section, key).map(|(text, _)| text);
        text.filter(|text| !text.is_empty())
    };
    let (owner, group) = (name("owner"), name("group"));
    Listen {
        socketmap: socketmap.unwrap_or_else(|| vec![Endpoint::Inet(SOCKETMAP.to_owned())]),
        http: http.unwrap_or_else(|| vec![Endpoint::Inet(HTTP.to_owned())]),
        sessions,
        tlsrpt,
        readsocket,
        policy,
        milter,
        dns,
        control,
        mode: mode.unwrap_or(MODE),
        owner,
        group,
    }
}

fn mode(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<u32> {
    let (text, at) = reader.text(section, "mode")?;
    let octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(&text, 8).ok();
    let Some(mode) = mode.filter(|mode| octal && *mode <= 0o777) else {
        let words = format!("[listen] mode = {text:?} is no mode of a socket; write \"0660\"");
        reader.error(at, words);
        return None;
    };
    // PF-17: group access is enough for the MTA.
    if mode & 0o007 != 0 {
        let words = format!(
            "[listen] mode = {text:?} lets every user of this host ask; write \"0660\" and set group"
        );
        reader.warn(at, words);
    }
    Some(mode)
}

fn endpoints(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    seen: &mut Vec<Endpoint>,
) -> Option<Vec<Endpoint>> {
    let texts = reader.texts(section, key)?;
    let read = texts
        .iter()
        .filter_map(|(text, at)| endpoint(reader, key, text, *at, seen));
    Some(read.collect())
}

/// SV-11: what keeps strangers from reporting sessions is the mode of the socket.
fn warn_of_strangers(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    endpoints: &[Endpoint],
) {
    let inet = |own: &&Endpoint| matches!(own, Endpoint::Inet(_));
    for endpoint in endpoints.iter().filter(inet) {
        let at = reader.at(section, key);
        let words = format!(
            "[listen] {key}: every user of this host can report sessions to \"{endpoint}\", and so \
             raise alarms; use a unix socket, with mode, owner and group"
        );
        reader.warn(at, words);
    }
}

/// Name servers are asked over UDP and TCP, at an address and a port.
fn name_server(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    seen: &mut Vec<Endpoint>,
) -> Option<Vec<Endpoint>> {
    let texts = reader.texts(section, key)?;
    let mut read = Vec::new();
    for (text, at) in texts {
        if matches!(
            Endpoint::parse(&text),
            Some(Endpoint::Unix(_) | Endpoint::Systemd(_))
        ) {
            let words = format!(
                "[listen] {key}: no resolver asks a name server at {text:?}; write \"inet:HOST:PORT\""
            );
            reader.error(at, words);
        } else {
            read.extend(endpoint(reader, key, &text, at, seen));
        }
    }
    Some(read)
}

/// Datagrams are sent to a path; and whoever can report sessions can raise alarms (SV-11).
fn datagrams(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    seen: &mut Vec<Endpoint>,
) -> Option<Vec<Endpoint>> {
    let texts = reader.texts(section, key)?;
    let mut read = Vec::new();
    for (text, at) in texts {
        if matches!(Endpoint::parse(&text), Some(Endpoint::Inet(_))) {
            let words = format!(
                "[listen] {key}: {text:?} takes no datagrams of libtlsrpt; write \"unix:/PATH\" or \
                 \"systemd:NAME\""
            );
            reader.error(at, words);
        } else {
            read.extend(endpoint(reader, key, &text, at, seen));
        }
    }
    Some(read)
}

fn endpoint(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    at: usize,
    seen: &mut Vec<Endpoint>,
) -> Option<Endpoint> {
    let Some(endpoint) = Endpoint::parse(text) else {
        let words = format!(
            "[listen] {key}: {text:?} is no place to listen; write \"unix:/PATH\" (at most 107 \
             octets), \"inet:HOST:PORT\", \"inet:[IPv6]:PORT\" or \"systemd:NAME\""
        );
        reader.error(at, words);
        return None;
    };
    let any_port = matches!(&endpoint, Endpoint::Inet(address) if address.ends_with(":0"));
    if seen.contains(&endpoint) && !any_port {
        let words = format!("[listen] {key}: {text:?} is used twice; give each its own place");
        reader.error(at, words);
    }
    // PF-17: the protocols have no authentication of their own.
    if !endpoint.is_local() {
        let words = format!(
            "[listen] {key}: {text:?} can be reached from other hosts, and nothing there asks who \
             they are; use a unix socket or 127.0.0.1"
        );
        reader.warn(at, words);
    }
    seen.push(endpoint.clone());
    Some(endpoint)
}

/// Where Postfix asks; the package adds unix sockets.
const SOCKETMAP: &str = "127.0.0.1:8425";
/// Metrics and JSON.
const HTTP: &str = "127.0.0.1:8426";
/// Owner and group may connect.
const MODE: u32 = 0o660;
