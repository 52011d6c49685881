//! The destinations that a list or a mail log names, line by line, for a survey.
//!
//! A list has one domain, next hop or address in each line, and comments behind `#`. Of a log the
//! lines are read that say what became of a recipient: those of Postfix's smtp(8), of Exim's main
//! log, and of Sendmail. Recipients of local delivery are passed over, since nobody is reached
//! there over TLS. Only what stands where a mail server writes by itself is read; the words of
//! other servers stand behind it.
//!
//! Not done here: what a next hop is, and how often it counts.

mod exim;
mod list;
mod sendmail;

pub use list::{NoDestination, listed};

use crate::postfix_log::{Event, has_head, parse_line};

/// What kind of lines these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One destination in each line.
    List,
    /// A mail server's log.
    MailLog,
}

/// One line of a log: a message, and recipients that it was sent to, or waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The message, by the mail server's own id.
    pub queue_id: &'a str,
    /// The addresses.
    pub recipients: Vec<&'a str>,
}

/// The longest line that is read, in bytes: Sendmail lists many recipients in one.
pub const LINE_LIMIT: usize = 64 * 1024;

/// What a line shows of the kind of its file; `None` for blank lines and comments.
///
/// ```
/// use hoplock_wire::destinations::{Kind, kind_of};
///
/// assert_eq!(kind_of("# mine"), None);
/// assert_eq!(kind_of("user@a.test"), Some(Kind::List));
/// assert_eq!(kind_of("Nov 26 10:00:00 out cron[7]: nothing"), Some(Kind::MailLog));
/// ```
#[must_use]
pub fn kind_of(line: &str) -> Option<Kind> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if has_head(line) || exim::has_time(line) {
        return Some(Kind::MailLog);
    }
    Some(Kind::List)
}

/// Reads one line of a log. `None` for all but lines of remote deliveries.
///
/// ```
/// use hoplock_wire::destinations::{delivered, domain_of};
///
/// let line = "2026-11-26 10:00:00 1vNaBc-00000000123-0aBc => user@a.test R=dnslookup \
///             T=remote_smtp H=mx.a.test [192.0.2.1] X=TLS1.3 C=\"250 OK\"";
/// let delivery = delivered(line).ok_or("not read")?;
/// assert_eq!(delivery.queue_id, "1vNaBc-00000000123-0aBc");
/// assert_eq!(domain_of(delivery.recipients[0]), Some("a.test"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn delivered(line: &str) -> Option<Delivery<'_>> {
    if line.len() > LINE_LIMIT {
        return None;
    }
    let line = line.trim_end_matches(['\r', '\n']);
    postfix(line)
        .or_else(|| sendmail::delivered(line))
        .or_else(|| exim::delivered(line))
}

fn postfix(line: &str) -> Option<Delivery<'_>> {
    match parse_line(line)?.event {
        Event::Delivery(delivery) => Some(Delivery {
            queue_id: delivery.queue_id,
            recipients: vec![delivery.recipient],
        }),
        _ => None,
    }
}

/// The part of an address behind its last `@`; a bare user has none.
#[must_use]
pub fn domain_of(address: &str) -> Option<&str> {
    let (_, domain) = address.rsplit_once('@')?;
    (!domain.is_empty()).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of three mail servers, and what they say of other things.
    #[test]
    fn three_logs() {
        let postfix = "Nov 26 10:00:01 out postfix/smtp[7]: 4c1P6x: to=<user@a.test>, \
                       relay=mx.a.test[192.0.2.1]:25, delay=1, delays=0/0/0.5/0.4, dsn=2.0.0, \
                       status=sent (250 OK)";
        let sendmail = "Nov 26 10:00:01 out sm-mta[7]: 4AQA01x: to=<u@a.test>,<v@b.test>, \
                        ctladdr=<me@c.test> (1000/1000), delay=00:00:01, mailer=esmtp, \
                        relay=mx.a.test. [192.0.2.1], dsn=2.0.0, stat=Sent (OK)";
        let exim = "2026-11-26 10:00:00 1vNaBc-000123-Ab -> u@a.test <v@b.test> R=dnslookup \
                    T=remote_smtp H=mx.a.test [192.0.2.1]";
        for (line, id, recipients) in [
            (postfix, "4c1P6x", vec!["user@a.test"]),
            (sendmail, "4AQA01x", vec!["u@a.test", "v@b.test"]),
            (exim, "1vNaBc-000123-Ab", vec!["u@a.test"]),
        ] {
            let read = delivered(line).unwrap();
            assert_eq!((read.queue_id, read.recipients), (id, recipients), "{line}");
            assert_eq!(kind_of(line), Some(Kind::MailLog));
            for cut in 0..line.len() {
                let _ = delivered(&line[..cut]);
            }
        }
        for line in [
            "",
            "Nov 26 10:00:01 out postfix/smtp[7]: connect to mx.a.test[192.0.2.1]:25: refused",
            "Nov 26 10:00:01 out postfix/local[7]: 4c1P6x: to=<user@a.test>, relay=local, \
             delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered)",
            "Nov 26 10:00:01 out sm-mta[7]: 4AQA01x: from=<me@c.test>, size=1, nrcpts=1",
            "2026-11-26 10:00:00 1vNaBc-000123-Ab <= me@c.test H=(x) [192.0.2.9]",
        ] {
            assert_eq!(delivered(line), None, "{line}");
        }
    }

    #[test]
    fn domains_of_addresses() {
        for (address, domain) in [
            ("u@a.test", Some("a.test")),
            ("\"u@b\"@a.test", Some("a.test")),
            ("root", None),
            ("u@", None),
        ] {
            assert_eq!(domain_of(address), domain, "{address}");
        }
    }
}
