//! The target `postfix_log`.

use crate::postfix_log::{
    Correlator, Counts, Event, LogLine, LoggedSession, LoggedStarttls, Source, parse_line,
    parse_message,
};

/// The target `postfix_log`: the bytes as a log, and each of its lines as a message.
pub fn postfix_log(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for message in text.lines() {
        let source = Source {
            time: "",
            machine: "",
            process: "postfix/smtp",
            pid: 1,
        };
        if let Some(line) = parse_message(source, message) {
            is_read(message, &line);
        }
    }
    let lines: Vec<_> = text.lines().filter_map(parse_line).collect();
    for line in &lines {
        assert!(line.source.process.ends_with("/smtp"));
    }
    let together = sessions(&lines);
    nothing_is_lost(&lines, &together);
    for session in &together {
        is_told(session, &lines);
        let alone: Vec<_> = lines
            .iter()
            .filter(|line| is_of(session, line))
            .cloned()
            .collect();
        let alone = sessions(&alone).into_iter().map(own);
        let among_others = together.iter().filter(|other| same_process(session, other));
        let among_others: Vec<_> = among_others.cloned().map(own).collect();
        assert_eq!(
            among_others,
            alone.collect::<Vec<_>>(),
            "another process made a difference"
        );
    }
}

/// What is read of a message stands in it.
fn is_read(message: &str, line: &LogLine<'_>) {
    match &line.event {
        Event::Certificate(certificate) => {
            let capitals = message.trim_end().to_ascii_uppercase();
            assert!(
                capitals.ends_with(&certificate.key.to_string()),
                "the key's fingerprint stands last"
            );
            if let Some(certificate) = &certificate.certificate {
                assert!(capitals.contains(&certificate.to_string()));
            }
        }
        Event::Delivery(delivery) => {
            let domain = delivery.recipient_domain().unwrap_or_default();
            assert!(!domain.contains('@'));
            // Fields are found in their order, each behind the one before.
            let mut rest = message;
            for field in [delivery.recipient, delivery.dsn, delivery.text] {
                let at = rest.find(field);
                assert!(at.is_some(), "{field}");
                rest = rest
                    .get(at.unwrap_or_default() + field.len()..)
                    .unwrap_or_default();
            }
        }
        Event::Tlsrpt(tlsrpt) => {
            assert_eq!(tlsrpt.failure.is_some(), message.contains("status=failure"));
        }
        Event::Starting(_)
        | Event::Resumed(_)
        | Event::Matched { .. }
        | Event::VerificationFailed { .. }
        | Event::Connection(_)
        | Event::HandshakeFailed { .. }
        | Event::LibraryProblem { .. }
        | Event::Offered { .. }
        | Event::GivenUp { .. } => {}
    }
}

fn sessions(lines: &[LogLine<'_>]) -> Vec<LoggedSession> {
    let mut correlator = Correlator::new();
    let mut sessions: Vec<_> = lines
        .iter()
        .flat_map(|line| correlator.feed(line))
        .collect();
    sessions.extend(correlator.finish());
    assert_eq!(correlator.finish(), [], "the end comes once");
    assert_eq!(
        correlator.counts(),
        Counts::default(),
        "nothing is left out"
    );
    sessions
}

/// Each delivery over a connection is one session's, and of the right one's process.
fn nothing_is_lost(lines: &[LogLine<'_>], sessions: &[LoggedSession]) {
    let over_connections = lines.iter().filter(
        |line| matches!(&line.event, Event::Delivery(delivery) if delivery.relay.is_some()),
    );
    let deliveries = sessions.iter().map(|session| session.deliveries.len());
    assert_eq!(deliveries.sum::<usize>(), over_connections.count());
}

/// All that a session has comes from lines of its own process and host.
fn is_told(session: &LoggedSession, lines: &[LogLine<'_>]) {
    let own = || lines.iter().filter(|line| is_of(session, line));
    if session.key_fingerprint.is_some() {
        let told = own().any(|line| match &line.event {
            Event::Certificate(told) => {
                Some(&told.key) == session.key_fingerprint.as_ref()
                    && told.certificate == session.certificate_fingerprint
                    && told.peer.host == session.host
                    && Some(told.peer.address) == session.address
            }
            _ => false,
        });
        assert!(told, "a certificate of another host, or of none");
    }
    let connected = own().any(|line| match &line.event {
        Event::Connection(told) => {
            Some(told.cipher) == session.cipher.as_deref()
                && told.peer.host == session.host
                && Some(told.peer.address) == session.address
        }
        _ => false,
    });
    assert!(
        session.cipher.is_none() || connected,
        "a cipher of another host"
    );
    if session.cipher.is_some() {
        assert_eq!(session.starttls, Some(LoggedStarttls::Used));
    }
    for word in &session.words {
        let said = own().any(|line| match &line.event {
            Event::Matched { words, .. }
            | Event::VerificationFailed { words, .. }
            | Event::HandshakeFailed { words, .. }
            | Event::LibraryProblem { words }
            | Event::GivenUp { words, .. } => words.starts_with(word),
            Event::Delivery(line) => line.text.starts_with(word),
            _ => false,
        });
        assert!(said, "nobody said {word}");
    }
    // One message to a session.
    let ids = own().filter_map(|line| match &line.event {
        Event::Delivery(delivery) => Some(delivery.queue_id),
        Event::GivenUp { queue_id, .. } => Some(*queue_id),
        _ => None,
    });
    let id = session.queue_id.as_deref();
    assert!(id.is_none() || ids.into_iter().any(|own| Some(own) == id));
}

fn is_of(session: &LoggedSession, line: &LogLine<'_>) -> bool {
    session.machine == line.source.machine
        && session.process == line.source.process
        && session.pid == line.source.pid
}

fn same_process(one: &LoggedSession, other: &LoggedSession) -> bool {
    (&one.machine, &one.process, one.pid) == (&other.machine, &other.process, other.pid)
}

/// A session without what other processes may say of it: where a reused connection comes from, and
/// whether the program writes lines of TLS at all.
fn own(mut session: LoggedSession) -> LoggedSession {
    session.origin = None;
    session.starttls = session
        .starttls
        .filter(|starttls| *starttls != LoggedStarttls::NotUsed);
    session
}
