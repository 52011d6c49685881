//! Joins the events of a log into sessions.

use std::net::IpAddr;

use super::belongs::Belongs;
use super::clues::{passed_starttls, taken};
use super::event::{DeliveryLine, Event, Peer};
use super::line::LogLine;
use super::logged::{LoggedSession, Origin};
use super::open::Open;
use super::reading::Reading;
use super::recent::Recent;

/// The most processes whose sessions are kept open at once. Postfix starts 100 of smtp(8) unless
/// told otherwise, and large senders some thousands.
pub const OPEN_LIMIT: usize = 4096;

/// The most programs, counted by machine, whose lines are read: instances and services of Postfix.
pub const PROGRAM_LIMIT: usize = 256;

/// The most recipients that are kept of one session. Postfix puts 50 in one delivery unless told
/// otherwise.
pub const DELIVERY_LIMIT: usize = 1000;

/// The most connections that are remembered as origins of reused ones.
pub const ORIGIN_LIMIT: usize = 4096;

/// How many sweeps a session without an end may be quiet for: long enough for the slowest
/// server, if a sweep comes every ten seconds (Postfix itself waits 600 s for the end of data).
pub const PATIENCE: u32 = 65;

/// Joins events into sessions: a machine that knows no clock and no file.
///
/// Feed it the lines of a log in their order. A session comes out when its process goes on to the
/// next one, at a [`sweep`](Self::sweep) or at [`finish`](Self::finish).
///
/// ```
/// use hoplock_wire::postfix_log::{parse_line, Correlator, DeliveryStatus, LoggedStarttls};
///
/// let log = "\
/// Nov 26 10:00:00 out postfix/smtp[7]: mx.a.test[192.0.2.1]:25: subject_CN=mx.a.test, \
/// issuer=CA, cert fingerprint=3A:AB, pkey fingerprint=BE:70
/// Nov 26 10:00:00 out postfix/smtp[7]: Verified TLS connection established to \
/// mx.a.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
/// Nov 26 10:00:01 out postfix/smtp[7]: 4c1P6x: to=<user@a.test>, relay=mx.a.test[192.0.2.1]:25, \
/// delay=1, delays=0/0/0.5/0.4, dsn=2.0.0, status=sent (250 Ok)
/// ";
/// let mut correlator = Correlator::new();
/// let mut sessions = Vec::new();
/// for line in log.lines().filter_map(parse_line) {
///     sessions.extend(correlator.feed(&line));
/// }
/// sessions.extend(correlator.finish());
///
/// let [session] = &sessions[..] else { return Err("one session") };
/// assert_eq!(session.host, "mx.a.test");
/// assert_eq!(session.starttls, Some(LoggedStarttls::Used));
/// assert_eq!(session.delivered(), Some(DeliveryStatus::Sent));
/// assert!(session.recipient_domains().contains("a.test"));
/// let key = session.key_fingerprint.as_ref().ok_or("no fingerprint")?;
/// assert_eq!(key.to_string(), "BE:70");
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug)]
pub struct Correlator {
    programs: Vec<Program>,
    open: Recent<Process, Open>,
    origins: Recent<Endpoint, Remembered>,
    counts: Counts,
}

/// What was left out to stay within bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that came out early, because [`OPEN_LIMIT`] newer ones were open. They miss what
    /// their process wrote later.
    pub sessions_cut: u64,
    /// Recipients beyond [`DELIVERY_LIMIT`].
    pub deliveries_left_out: u64,
    /// Lines of programs beyond [`PROGRAM_LIMIT`].
    pub lines_left_out: u64,
}

/// One program of one machine.
#[derive(Clone, Debug)]
struct Program {
    machine: String,
    process: String,
    /// Whether it was seen to write lines of TLS: otherwise their absence says nothing.
    shows_tls: bool,
    /// No line of its own is missing from then on, as far as anybody knows.
    covered_since: Option<Reading>,
    newest: Option<Reading>,
}

/// A program by its index, and a process id.
type Process = (usize, u32);

/// A program by its index; host, address and port.
type Endpoint = (usize, String, IpAddr, Option<u16>);

/// A connection that may be reused.
#[derive(Clone, Debug)]
struct Remembered {
    origin: Origin,
    tls_version: String,
    cipher: String,
}

impl Default for Correlator {
    fn default() -> Self {
        Self::new()
    }
}

impl Correlator {
    /// A correlator at the start of a log.
    #[must_use]
    pub fn new() -> Self {
        Self {
            programs: Vec::new(),
            open: Recent::new(OPEN_LIMIT),
            origins: Recent::new(ORIGIN_LIMIT),
            counts: Counts::default(),
        }
    }

    /// Takes the next line of the log in. Returns the sessions that end by it.
    pub fn feed(&mut self, line: &LogLine<'_>) -> Vec<LoggedSession> {
        let now = Reading::parse(line.source.time);
        let Some(index) = self.program(line, now) else {
            self.counts.lines_left_out += 1;
            return Vec::new();
        };
        let process = (index, line.source.pid);
        let mut ended = Vec::new();
        if let Some(open) = self.go_on(process, line, now, &mut ended)
            && let Some(((index, _), oldest)) = self.open.insert(process, open)
        {
            self.counts.sessions_cut += 1;
            self.part_with(index, oldest, &mut ended);
        }
        ended
    }

    /// Ends the sessions that nothing more is to be expected of, though their process has not gone
    /// on: those with a delivery, or whose host was given up, that had no line since the last sweep, and
    /// those that had none for [`PATIENCE`] sweeps. For a log that is followed, every ten seconds or so;
    /// all recipients of a message are logged within a moment of its being taken.
    pub fn sweep(&mut self) -> Vec<LoggedSession> {
        let quiet = self.open.take_if(|open| {
            let quiet = open.quiet;
            open.quiet += 1;
            quiet >= PATIENCE || quiet >= 1 && open.is_settled()
        });
        let mut ended = Vec::new();
        for ((index, _), open) in quiet {
            self.part_with(index, open, &mut ended);
        }
        ended
    }

    /// Ends all sessions: the log is at its end.
    pub fn finish(&mut self) -> Vec<LoggedSession> {
        let mut ended = Vec::new();
        while let Some((_, open)) = self.open.pop() {
            ended.push(open.close());
        }
        ended
    }

    /// Tells that lines are missing here: the journal suppressed some, or a file was rotated away.
    /// Ends all sessions, and draws no conclusion from the absence of lines across the gap.
    pub fn gap(&mut self) -> Vec<LoggedSession> {
        for program in &mut self.programs {
            program.covered_since = None;
        }
        self.finish()
    }

    /// What was left out so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The session that is open behind this line, if any.
    fn go_on(
        &mut self,
        process: Process,
        line: &LogLine<'_>,
        now: Option<Reading>,
        ended: &mut Vec<LoggedSession>,
    ) -> Option<Open> {
        if let Some(mut open) = self.open.remove(&process) {
            match open.belongs(&line.event, now) {
                Belongs::Here => {
                    let is_delivery = matches!(line.event, Event::Delivery(_));
                    if is_delivery && open.deliveries() >= DELIVERY_LIMIT {
                        self.counts.deliveries_left_out += 1;
                    } else {
                        open.add(&line.event, now);
                        self.link(process, line, &mut open);
                    }
                    return Some(open);
                }
                Belongs::Nowhere => return Some(open),
                Belongs::Next => ended.push(open.close()),
                Belongs::NextAfterGap => {
                    ended.push(open.close());
                    if let Some(program) = self.programs.get_mut(process.0) {
                        program.covered_since = now;
                    }
                }
            }
        }
        let mut open = Open::begin(line.source, &line.event, now)?;
        self.link(process, line, &mut open);
        if let Event::Delivery(delivery) = &line.event
            && passed_starttls(delivery)
            && self.would_show_tls(process.0, delivery, now)
        {
            open.set_not_used();
        }
        Some(open)
    }

    /// Remembers a new connection as the origin of reused ones, and finds that of a reused one.
    fn link(&mut self, (index, pid): Process, line: &LogLine<'_>, open: &mut Open) {
        let Event::Connection(connection) = &line.event else {
            return;
        };
        let Peer {
            host,
            address,
            port,
        } = connection.peer;
        let endpoint = (index, host.to_owned(), address, port);
        if connection.reused {
            let remembered = self.origins.get(&endpoint).filter(|remembered| {
                remembered.tls_version == connection.tls_version
                    && remembered.cipher == connection.cipher
            });
            open.set_origin(remembered.map(|remembered| remembered.origin.clone()));
            return;
        }
        let remembered = Remembered {
            origin: Origin {
                time: line.source.time.to_owned(),
                pid,
            },
            tls_version: connection.tls_version.to_owned(),
            cipher: connection.cipher.to_owned(),
        };
        self.origins.insert(endpoint, remembered);
    }

    /// Whether a handshake of this delivery's request would stand in the log.
    fn would_show_tls(&self, index: usize, line: &DeliveryLine<'_>, now: Option<Reading>) -> bool {
        let program = self.programs.get(index);
        let Some(program) = program.filter(|program| program.shows_tls) else {
            return false;
        };
        let covered = now.zip(program.covered_since);
        let covered = covered.and_then(|(now, since)| now.since(since));
        covered
            .zip(taken(line))
            .is_some_and(|(covered, taken)| covered > taken)
    }

    /// Lets a session go whose process may still speak of it.
    fn part_with(&mut self, index: usize, open: Open, ended: &mut Vec<LoggedSession>) {
        if open.expects_delivery() {
            // Its delivery would look like one without a handshake.
            if let Some(program) = self.programs.get_mut(index) {
                program.covered_since = program.newest;
            }
        }
        ended.push(open.close());
    }

    /// The index of the line's program, and what the line tells of it.
    fn program(&mut self, line: &LogLine<'_>, now: Option<Reading>) -> Option<usize> {
        let source = line.source;
        let known = self.programs.iter().position(|program| {
            program.process == source.process && program.machine == source.machine
        });
        let index = match known {
            Some(index) => index,
            None if self.programs.len() >= PROGRAM_LIMIT => return None,
            None => {
                self.programs.push(Program {
                    machine: source.machine.to_owned(),
                    process: source.process.to_owned(),
                    shows_tls: false,
                    covered_since: None,
                    newest: None,
                });
                self.programs.len() - 1
            }
        };
        let program = self.programs.get_mut(index)?;
        program.shows_tls |= matches!(
            line.event,
            // Failures are logged at level 0 too.
            Event::Connection(_) | Event::Starting(_) | Event::Certificate(_)
        );
        program.at(now);
        Some(index)
    }
}

impl Program {
    /// A line was written at this time.
    fn at(&mut self, now: Option<Reading>) {
        let Some(now) = now else {
            return;
        };
        // A clock that was set back, the turn of a year without years, or another file.
        let forward = self.newest.is_some_and(|newest| {
            let ahead = now.since(newest);
            ahead.is_some_and(|ahead| ahead >= -BACKWARDS)
        });
        if !forward || self.covered_since.is_none() {
            self.covered_since = Some(now);
        }
        self.newest = Some(now);
    }
}

/// Seconds by which the times of neighbouring lines may go back: processes write at once.
const BACKWARDS: i64 = 2;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::{Strategy, proptest};
    use proptest::sample::select;

    use super::{Correlator, Counts, DELIVERY_LIMIT, OPEN_LIMIT, PATIENCE, PROGRAM_LIMIT};
    use crate::postfix_log::{
        DeliveryStatus, Fingerprint, LoggedSession, LoggedStarttls, LoggedTlsrpt, TrustLevel,
        parse_line,
    };

    const A: &str = "mx.a.test[192.0.2.1]:25";
    const B: &str = "mx.b.test[192.0.2.2]:25";

    /// A line at so many seconds after ten o'clock.
    fn at(second: u32, pid: u32, message: &str) -> String {
        let (minute, second) = (second / 60, second % 60);
        format!("Nov 26 10:{minute:02}:{second:02} out postfix/smtp[{pid}]: {message}\n")
    }

    fn established(to: &str) -> String {
        let cipher = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)";
        format!("Trusted TLS connection established to {to}: {cipher}")
    }

    fn certificate(of: &str, digest: &str) -> String {
        format!(
            "{of}: subject_CN=mx, issuer=CA, cert fingerprint=0{digest}, pkey fingerprint=1{digest}"
        )
    }

    /// A delivery that took one second.
    fn delivered(id: &str, to: &str, relay: &str, status: &str) -> String {
        let delays = "delay=1.2, delays=0.1/0.1/0.5/0.5, dsn=2.0.0";
        format!("{id}: to=<{to}>, relay={relay}, {delays}, status={status}")
    }

    fn sent(id: &str, to: &str, relay: &str) -> String {
        delivered(id, to, relay, "sent (250 Ok)")
    }

    fn sessions(log: &str) -> Vec<LoggedSession> {
        let mut correlator = Correlator::new();
        let lines = log.lines().map(|line| parse_line(line).unwrap());
        let mut sessions: Vec<_> = lines.flat_map(|line| correlator.feed(&line)).collect();
        sessions.extend(correlator.finish());
        assert_eq!(correlator.counts(), Counts::default());
        sessions
    }

    fn one(log: &str) -> LoggedSession {
        let mut all = sessions(log);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The log of another process, whose TLS lines show that this program writes some.
    fn shows_tls() -> String {
        at(0, 99, &established(B)) + &at(1, 99, &sent("9", "u@b.test", B))
    }

    fn of_pid(log: &str, pid: u32) -> Vec<LoggedSession> {
        let mut all = sessions(log);
        all.retain(|session| session.pid == pid);
        all
    }

    /// SV-01: all parts of a session of level 2, in the order in which Postfix writes them.
    #[test]
    fn a_whole_session() {
        let log = [
            format!("setting up TLS connection to {A}"),
            format!("{A}: Reusing old session"),
            format!("{A}: Matched DANE EE certificate at depth 0: 3 1 1 BE70"),
            certificate(A, "A"),
            established(A),
            "TLSRPT: status=success, domain=a.test, receiving_mx=mx.a.test[192.0.2.1]".to_owned(),
            sent("4c", "u@A.test", A),
        ];
        let log: String = log.iter().map(|message| at(7, 1, message)).collect();
        let session = one(&log);
        assert_eq!(session.time, "Nov 26 10:00:07");
        assert_eq!(session.machine, "out");
        assert_eq!((session.process.as_str(), session.pid), ("postfix/smtp", 1));
        assert_eq!(session.host, "mx.a.test");
        assert_eq!(session.address, "192.0.2.1".parse().ok());
        assert_eq!(session.port, Some(25));
        assert_eq!(session.starttls, Some(LoggedStarttls::Used));
        assert_eq!(session.tls_version.as_deref(), Some("TLSv1.3"));
        assert_eq!(session.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384"));
        assert_eq!(session.trust, Some(TrustLevel::Trusted));
        assert_eq!(session.certificate_fingerprint, Fingerprint::parse("0A"));
        assert_eq!(session.key_fingerprint, Fingerprint::parse("1A"));
        assert!(session.resumed && !session.reused);
        let told = LoggedTlsrpt {
            domain: "a.test".to_owned(),
            failure: None,
            reason: None,
        };
        assert_eq!(session.tlsrpt, Some(told));
        assert_eq!(session.queue_id.as_deref(), Some("4c"));
        assert_eq!(session.delivered(), Some(DeliveryStatus::Sent));
        assert!(session.recipient_domains().contains("a.test"));
        assert_eq!(
            session.words,
            ["Matched DANE EE certificate at depth 0: 3 1 1 BE70"]
        );
    }

    /// SV-01: at level 1 there is no fingerprint, at level 0 nothing at all: unknown, not "none".
    #[test]
    fn lower_levels_say_less() {
        let log = at(0, 1, &established(A)) + &at(1, 1, &sent("4c", "u@a.test", A));
        let session = one(&log);
        assert_eq!(session.starttls, Some(LoggedStarttls::Used));
        assert_eq!(session.certificate_fingerprint, None);

        let log: String = (0..9)
            .map(|n| at(n * 60, n, &sent("4c", "u@a.test", A)))
            .collect();
        for session in sessions(&log) {
            assert_eq!(session.starttls, None);
            assert_eq!(session.delivered(), Some(DeliveryStatus::Sent));
        }
    }

    /// SV-03: where TLS lines are to be expected, their absence means clear text ...
    #[test]
    fn no_tls_line_where_one_must_be() {
        let log = shows_tls() + &at(60, 1, &sent("4c", "u@a.test", A));
        assert_eq!(of_pid(&log, 1)[0].starttls, Some(LoggedStarttls::NotUsed));

        let refused = "bounced (host mx said: 550 no (in reply to RCPT TO command))";
        let log = shows_tls() + &at(60, 1, &delivered("4c", "u@a.test", A, refused));
        assert_eq!(of_pid(&log, 1)[0].starttls, Some(LoggedStarttls::NotUsed));
    }

    /// SV-01: ... and it means nothing near the beginning of a log, near a gap, when clocks jump, for
    /// another program, or before STARTTLS was due.
    #[test]
    fn no_tls_line_where_none_need_be() {
        let sent = sent("4c", "u@a.test", A);
        let slow = sent.replace("0.5/0.5", "3/70");
        let early = "deferred (host mx refused to talk to me: 421 busy)";
        let early = delivered("4c", "u@a.test", A, early);
        for log in [
            at(0, 1, &sent) + &shows_tls(),
            shows_tls() + &at(3, 1, &sent),
            shows_tls() + &at(60, 1, &slow),
            shows_tls() + &at(60, 1, &early),
            shows_tls() + &at(60, 1, &sent).replace("10:01", "09:01"),
            shows_tls() + &at(60, 1, &sent).replace("out", "other"),
            shows_tls() + &at(60, 1, &sent).replace("postfix/", "postfix-2/"),
            shows_tls()
                + &at(60, 1, &sent)
                    .replace("Nov 26 ", "2026-11-26T")
                    .replace(" out", "Z out"),
        ] {
            assert_eq!(of_pid(&log, 1)[0].starttls, None, "{log}");
        }
        // Failures are logged at level 0 too.
        let failure = format!("SSL_connect error to {B}: -1");
        let log = at(0, 9, &failure) + &at(60, 1, &sent);
        assert_eq!(of_pid(&log, 1)[0].starttls, None);

        let mut correlator = Correlator::new();
        for line in shows_tls().lines() {
            correlator.feed(&parse_line(line).unwrap());
        }
        assert_eq!(correlator.gap().len(), 1);
        let line = at(60, 1, &sent);
        correlator.feed(&parse_line(&line).unwrap());
        let line = at(120, 1, &sent.replace("4c", "4d"));
        let before = correlator.feed(&parse_line(&line).unwrap());
        assert_eq!(before[0].starttls, None);
        assert_eq!(
            correlator.finish()[0].starttls,
            Some(LoggedStarttls::NotUsed)
        );
    }

    /// SV-05: no session inherits a certificate or a handshake from the one before, in whatever
    /// way they are alike.
    #[test]
    fn nothing_is_inherited() {
        let first = at(0, 1, &certificate(A, "A"))
            + &at(0, 1, &established(A))
            + &at(1, 1, &sent("4c", "u@a.test", A));
        // The next message, encrypted, and its certificate line is missing.
        let log =
            first.clone() + &at(60, 1, &established(A)) + &at(61, 1, &sent("4d", "u@a.test", A));
        let all = sessions(&log);
        assert_eq!(all[1].certificate_fingerprint, None);
        assert_eq!(all[1].starttls, Some(LoggedStarttls::Used));

        for next in [
            sent("4d", "u@a.test", A),
            // The same message again.
            sent("4c", "u@a.test", A),
            // Its other recipients, in a request of their own.
            sent("4c", "v@a.test", A).replace("0.1/0.1", "0.1/9"),
            // A recipient of the same request, after its host was given up.
            delivered("4c", "v@a.test", A, "sent (250 Ok)").replace(", dsn", ", tls=may:none, dsn"),
            // Over a connection that was kept open, in the clear.
            sent("4c", "v@a.test", A).replace(", delay=", ", conn_use=2, delay="),
        ] {
            let all = sessions(&(first.clone() + &at(60, 1, &next)));
            assert_eq!(all.len(), 2, "{next}");
            assert_eq!(all[1].starttls, Some(LoggedStarttls::NotUsed), "{next}");
            assert_eq!(all[1].certificate_fingerprint, None);
            assert_eq!(all[1].tls_version, None);
        }
    }

    /// SV-05: a handshake whose delivery line was lost is no other delivery's.
    #[test]
    fn a_lost_delivery_line_lends_no_handshake() {
        let orphan = at(0, 1, &certificate(A, "A")) + &at(0, 1, &established(A));
        for (second, next) in [
            (60, sent("4d", "u@a.test", A)),
            (
                1,
                sent("4d", "u@a.test", A).replace(", delay=", ", conn_use=2, delay="),
            ),
            (
                1,
                sent("4d", "u@a.test", A).replace(", dsn=", ", tls=may:none, dsn="),
            ),
        ] {
            let all = of_pid(&(shows_tls() + &orphan + &at(second, 1, &next)), 1);
            let [old, new] = &all[..] else {
                panic!("{all:?}")
            };
            assert!(old.certificate_fingerprint.is_some() && old.deliveries.is_empty());
            assert_eq!(
                (new.certificate_fingerprint.as_ref(), new.cipher.as_ref()),
                (None, None)
            );
            // Lines are missing, so that the absence of others means nothing.
            assert_ne!(new.starttls, Some(LoggedStarttls::Used));
            assert_eq!(new.starttls.is_some(), next.contains("tls="));
        }
        // Certificate and outcome of two handshakes, with all between them lost.
        let log = at(0, 1, &certificate(A, "A")) + &at(1, 1, &certificate(A, "B"));
        let all = sessions(&(log + &at(1, 1, &established(A))));
        assert_eq!(all[0].certificate_fingerprint, Fingerprint::parse("0A"));
        assert_eq!(all[1].certificate_fingerprint, Fingerprint::parse("0B"));
        assert_eq!(all[1].starttls, Some(LoggedStarttls::Used));
    }

    /// SV-01: lines of two processes, and of two machines with the same process id, in any mixture.
    #[test]
    fn processes_are_kept_apart() {
        let of = |pid, peer: &str, digest: &str, id: &str| {
            [
                at(0, pid, &certificate(peer, digest)),
                at(0, pid, &established(peer)),
                at(1, pid, &sent(id, "u@a.test", peer)),
            ]
        };
        let (first, second) = (of(1, A, "A", "4a"), of(2, A, "B", "4b"));
        let third = of(1, A, "C", "4c").map(|line| line.replace(" out ", " other "));
        let log: String = (0..3)
            .map(|n| {
                [&first[n], &second[n], &third[n]]
                    .map(String::as_str)
                    .concat()
            })
            .collect();
        let all = sessions(&log);
        let found: Vec<_> = all
            .iter()
            .map(|own| {
                (
                    own.queue_id.as_deref().unwrap(),
                    own.certificate_fingerprint.clone(),
                )
            })
            .collect();
        let digest = Fingerprint::parse;
        assert_eq!(
            found,
            [
                ("4a", digest("0A")),
                ("4b", digest("0B")),
                ("4c", digest("0C"))
            ]
        );
    }

    /// SV-03: mail that goes out in the clear behind a failed handshake is a session of its own.
    #[test]
    fn falling_back_to_clear_text() {
        let log = shows_tls()
            + &at(60, 1, &format!("SSL_connect error to {A}: -1"))
            + &at(
                60,
                1,
                "warning: TLS library problem: error:0A00010B:wrong version number",
            )
            + &at(60, 1, "4c: Cannot start TLS: handshake failure")
            + &at(61, 1, &sent("4c", "u@a.test", A));
        let all = of_pid(&log, 1);
        assert_eq!(all[0].starttls, Some(LoggedStarttls::Failed));
        assert_eq!(all[0].delivered(), None);
        assert_eq!(all[0].words.len(), 3);
        assert_eq!(all[1].starttls, Some(LoggedStarttls::NotUsed));
        assert_eq!(all[1].delivered(), Some(DeliveryStatus::Sent));

        let lost = "4c: lost connection with mx.a.test[192.0.2.1] while sending RCPT TO";
        let log = shows_tls()
            + &at(60, 1, &established(A))
            + &at(60, 1, lost)
            + &at(61, 1, &sent("4c", "u@a.test", A));
        let all = of_pid(&log, 1);
        assert_eq!(all[0].starttls, Some(LoggedStarttls::Used));
        assert_eq!(all[0].delivered(), None);
        assert_eq!(all[1].starttls, Some(LoggedStarttls::NotUsed));

        // The same with the line between them lost: nothing is certain.
        let log = log
            .replace(&at(60, 1, lost), "")
            .replace("10:01:00", "10:00:30");
        let all = of_pid(&log, 1);
        assert_eq!((all.len(), all[1].starttls), (2, None));
    }

    /// SV-03: each way to end in a deferral, told by a delivery, or by a line before the next host.
    #[test]
    fn ways_to_fail() {
        let host = "mx.a.test[192.0.2.1]";
        let not_offered = format!("TLS is required, but was not offered by host {host}");
        let refused = format!("TLS is required, but host {host} refused to start TLS: 454 no");
        let failed = "Cannot start TLS: handshake failure".to_owned();
        let unverified = "Server certificate not verified".to_owned();
        let before = format!("SSL_connect error to {A}: -1");
        for (before, words, starttls) in [
            (None, not_offered, LoggedStarttls::NotOffered),
            (None, refused, LoggedStarttls::Refused),
            (Some(before), failed, LoggedStarttls::Failed),
            (Some(established(A)), unverified, LoggedStarttls::Used),
        ] {
            let before = before.map(|line| at(0, 1, &line)).unwrap_or_default();
            let deferred = delivered("4c", "u@a.test", A, &format!("deferred ({words})"));
            let session = one(&(before.clone() + &at(1, 1, &deferred)));
            assert_eq!(session.starttls, Some(starttls), "{words}");
            assert_eq!(session.delivered(), Some(DeliveryStatus::Deferred));
            assert_eq!(session.words.last(), Some(&words));

            let next = at(1, 1, &format!("4c: {words}"))
                + &at(2, 1, &established(B))
                + &at(3, 1, &sent("4c", "u@a.test", B));
            let all = sessions(&(before + &next));
            assert_eq!(all[0].starttls, Some(starttls), "{words}");
            assert_eq!(
                (all[0].host.as_str(), all[0].delivered()),
                ("mx.a.test", None)
            );
            assert_eq!(all[0].queue_id.as_deref(), Some("4c"));
            assert_eq!(all[0].words.last(), Some(&words));
            assert_eq!(all[1].host, "mx.b.test");
            assert_eq!(all[1].starttls, Some(LoggedStarttls::Used));
        }
        // At level 0 these sentences are all that there is.
        for (words, starttls) in [
            (
                "Cannot start TLS: handshake failure",
                LoggedStarttls::Failed,
            ),
            ("Server certificate not verified", LoggedStarttls::Used),
        ] {
            let deferred = delivered("4c", "u@a.test", A, &format!("deferred ({words})"));
            assert_eq!(one(&at(1, 1, &deferred)).starttls, Some(starttls));
        }
    }

    /// SV-06: all recipients of one message over one connection, some turned away at once.
    #[test]
    fn several_recipients() {
        let rejected = "bounced (host mx said: 550 no (in reply to RCPT TO command))";
        let rejected = delivered("4c", "u@a.test", A, rejected);
        let late = |to| sent("4c", to, A).replace("0.5/0.5", "0.5/60");
        let log = at(0, 1, &established(A))
            + &at(1, 1, &rejected)
            + &at(61, 1, &late("v@B.test"))
            + &at(61, 1, &late("w@b.test"));
        let session = one(&log);
        assert_eq!(session.starttls, Some(LoggedStarttls::Used));
        let domains: Vec<_> = session.recipient_domains().into_iter().collect();
        assert_eq!(domains, ["a.test", "b.test"]);
        let statuses = session.deliveries.iter().map(|own| own.status);
        let expected = [
            DeliveryStatus::Bounced,
            DeliveryStatus::Sent,
            DeliveryStatus::Sent,
        ];
        assert_eq!(statuses.collect::<Vec<_>>(), expected);
        assert_eq!(session.delivered(), Some(DeliveryStatus::Sent));
        assert_eq!(session.words.len(), 1);
    }

    /// SV-05: mail that was taken went on without the failure that another line tells of.
    #[test]
    fn a_failure_before_mail_befalls_all_recipients() {
        let unverified = "deferred (Server certificate not verified)";
        let unverified = |to| delivered("4c", to, A, unverified);
        let log = at(7, 1, &sent("4c", "u@a.test", A)) + &at(7, 1, &unverified("v@a.test"));
        let all = sessions(&log);
        assert_eq!((all.len(), all[0].starttls), (2, None));
        assert_eq!(all[1].starttls, Some(LoggedStarttls::Used));

        let log = at(7, 1, &unverified("u@a.test")) + &at(7, 1, &unverified("v@a.test"));
        assert_eq!(one(&log).deliveries.len(), 2);
    }

    /// SV-06: a delivery over a reused connection is linked to the connection's making.
    #[test]
    fn reused_connections() {
        let reused = established(A).replace("established", "reused");
        let next = sent("4d", "v@c.test", A).replace(", delay=", ", conn_use=2, delay=");
        let log = at(0, 1, &established(A))
            + &at(1, 1, &sent("4c", "u@a.test", A))
            + &at(20, 2, &reused)
            + &at(21, 2, &next);
        let all = sessions(&log);
        assert_eq!((all[0].reused, all[0].origin.as_ref()), (false, None));
        assert!(all[1].reused);
        let origin = all[1].origin.as_ref().unwrap();
        assert_eq!((origin.time.as_str(), origin.pid), ("Nov 26 10:00:00", 1));
        assert_eq!(all[1].starttls, Some(LoggedStarttls::Used));
        assert!(all[1].recipient_domains().contains("c.test"));

        for other in [
            log.replacen("TLSv1.3", "TLSv1.2", 1),
            log.replacen("_256_", "_128_", 1),
            log.replacen(A, "mx.a.test[192.0.2.9]:25", 1),
            log.replacen("postfix/", "postfix-2/", 1),
            at(20, 2, &reused) + &at(21, 2, &next),
        ] {
            let all = sessions(&other);
            let last = all.last().unwrap();
            assert_eq!((last.reused, last.origin.as_ref()), (true, None), "{other}");
        }
    }

    /// RP-03: what is told to libtlsrpt stands with its session, and at level 0 tells of TLS.
    #[test]
    fn tlsrpt_lines() {
        let told = "domain=a.test, receiving_mx=mx.a.test[192.0.2.1]";
        let success = format!("TLSRPT: status=success, {told}");
        let log = at(0, 1, &success) + &at(1, 1, &sent("4c", "u@a.test", A));
        let session = one(&log);
        assert_eq!(session.starttls, Some(LoggedStarttls::Used));
        assert_eq!(session.tlsrpt.unwrap().failure, None);

        let verification =
            format!("certificate verification failed for {A}: self-signed certificate");
        let failure = format!(
            "TLSRPT: status=failure, {told}, failure_type=validation_failure, failure_reason=x"
        );
        let unverified = delivered(
            "4c",
            "u@a.test",
            A,
            "deferred (Server certificate not verified)",
        );
        let log = at(0, 1, &verification)
            + &at(0, 1, &failure)
            + &at(0, 1, &certificate(A, "A"))
            + &at(0, 1, &established(A))
            + &at(1, 1, &unverified);
        let session = one(&log);
        let told_of = session.tlsrpt.unwrap();
        assert_eq!(told_of.failure.as_deref(), Some("validation-failure"));
        assert_eq!(told_of.reason.as_deref(), Some("x"));
        assert_eq!(session.certificate_fingerprint, Fingerprint::parse("0A"));
        assert_eq!(
            session.words,
            ["self-signed certificate", "Server certificate not verified"]
        );

        let failure =
            format!("TLSRPT: status=failure, {told}, failure_type=starttls_not_supported");
        let log = at(0, 1, &failure) + &at(1, 1, &sent("4c", "u@a.test", A));
        assert_eq!(one(&log).starttls, Some(LoggedStarttls::NotUsed));
    }

    /// SV-03: an offer that was not taken, and what Postfix from 3.11 on says of the level.
    #[test]
    fn postfix_says_that_tls_was_not_used() {
        let log =
            at(0, 1, "Host offered STARTTLS: [mx.a.test]") + &at(1, 1, &sent("4c", "u@a.test", A));
        let session = one(&log);
        assert_eq!(session.starttls, Some(LoggedStarttls::NotUsed));
        assert_eq!(
            (session.address, session.port),
            ("192.0.2.1".parse().ok(), Some(25))
        );

        for (tls, starttls) in [
            ("none", Some(LoggedStarttls::NotUsed)),
            ("may:none", Some(LoggedStarttls::NotUsed)),
            (
                "may:none/requiretls:nostarttls",
                Some(LoggedStarttls::NotUsed),
            ),
            ("may", Some(LoggedStarttls::Used)),
            ("dane:halfdane/requiretls", Some(LoggedStarttls::Used)),
            ("may?", None),
            ("!dane", None),
            ("", None),
        ] {
            let tls = format!(", tls={tls}, dsn=");
            let line = sent("4c", "u@a.test", A).replace(", dsn=", &tls);
            assert_eq!(one(&at(0, 1, &line)).starttls, starttls, "{tls}");
        }
    }

    /// SV-01: a delivery to nowhere ends what was open, and is no session.
    #[test]
    fn a_delivery_without_a_connection() {
        let nowhere = delivered(
            "4c",
            "u@a.test",
            "none",
            "deferred (connect to mx: refused)",
        );
        assert_eq!(sessions(&at(0, 1, &nowhere)), []);
        let log =
            at(0, 1, &established(A)) + &at(1, 1, &nowhere) + &at(2, 1, &sent("4c", "u@a.test", A));
        let all = sessions(&log);
        assert_eq!((all.len(), all[1].cipher.as_ref()), (2, None));
    }

    /// SV-11: beyond the bound the oldest sessions come out early, and are counted; their later
    /// deliveries are not taken for clear text.
    #[test]
    fn processes_are_bounded() {
        let mut correlator = Correlator::new();
        let mut early = Vec::new();
        for pid in 0..=u32::try_from(OPEN_LIMIT).unwrap() {
            let line = at(60, pid, &established(A));
            early.extend(correlator.feed(&parse_line(&line).unwrap()));
        }
        assert_eq!(early.len(), 1);
        assert_eq!(
            (early[0].pid, early[0].starttls),
            (0, Some(LoggedStarttls::Used))
        );
        assert_eq!(correlator.counts().sessions_cut, 1);

        let line = at(61, 0, &sent("4c", "u@a.test", A));
        correlator.feed(&parse_line(&line).unwrap());
        let all = correlator.finish();
        assert_eq!(all.len(), OPEN_LIMIT);
        assert_eq!(
            (all[OPEN_LIMIT - 1].pid, all[OPEN_LIMIT - 1].starttls),
            (0, None)
        );
    }

    /// SV-11: programs and recipients are bounded too.
    #[test]
    fn programs_and_recipients_are_bounded() {
        let mut correlator = Correlator::new();
        for n in 0..=PROGRAM_LIMIT {
            let line = at(0, 1, &established(A)).replace("postfix", &format!("postfix-{n}"));
            correlator.feed(&parse_line(&line).unwrap());
        }
        assert_eq!(correlator.counts().lines_left_out, 1);
        assert_eq!(correlator.finish().len(), PROGRAM_LIMIT);

        let mut correlator = Correlator::new();
        for n in 0..DELIVERY_LIMIT + 5 {
            let line = at(0, 1, &sent("4c", &format!("{n}@a.test"), A));
            assert_eq!(correlator.feed(&parse_line(&line).unwrap()), []);
        }
        assert_eq!(correlator.counts().deliveries_left_out, 5);
        assert_eq!(correlator.finish()[0].deliveries.len(), DELIVERY_LIMIT);
    }

    /// SV-10: in a log that is followed, a session comes out once it is quiet.
    #[test]
    fn sweeping() {
        let mut correlator = Correlator::new();
        let feed = |correlator: &mut Correlator, line: String| {
            assert_eq!(correlator.feed(&parse_line(&line).unwrap()), []);
        };
        feed(&mut correlator, at(0, 1, &established(A)));
        feed(&mut correlator, at(0, 2, &established(B)));
        feed(&mut correlator, at(1, 1, &sent("4c", "u@a.test", A)));
        assert_eq!(correlator.sweep(), []);
        feed(&mut correlator, at(1, 1, &sent("4c", "v@a.test", A)));
        assert_eq!(correlator.sweep(), []);
        let swept = correlator.sweep();
        assert_eq!(
            (swept.len(), swept[0].pid, swept[0].deliveries.len()),
            (1, 1, 2)
        );

        // The other still waits for its end of data.
        for _ in 3..PATIENCE {
            assert_eq!(correlator.sweep(), []);
        }
        let swept: Vec<_> = (0..3).flat_map(|_| correlator.sweep()).collect();
        assert_eq!((swept.len(), swept[0].pid), (1, 2));
        assert_eq!(correlator.finish(), []);
    }

    /// A line of any kind, of one of two processes, with one of two hosts.
    fn lines() -> impl Strategy<Value = String> {
        let host = select(vec![A, B]);
        let kind = 0_usize..16;
        let times = select(vec![0, 1, 2, 7, 3600]);
        (kind, host, 1_u32..3, times, 0_u32..3).prop_map(|(kind, peer, pid, second, number)| {
            let host = peer.trim_end_matches(":25");
            let name = host.split('[').next().unwrap_or_default();
            let id = format!("4{number}");
            let message = match kind {
                0 => format!("setting up TLS connection to {peer}"),
                1 => format!("{peer}: Reusing old session"),
                2 => format!("{peer}: Matched DANE EE certificate at depth 0: 3 1 1 BE"),
                3 => format!("server certificate verification failed for {peer}: num={number}:x"),
                4 => certificate(peer, &number.to_string()),
                5 => established(peer),
                6 => established(peer).replace("established", "reused"),
                7 => format!("SSL_connect error to {peer}: -{number}"),
                8 => format!("warning: TLS library problem: error:{number}"),
                9 => format!("Host offered STARTTLS: [{name}]"),
                10 => format!("TLSRPT: status=success, domain=a.test, receiving_mx={host}"),
                11 => format!("{id}: lost connection with {host} while sending MAIL FROM"),
                12 => format!("{id}: TLS is required, but was not offered by host {host}"),
                13 => format!("{id}: Cannot start TLS: handshake failure"),
                14 => delivered(
                    &id,
                    "u@a.test",
                    peer,
                    "deferred (Server certificate not verified)",
                ),
                _ => sent(&id, &format!("{number}@a.test"), peer),
            };
            at(second, pid, &message)
        })
    }

    proptest! {
        /// SV-05, SV-11: any mixture of lines passes the checks of the fuzz target.
        #[test]
        fn any_mixture(log in proptest::collection::vec(lines(), 0..24)) {
            crate::fuzzing::postfix_log(log.concat().as_bytes());
        }
    }
}
