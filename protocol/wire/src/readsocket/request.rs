//! Requests, as Exim's configuration writes them.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::str::from_utf8;

use nom::IResult;
use nom::Parser as _;
use nom::bytes::complete::{tag, take_till};
use nom::sequence::terminated;

use super::answer::Answer;
use super::dnsdb::{self, DnsdbRequest};
use super::fields::{address, base64, field, field_or_nothing, last, number, sha256};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Whether any host of the destination owes more than nothing.
    Level {
        /// The next hop.
        domain: &'a str,
        /// What the message says of TLS.
        says: MessageSays,
    },
    /// Whether this host may take mail for the destination.
    Mx {
        /// The next hop.
        domain: &'a str,
        /// The host.
        host: &'a str,
    },
    /// The value of an option of the smtp transport.
    Option {
        /// Its name.
        name: &'a str,
        /// The next hop.
        domain: &'a str,
        /// The host.
        host: &'a str,
    },
    /// A certificate that the host shows, while the handshake waits.
    Cert(CertRequest<'a>),
    /// What became of a session.
    Event(EventRequest<'a>),
    /// A lookup in the form of Exim's `dnsdb`.
    Dnsdb(DnsdbRequest<'a>),
}

/// What a message says of TLS (RFC 8689), as words behind the domain: `requiretls`, `tls-required-no`, both
/// with a comma between them, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageSays {
    /// REQUIRETLS.
    pub require_tls: bool,
    /// `TLS-Required: No`.
    pub tls_required_no: bool,
}

/// One certificate of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertRequest<'a> {
    /// The Exim process, `$pid`.
    pub pid: u32,
    /// `$event_data`: 0 is the leaf.
    pub depth: u32,
    /// The next hop.
    pub domain: &'a str,
    /// The host.
    pub host: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// `${sha256:…}` of the certificate: so that a request which lost a part is seen for what it is.
    pub sha256: [u8; 32],
    /// The certificate, in DER.
    pub der: Vec<u8>,
}

/// One event after the fact. What Exim does not know at that moment is an empty field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRequest<'a> {
    /// The Exim process, `$pid`.
    pub pid: u32,
    /// `$event_name`.
    pub name: &'a str,
    /// The next hop.
    pub domain: Option<&'a str>,
    /// The host.
    pub host: Option<&'a str>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// What the event tells.
    pub data: Vec<u8>,
}

/// What a request is for, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// `level`.
    Level,
    /// `mx`.
    Mx,
    /// `option`.
    Option,
    /// `cert`.
    Cert,
    /// `event`.
    Event,
    /// A lookup.
    Dnsdb,
    /// Nobody knows.
    Unknown,
}

/// A line that is no request. Answer it with [`BadRequest::answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}")]
pub struct BadRequest {
    /// What it would have been.
    pub verb: Verb,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There is nothing.
    Empty,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// A control character.
    Control,
    /// Longer than [`LINE_LIMIT`](super::LINE_LIMIT).
    TooLong,
    /// Neither `hoplock1` nor a lookup at its front.
    Protocol,
    /// A verb that nobody knows.
    Verb,
    /// A field, or the one behind it, is not there.
    Missing(&'static str, &'static str),
    /// More fields than the verb has.
    TooMany,
    /// A field, or all of it, that is not what it should be.
    Not(&'static str),
}

impl Display for Wrong {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the request is empty"),
            Self::NotUtf8 => f.write_str("the request is not UTF-8"),
            Self::Control => f.write_str("the request has a control character"),
            Self::TooLong => write!(f, "the request is longer than {} bytes", super::LINE_LIMIT),
            Self::Protocol => f.write_str("the request begins with neither hoplock1 nor a lookup"),
            Self::Verb => f.write_str("there is no such verb; level, mx, option, cert, event"),
            Self::Missing(which, what) => write!(f, "{which} {what} is missing"),
            Self::TooMany => f.write_str("the request has more fields than its verb"),
            Self::Not(what) => write!(f, "this is not {what}"),
        }
    }
}

impl Verb {
    /// The word, for logs and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Mx => "mx",
            Self::Option => "option",
            Self::Cert => "cert",
            Self::Event => "event",
            Self::Dnsdb => "dnsdb",
            Self::Unknown => "unknown",
        }
    }

    /// What the beginning of a line says: for a line that is too long to be read, or has no time left.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        let beginning = line.get(..VERB_WITHIN).unwrap_or(line);
        let beginning = beginning.utf8_chunks().next().map_or("", |own| own.valid());
        match first_words(beginning) {
            Ok((_, word)) => Self::parse(word),
            Err(_) if dnsdb::is_lookup(beginning) => Self::Dnsdb,
            Err(_) => Self::Unknown,
        }
    }

    /// What stands in for the answer where there is none: the shipped configuration goes on at no such
    /// word (EX-02).
    #[must_use]
    pub fn without_answer(self, reason: &str, words: &str) -> Answer {
        match self {
            Self::Mx | Self::Cert => Answer::refuse(reason, words),
            Self::Level | Self::Option | Self::Event | Self::Dnsdb | Self::Unknown => {
                Answer::defer(reason, words)
            }
        }
    }

    fn parse(word: &str) -> Self {
        let all = [Self::Level, Self::Mx, Self::Option, Self::Cert, Self::Event];
        let found = all.into_iter().find(|own| own.word() == word);
        found.unwrap_or(Self::Unknown)
    }
}

impl Request<'_> {
    /// What it is for.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Level { .. } => Verb::Level,
            Self::Mx { .. } => Verb::Mx,
            Self::Option { .. } => Verb::Option,
            Self::Cert(_) => Verb::Cert,
            Self::Event(_) => Verb::Event,
            Self::Dnsdb(_) => Verb::Dnsdb,
        }
    }
}

impl BadRequest {
    pub(super) fn new(verb: Verb, wrong: Wrong) -> Self {
        Self { verb, wrong }
    }

    /// A line that is longer than any that is read; `beginning` is what there is of it.
    #[must_use]
    pub fn too_long(beginning: &[u8]) -> Self {
        Self::new(Verb::of(beginning), Wrong::TooLong)
    }

    /// A connection that ended without a request.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Verb::Unknown, Wrong::Empty)
    }

    /// What its sender is told.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.verb.without_answer(REASON, &self.wrong.to_string())
    }
}

/// Reads one line, without its ending, as a request.
///
/// ```
/// use hoplock_wire::readsocket::{Request, Verb, decode};
///
/// let request = decode(b"hoplock1 level good.test");
/// assert!(matches!(request, Ok(Request::Level { domain: "good.test", .. })));
/// assert_eq!(decode(b"hoplock1 levl good.test").unwrap_err().verb, Verb::Unknown);
/// ```
///
/// # Errors
/// [`BadRequest`] says what is wrong, and what to answer.
pub fn decode(line: &[u8]) -> Result<Request<'_>, BadRequest> {
    let verb = Verb::of(line);
    let bad = |wrong| BadRequest::new(verb, wrong);
    if line.len() > super::LINE_LIMIT {
        return Err(bad(Wrong::TooLong));
    }
    let text = from_utf8(line).map_err(|_| bad(Wrong::NotUtf8))?;
    if text.is_empty() {
        return Err(bad(Wrong::Empty));
    }
    if text.chars().any(char::is_control) {
        return Err(bad(Wrong::Control));
    }
    let Ok((fields, _)) = first_words(text) else {
        return match dnsdb::is_lookup(text) {
            true => dnsdb::decode(text).map(Request::Dnsdb),
            false => Err(bad(Wrong::Protocol)),
        };
    };
    read(verb, fields).map_err(bad)
}

fn read(verb: Verb, fields: &str) -> Result<Request<'_>, Wrong> {
    let mut rest = fields;
    Ok(match verb {
        Verb::Level => match rest.contains(' ') {
            false => Request::Level {
                domain: last(rest, "DOMAIN")?,
                says: MessageSays::default(),
            },
            true => Request::Level {
                domain: field(&mut rest, "DOMAIN")?,
                says: says(rest)?,
            },
        },
        Verb::Mx => Request::Mx {
            domain: field(&mut rest, "DOMAIN")?,
            host: last(rest, "HOST")?,
        },
        Verb::Option => Request::Option {
            name: field(&mut rest, "NAME")?,
            domain: field(&mut rest, "DOMAIN")?,
            host: last(rest, "HOST")?,
        },
        Verb::Cert => Request::Cert(CertRequest {
            pid: number(field(&mut rest, "PID")?, "a PID")?,
            depth: number(field(&mut rest, "DEPTH")?, "a depth")?,
            domain: field(&mut rest, "DOMAIN")?,
            host: field(&mut rest, "HOST")?,
            address: address(field(&mut rest, "ADDRESS")?)?,
            port: number(field(&mut rest, "PORT")?, "a port")?,
            sha256: sha256(field(&mut rest, "SHA256")?)?,
            der: base64(last(rest, "BASE64DER")?)?,
        }),
        Verb::Event => Request::Event(event(rest)?),
        Verb::Dnsdb | Verb::Unknown => return Err(Wrong::Verb),
    })
}

fn says(words: &str) -> Result<MessageSays, Wrong> {
    let mut says = MessageSays::default();
    // Exim's expansions leave commas and nothing between them where a condition does not hold.
    for word in words.split(',').filter(|word| !word.is_empty()) {
        match word {
            "requiretls" => says.require_tls = true,
            "tls-required-no" => says.tls_required_no = true,
            _ => return Err(Wrong::Not("requiretls or tls-required-no")),
        }
    }
    Ok(says)
}

fn event(fields: &str) -> Result<EventRequest<'_>, Wrong> {
    let mut rest = fields;
    Ok(EventRequest {
        pid: number(field(&mut rest, "PID")?, "a PID")?,
        name: field(&mut rest, "NAME")?,
        domain: field_or_nothing(&mut rest, "DOMAIN")?,
        host: field_or_nothing(&mut rest, "HOST")?,
        address: field_or_nothing(&mut rest, "ADDRESS")?
            .map(address)
            .transpose()?,
        // Exim says 0 or -1 where there is no connection.
        port: field_or_nothing(&mut rest, "PORT")?
            .filter(|port| !matches!(*port, "0" | "-1"))
            .map(|port| number(port, "a port"))
            .transpose()?,
        // Many events tell nothing beyond their name.
        data: if rest.is_empty() {
            Vec::new()
        } else {
            base64(last(rest, "BASE64DATA")?)?
        },
    })
}

/// `hoplock1 VERB `: what stands behind, and the verb.
fn first_words(input: &str) -> IResult<&str, &str> {
    let (rest, _) = tag("hoplock1 ")(input)?;
    terminated(
        take_till(|c| c == ' '),
        nom::branch::alt((tag(" "), nom::combinator::eof)),
    )
    .parse(rest)
}

/// The reason's word, as the daemon's vocabulary has it.
const REASON: &str = "bad-request";
/// Within so many bytes a line says what it is for.
const VERB_WITHIN: usize = 32;
