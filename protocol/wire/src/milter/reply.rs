//! Replies: what a filter answers.

use super::negotiation::{MacroList, Terms};
use super::packet;
use crate::header_field::HeaderField;
use crate::refusal::{Refusal, Words};

/// One packet to the mail server. A message is never thrown away (`SMFIR_DISCARD`), and its body and
/// envelope are not touched: there are no replies for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `SMFIR_ACCEPT`: no more is to be seen of the message; at CONNECT or HELO, of the client.
    Accept,
    /// `SMFIR_ADDHEADER`: a field below all others (`smfi_addheader`).
    AddHeader(&'a HeaderField),
    /// `SMFIR_CONTINUE`: go on.
    Continue,
    /// `SMFIR_CHGHEADER` without a value: this field is taken out (`smfi_chgheader`).
    DeleteHeader {
        /// Its name.
        name: &'a str,
        /// Which of the fields with that name, from 1.
        occurrence: u32,
    },
    /// `SMFIR_INSHEADER`: a field at that place, 0 being above all others (`smfi_insheader`).
    InsertHeader {
        /// The place.
        index: u32,
        /// The field.
        field: &'a HeaderField,
    },
    /// `SMFIC_OPTNEG`: what is agreed.
    Negotiate {
        /// The agreement.
        terms: &'a Terms,
        /// The macros that are wanted. mfdef.h has a reply of its own for them, which no mail server
        /// reads; they stand here.
        macros: &'a [MacroList],
    },
    /// `SMFIR_PROGRESS`: still at work; the mail server waits anew (`smfi_progress`). At the end of
    /// the message only: elsewhere Sendmail takes it for a fault and does what its `F=` says.
    Progress,
    /// `SMFIR_QUARANTINE`: the message is held, for this cause (`smfi_quarantine`).
    Quarantine(&'a Words),
    /// `SMFIR_REPLYCODE`: refused with this code and these words (`smfi_setmlreply`).
    Refuse(&'a Refusal),
    /// `SMFIR_REJECT`: refused for good, in the mail server's words.
    Reject,
    /// `SMFIR_SKIP`: no more of the body is wanted; from version 6 on.
    Skip,
    /// `SMFIR_TEMPFAIL`: refused for now, in the mail server's words.
    TempFail,
}

impl Reply<'_> {
    /// Its letter.
    #[must_use]
    pub fn letter(&self) -> u8 {
        match self {
            Self::Accept => b'a',
            Self::AddHeader(_) => b'h',
            Self::Continue => b'c',
            Self::DeleteHeader { .. } => b'm',
            Self::InsertHeader { .. } => b'i',
            Self::Negotiate { .. } => b'O',
            Self::Progress => b'p',
            Self::Quarantine(_) => b'q',
            Self::Refuse(_) => b'y',
            Self::Reject => b'r',
            Self::Skip => b's',
            Self::TempFail => b't',
        }
    }

    /// Appends the packet to `out`. `leading_space` says whether
    /// [`HEADER_LEADING_SPACE`](super::Steps::HEADER_LEADING_SPACE) was agreed, so that the blank
    /// behind the colon is ours to write.
    pub fn encode(&self, leading_space: bool, out: &mut Vec<u8>) {
        let value = |field: &HeaderField| match leading_space {
            true => format!(" {}", field.value()),
            false => field.value().to_owned(),
        };
        let named = |field: &HeaderField| format!("{}\0{}\0", field.name(), value(field));
        let data = match self {
            Self::Accept | Self::Continue | Self::Progress => Vec::new(),
            Self::Reject | Self::Skip | Self::TempFail => Vec::new(),
            Self::AddHeader(field) => named(field).into_bytes(),
            Self::InsertHeader { index, field } => {
                [&index.to_be_bytes(), named(field).as_bytes()].concat()
            }
            Self::DeleteHeader { name, occurrence } => {
                [&occurrence.to_be_bytes(), name.as_bytes(), b"\0\0"].concat()
            }
            Self::Negotiate { terms, macros } => terms.encode(macros),
            Self::Quarantine(words) => format!("{words}\0").into_bytes(),
            Self::Refuse(refusal) => lines(refusal).into_bytes(),
        };
        packet::encode(self.letter(), &data, out);
    }
}

/// RFC 5321, 4.2.1: all lines but the last have a hyphen behind the code.
fn lines(refusal: &Refusal) -> String {
    let (code, status) = (refusal.code(), refusal.status());
    let last = refusal.lines().len().saturating_sub(1);
    let lines = refusal.lines().enumerate().map(|(at, words)| {
        let mark = if at == last { ' ' } else { '-' };
        // `smfi_setreply`: a single percent sign makes Sendmail drop the words, and Postfix the sign.
        let words = words.as_str().replace('%', "%%");
        format!("{code}{mark}{status} {words}")
    });
    let text: Vec<String> = lines.collect();
    format!("{}\0", text.join("\r\n"))
}
