//! The `Transmitted:` trace field of a client, and the MTA type `dane` of delivery reports
//! (draft-ietf-dane-smtp-00, 5 and 6). Neither became an RFC: nothing here is used unless somebody asks.
//!
//! Not done here: reading such a field. One that comes in proves nothing, and is not looked at (TR-03).

use std::net::IpAddr;

use crate::moment::Timestamp;
use crate::name::DomainName;
use crate::verify::SessionOutcome;

/// A message that was handed on, as its client may record it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission<'a> {
    /// The host that took it, by its name in the MX record.
    pub to: &'a DomainName,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The client.
    pub by: &'a DomainName,
    /// The client's own identifier of the message.
    pub id: Option<&'a str>,
    /// What the session came to.
    pub outcome: SessionOutcome,
    /// The client authenticated itself (RFC 4954).
    pub auth: bool,
    /// When.
    pub at: Timestamp,
}

impl Transmission<'_> {
    /// The whole field, CRLF included, to stand above all others; `None` where nothing was sent, where
    /// nobody knows how, or where a name has no place in the grammar.
    #[must_use]
    pub fn field(&self) -> Option<String> {
        let protocol = self.protocol()?;
        let (to, by) = (domain(self.to)?, domain(self.by)?);
        // Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" ) (RFC 5321, 4.4).
        let address = match self.address {
            None => String::new(),
            Some(IpAddr::V4(address)) => format!(" ([{address}])"),
            Some(IpAddr::V6(address)) => format!(" ([IPv6:{address}])"),
        };
        let id = match self.id {
            None => String::new(),
            Some(id) => format!("\r\n\tID {}", atom(id)?),
        };
        let date = date_time(self.at);
        Some(format!(
            "Transmitted: TO {to}{address}\r\n\tBY {by}\r\n\tWITH {protocol}{id};\r\n\t{date}\r\n"
        ))
    }

    /// The word behind WITH. The two that end in T and TA claim that the server was authenticated
    /// (TR-02); the others are those of RFC 3848.
    #[must_use]
    pub fn protocol(&self) -> Option<&'static str> {
        Some(match (self.outcome, self.auth) {
            (outcome, true) if outcome.is_authenticated() => "ESMTPTA",
            (outcome, false) if outcome.is_authenticated() => "ESMTPT",
            (SessionOutcome::Encrypted, true) => "ESMTPSA",
            (SessionOutcome::Encrypted, false) => "ESMTPS",
            (SessionOutcome::Cleartext, true) => "ESMTPA",
            (SessionOutcome::Cleartext, false) => "ESMTP",
            // TR-03: what failed was not sent, and of what is unknown nothing is claimed.
            _ => return None,
        })
    }
}

/// The value of `Remote-MTA` (RFC 3464, 2.3.5): the type `dane` for a host that TLSA records or the
/// like authenticated, `dns` for any other (TR-04).
#[must_use]
pub fn remote_mta(host: &DomainName, outcome: SessionOutcome) -> String {
    let kind = if outcome.is_authenticated() {
        "dane"
    } else {
        "dns"
    };
    format!("{kind}; {host}")
}

/// RFC 5321, 4.1.2: letters, digits and hyphens, which a name in the DNS need not keep to.
fn domain(name: &DomainName) -> Option<&str> {
    let keeps =
        |label: &str| !label.starts_with('-') && !label.ends_with('-') && !label.contains('_');
    let text = name.as_str();
    text.split('.').all(keeps).then_some(text)
}

/// RFC 5322, 3.2.3: text from elsewhere that could be read as more than one word has no place.
fn atom(text: &str) -> Option<&str> {
    let is_atext =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_atom = !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(is_atext);
    is_atom.then_some(text)
}

/// RFC 5322, 3.3, in UTC.
fn date_time(at: Timestamp) -> String {
    let seconds = (at.0 / 1000).min(LAST_SECOND);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let weekday = WEEKDAYS
        .get(usize::try_from(days % 7).unwrap_or_default())
        .copied()
        .unwrap_or_default();
    let (year, month, day) = civil(days);
    let month = MONTHS.get(month).copied().unwrap_or_default();
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month from 0, and day of the month, of a day since the epoch.
fn civil(mut days: u64) -> (u64, usize, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, length) in months.into_iter().enumerate() {
        if days < length {
            return (year, month, days + 1);
        }
        days -= length;
    }
    (year, 11, 31)
}

/// The epoch was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The end of the year 9999: four digits are what everybody reads.
const LAST_SECOND: u64 = 253_402_300_799;
/// A line has 998 octets at most (RFC 5322, 2.1.1), and identifiers of queues are short.
const LONGEST_ID: usize = 255;
