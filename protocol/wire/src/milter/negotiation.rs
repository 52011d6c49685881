//! What both sides agree on before anything else: `SMFIC_OPTNEG` and its answer.
//!
//! The mail server offers a version, changes that it will make and steps that it can spare itself; the
//! filter takes some of each (`xxfi_negotiate`). Nothing is asked for that was not offered.

use std::ops::BitOr;

use nom::number::complete::be_u32;
use nom::{IResult, Parser as _};

use super::command::BadCommand;
use super::stage::Stage;

/// What a mail server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The highest version that it speaks.
    pub version: u32,
    /// The changes that it will make.
    pub actions: Actions,
    /// The steps that it can leave out, or need not have answered.
    pub steps: Steps,
}

/// What was agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The version, at most 6.
    pub version: u32,
    /// The changes that may be asked for.
    pub actions: Actions,
    /// What is left out, what is not answered, and how header fields look.
    pub steps: Steps,
}

/// What we would like to agree on. By default nothing is seen but the end of each message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// A client connects.
    pub connect: Interest,
    /// It names itself.
    pub helo: Interest,
    /// A message begins.
    pub mail: Interest,
    /// One recipient.
    pub rcpt: Interest,
    /// The recipients are complete.
    pub data: Interest,
    /// A header field. Watched in any case where some are to be stripped.
    pub headers: Interest,
    /// The header is complete.
    pub end_of_headers: Interest,
    /// Some of the body.
    pub body: Interest,
    /// A command that the mail server does not know.
    pub unknown: Interest,
    /// The changes that may become necessary. Deleting is among them where fields are to be stripped.
    pub actions: Actions,
    /// The names of header fields that are ours alone: copies that somebody else wrote are deleted
    /// at the end of each message that goes on.
    pub strip: Vec<String>,
    /// The macros that are wanted, where the mail server lets itself be told (`smfi_setsymlist`).
    pub macros: Vec<MacroList>,
}

/// What a step is to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// Nothing: the mail server leaves it out if it can, and no event is made of it.
    #[default]
    Skip,
    /// An event, which does not hold up the mail server.
    Watch,
    /// An event, on which the mail server waits for a decision.
    Decide,
}

/// The macros that are wanted before one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroList {
    stage: MacroStage,
    names: String,
}

/// The commands before which macros can be asked for: `SMFIM_CONNECT` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacroStage {
    /// `CONNECT`.
    Connect = 0,
    /// `HELO`.
    Helo = 1,
    /// `MAIL`.
    Mail = 2,
    /// `RCPT`.
    Rcpt = 3,
    /// `DATA`.
    Data = 4,
    /// The end of the message.
    EndOfMessage = 5,
    /// The end of the header.
    EndOfHeaders = 6,
}

/// Changes: the numbers `SMFIF_…` of mfdef.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions(u32);

impl Actions {
    /// `SMFIF_ADDHDRS`: header fields are added and inserted.
    pub const ADD_HEADERS: Self = Self(0x1);
    /// `SMFIF_CHGHDRS`: header fields are deleted.
    pub const CHANGE_HEADERS: Self = Self(0x10);
    /// `SMFIF_QUARANTINE`: the message is held.
    pub const QUARANTINE: Self = Self(0x20);
    /// `SMFIF_SETSYMLIST`: macros are asked for.
    pub const SET_MACROS: Self = Self(0x100);

    /// All of version 6, also those that we never ask for.
    #[must_use]
    pub const fn all() -> Self {
        Self(0x1ff)
    }
}

/// Steps: the numbers `SMFIP_…` of mfdef.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps(u32);

impl Steps {
    /// `SMFIP_NOCONNECT`.
    pub const NO_CONNECT: Self = Self(1);
    /// `SMFIP_NOHELO`.
    pub const NO_HELO: Self = Self(1 << 1);
    /// `SMFIP_NOMAIL`.
    pub const NO_MAIL: Self = Self(1 << 2);
    /// `SMFIP_NORCPT`.
    pub const NO_RCPT: Self = Self(1 << 3);
    /// `SMFIP_NOBODY`.
    pub const NO_BODY: Self = Self(1 << 4);
    /// `SMFIP_NOHDRS`.
    pub const NO_HEADERS: Self = Self(1 << 5);
    /// `SMFIP_NOEOH`.
    pub const NO_END_OF_HEADERS: Self = Self(1 << 6);
    /// `SMFIP_NR_HDR`: header fields are not answered.
    pub const NO_REPLY_HEADERS: Self = Self(1 << 7);
    /// `SMFIP_NOUNKNOWN`.
    pub const NO_UNKNOWN: Self = Self(1 << 8);
    /// `SMFIP_NODATA`.
    pub const NO_DATA: Self = Self(1 << 9);
    /// `SMFIP_SKIP`: the mail server understands [`Reply::Skip`](super::Reply::Skip).
    pub const SKIP: Self = Self(1 << 10);
    /// `SMFIP_NR_CONN`.
    pub const NO_REPLY_CONNECT: Self = Self(1 << 12);
    /// `SMFIP_NR_HELO`.
    pub const NO_REPLY_HELO: Self = Self(1 << 13);
    /// `SMFIP_NR_MAIL`.
    pub const NO_REPLY_MAIL: Self = Self(1 << 14);
    /// `SMFIP_NR_RCPT`.
    pub const NO_REPLY_RCPT: Self = Self(1 << 15);
    /// `SMFIP_NR_DATA`.
    pub const NO_REPLY_DATA: Self = Self(1 << 16);
    /// `SMFIP_NR_UNKN`.
    pub const NO_REPLY_UNKNOWN: Self = Self(1 << 17);
    /// `SMFIP_NR_EOH`.
    pub const NO_REPLY_END_OF_HEADERS: Self = Self(1 << 18);
    /// `SMFIP_NR_BODY`.
    pub const NO_REPLY_BODY: Self = Self(1 << 19);
    /// `SMFIP_HDR_LEADSPC`: the blank behind the colon is part of a header field's value, in what
    /// comes and in what is added; else the mail server takes it away and puts one there.
    pub const HEADER_LEADING_SPACE: Self = Self(1 << 20);

    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// All of version 6 without the packet sizes, as Postfix and Sendmail offer them; among them
    /// rejected recipients (`SMFIP_RCPT_REJ`), which we never ask for.
    #[must_use]
    pub const fn all() -> Self {
        Self(0x1f_ffff)
    }
}

/// The operations of a set of bits, for both kinds.
macro_rules! bits {
    ($name:ident) => {
        impl $name {
            /// The number of mfdef.h.
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether all of those are among these.
            #[must_use]
            pub const fn contains(self, those: Self) -> bool {
                self.0 & those.0 == those.0
            }

            /// What is in both.
            #[must_use]
            pub const fn both(self, those: Self) -> Self {
                Self(self.0 & those.0)
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, those: Self) -> Self {
                Self(self.0 | those.0)
            }
        }

        impl From<u32> for $name {
            fn from(bits: u32) -> Self {
                Self(bits)
            }
        }
    };
}
bits!(Actions);
bits!(Steps);

impl Offer {
    /// Three numbers; a later version may send more behind them.
    pub(super) fn parse(data: &[u8]) -> Result<Self, BadCommand> {
        let numbers: IResult<&[u8], (u32, u32, u32)> = (be_u32, be_u32, be_u32).parse(data);
        let (_, (version, actions, steps)) = numbers.map_err(|_| BadCommand::Negotiation)?;
        Ok(Self {
            version,
            actions: Actions(actions),
            steps: Steps(steps),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        numbers(self.version, self.actions, self.steps)
    }
}

impl Terms {
    /// Version, changes and steps, and the lists of macros if they may be told.
    pub(super) fn encode(&self, macros: &[MacroList]) -> Vec<u8> {
        let mut data = numbers(self.version, self.actions, self.steps);
        if self.actions.contains(Actions::SET_MACROS) {
            for list in macros {
                data.extend_from_slice(&(list.stage as u32).to_be_bytes());
                data.extend_from_slice(list.names.as_bytes());
                data.push(0);
            }
        }
        data
    }
}

fn numbers(version: u32, actions: Actions, steps: Steps) -> Vec<u8> {
    let octets = [version, actions.0, steps.0].map(u32::to_be_bytes);
    octets.concat()
}

impl Wish {
    /// How much this step is to us.
    pub(super) fn interest(&self, stage: Stage) -> Interest {
        match stage {
            Stage::Connect => self.connect,
            Stage::Helo => self.helo,
            Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data,
            // Copies of our own fields have to be counted.
            Stage::Header if !self.strip.is_empty() => self.headers.max(Interest::Watch),
            Stage::Header => self.headers,
            Stage::EndOfHeaders => self.end_of_headers,
            Stage::Body => self.body,
            Stage::EndOfMessage => Interest::Decide,
            Stage::Unknown => self.unknown,
        }
    }

    /// What is agreed on this offer.
    pub(super) fn meet(&self, offer: &Offer) -> Terms {
        let mut actions = self.actions;
        if !self.strip.is_empty() {
            actions = actions | Actions::CHANGE_HEADERS;
        }
        if !self.macros.is_empty() {
            actions = actions | Actions::SET_MACROS;
        }
        let mut steps = Steps::HEADER_LEADING_SPACE;
        for stage in Stage::ALL {
            match self.interest(stage) {
                Interest::Skip => steps = steps | stage.skipped() | stage.unanswered(),
                Interest::Watch => steps = steps | stage.unanswered(),
                Interest::Decide => {}
            }
        }
        let can_skip = !offer.steps.contains(Steps::NO_BODY) && offer.steps.contains(Steps::SKIP);
        if self.body == Interest::Skip && can_skip {
            // One SKIP spares the whole body, but must be said.
            steps = Steps(steps.0 & !Steps::NO_REPLY_BODY.0) | Steps::SKIP;
        }
        Terms {
            version: offer.version.min(VERSION),
            actions: actions.both(offer.actions),
            steps: steps.both(offer.steps),
        }
    }
}

impl MacroList {
    /// Names as in `smfi_getsymval`: `i`, or in braces `{auth_authen}`. `None` where there is none,
    /// or one that is no name.
    #[must_use]
    pub fn new(stage: MacroStage, names: &[&str]) -> Option<Self> {
        let is_name = |name: &&str| {
            let inner = name
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'));
            let is_word = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
            match inner {
                Some(inner) => !inner.is_empty() && inner.bytes().all(is_word),
                None => name.len() == 1 && name.bytes().all(is_word),
            }
        };
        let fits = !names.is_empty() && names.iter().all(is_name);
        fits.then(|| Self {
            stage,
            names: names.join(" "),
        })
    }
}

/// The version that is spoken, the last there is (`SMFI_PROT_VERSION`).
pub(super) const VERSION: u32 = 6;
/// The first version whose packets are read: Sendmail 8.11 spoke it.
pub(super) const FIRST_VERSION: u32 = 2;
