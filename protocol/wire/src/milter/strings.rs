//! Data that is a row of strings, each ended by a NUL: envelopes and macros.

use nom::bytes::complete::{tag, take_till};
use nom::sequence::terminated;
use nom::{IResult, Parser as _};

use super::command::BadCommand;
use crate::mailbox::{BadPath, Path};

/// The arguments of MAIL or RCPT, as the client gave them (`xxfi_envfrom`, `xxfi_envrcpt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The path, in angle brackets unless the client left them out and Sendmail let it.
    pub address: &'a [u8],
    arguments: &'a [u8],
}

/// Macros: what the mail server knows beside a command (`smfi_getsymval`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macros<'a> {
    /// The command that they stand before.
    pub command: u8,
    pairs: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads the path and the arguments behind it, each ended by a NUL.
    ///
    /// # Errors
    /// [`BadCommand::Strings`] where an end is missing, or there is no path.
    pub fn parse(data: &'a [u8]) -> Result<Self, BadCommand> {
        let (arguments, address) = string(data).ok_or(BadCommand::Strings)?;
        whole(arguments)?;
        Ok(Self { address, arguments })
    }

    /// The address as a path.
    ///
    /// # Errors
    /// [`BadPath`], on which no domain is known to ask for.
    pub fn path(&self) -> Result<Path, BadPath> {
        Path::parse(self.address)
    }

    /// The ESMTP arguments, each as `KEYWORD` or `KEYWORD=value` (RFC 5321, 4.1.1.11).
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        Strings(self.arguments)
    }

    /// The value of an argument, whose keyword is the same in either case; empty where it has none.
    #[must_use]
    pub fn argument(&self, keyword: &str) -> Option<&'a [u8]> {
        self.arguments().find_map(|argument| {
            let (own, value) = match argument.iter().position(|byte| *byte == b'=') {
                Some(at) => (argument.get(..at)?, argument.get(at + 1..)?),
                None => (argument, &b""[..]),
            };
            own.eq_ignore_ascii_case(keyword.as_bytes())
                .then_some(value)
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [self.address, b"\0", self.arguments].concat()
    }
}

impl<'a> Macros<'a> {
    /// Reads the command that they stand before, and names and values by turns, each ended by a NUL.
    ///
    /// # Errors
    /// [`BadCommand::Strings`] where an end, a value or the command is missing.
    pub fn parse(data: &'a [u8]) -> Result<Self, BadCommand> {
        let (&command, pairs) = data.split_first().ok_or(BadCommand::Strings)?;
        match whole(pairs)? % 2 {
            0 => Ok(Self { command, pairs }),
            _ => Err(BadCommand::Strings),
        }
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut strings = Strings(self.pairs);
        std::iter::from_fn(move || Some((strings.next()?, strings.next()?)))
    }

    /// The value of a macro. Names of more than one letter stand in braces on the wire, and may be
    /// asked for with or without them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let bare = |name: &'a [u8]| {
            let inner = name
                .strip_prefix(b"{")
                .and_then(|name| name.strip_suffix(b"}"));
            inner.unwrap_or(name)
        };
        let wanted = name.trim_start_matches('{').trim_end_matches('}');
        let mut all = self.iter();
        let found = all.find(|(name, _)| bare(name) == wanted.as_bytes());
        found.map(|(_, value)| value)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [&[self.command], self.pairs].concat()
    }
}

/// One string off the front, without its NUL.
pub(super) fn string(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let parsed: IResult<&[u8], &[u8]> =
        terminated(take_till(|byte| byte == 0), tag("\0")).parse(input);
    parsed.ok()
}

/// How many strings there are, if the last one has its end.
fn whole(data: &[u8]) -> Result<usize, BadCommand> {
    match data.last() {
        None | Some(0) => Ok(Strings(data).count()),
        Some(_) => Err(BadCommand::Strings),
    }
}

struct Strings<'a>(&'a [u8]);

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, found) = string(self.0)?;
        self.0 = rest;
        Some(found)
    }
}
