//! `[listen]`: sockets. Nothing on them asks who a client is, so they stay local (PF-17).

use super::complaint::Severity;
use super::reader::{Reader, Section};
use super::types::{Endpoint, Listen};

/// The sockets of a text.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Listen {
    let socketmap = endpoints(reader, section, "socketmap");
    let http = endpoints(reader, section, "http");
    let control = reader
        .text(section, "control")
        .filter(|(text, _)| !text.is_empty());
    let control = control.and_then(|(text, at)| endpoint(reader, section, "control", &text, at));
    let mode = reader.text(section, "mode").and_then(|(text, at)| {
        let mode = u32::from_str_radix(&text, 8)
            .ok()
            .filter(|mode| *mode <= 0o777);
        if mode.is_none() {
            let words = format!("[listen] mode = {text:?} is no mode; write \"0660\"");
            reader.complain(Severity::Error, at, words);
        }
        mode
    });
    let mut name = |key| {
        reader
            .text(section, key)
            .map(|(text, _)| text)
            .filter(|t| !t.is_empty())
    };
    let (owner, group) = (name("owner"), name("group"));
    Listen {
        socketmap: socketmap.unwrap_or_else(|| vec![Endpoint::Inet(SOCKETMAP.to_owned())]),
        http: http.unwrap_or_else(|| vec![Endpoint::Inet(HTTP.to_owned())]),
        control,
        mode: mode.unwrap_or(MODE),
        owner,
        group,
    }
}

fn endpoints(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<Vec<Endpoint>> {
    let texts = reader.texts(section, key)?;
    let read = texts
        .iter()
        .filter_map(|(text, at)| endpoint(reader, section, key, text, *at));
    Some(read.collect())
}

fn endpoint(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    text: &str,
    at: usize,
) -> Option<Endpoint> {
    let read = Endpoint::parse(text);
    match &read {
        None => {
            let words = format!(
                "[{}] {key}: {text:?} is no place to listen; write \"unix:/PATH\", \
                 \"inet:HOST:PORT\" or \"systemd:NAME\"",
                section.name
            );
            reader.complain(Severity::Error, at, words);
        }
        // PF-17: the protocols have no authentication of their own.
        Some(endpoint) if !endpoint.is_local() => {
            let words = format!(
                "[{}] {key}: {text:?} can be reached from other hosts, and nothing there asks who \
                 they are; use a unix socket or 127.0.0.1",
                section.name
            );
            reader.complain(Severity::Warning, at, words);
        }
        Some(_) => {}
    }
    read
}

/// Where Postfix asks; the package adds unix sockets.
const SOCKETMAP: &str = "127.0.0.1:8425";
/// Metrics and JSON.
const HTTP: &str = "127.0.0.1:8426";
/// Owner and group may connect.
const MODE: u32 = 0o660;
