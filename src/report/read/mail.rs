//! The report in a mail (RFC 8460, 5.3): by its media type, or by what large senders call it instead.

use std::panic::catch_unwind;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::{ReadError, gzip, is_json};

/// The JSON of the report in a mail.
pub(super) fn report_in(mail: &[u8]) -> Result<Vec<u8>, ReadError> {
    let message = parsed(without_envelope(mail))?;
    let message = message.filter(is_mail).ok_or(ReadError::Neither)?;
    let mut found = Vec::new();
    look(&message, NESTED, &mut found);
    // The first of the surest kind: a mail has one report (RFC 8460, 5.3).
    let best = found.into_iter().min_by_key(|(sign, _)| *sign);
    let (_, contents) = best.ok_or(ReadError::NoReport)?;
    if gzip::is_packed(contents) {
        gzip::unpacked(contents)
    } else {
        Ok(contents.to_vec())
    }
}

/// The parser asserts of itself what strangely nested mails break (0.11.9, with debug assertions), and unwraps
/// here and there: whatever a stranger sends, one report is not read, and all else goes on.
fn parsed(mail: &[u8]) -> Result<Option<Message<'_>>, ReadError> {
    catch_unwind(|| MessageParser::default().parse(mail)).map_err(|_| ReadError::BrokenMail)
}

/// How a part shows that it is a report, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// A media type of RFC 8460, 6.4 and 6.5.
    Registered,
    /// A name that RFC 8460, 5.1 gives reports, or a media type of JSON or gzip.
    Named,
}

/// Looks through the parts, and through mails that were forwarded whole.
fn look<'a>(message: &'a Message<'_>, depth: usize, found: &mut Vec<(Sign, &'a [u8])>) {
    for part in &message.parts {
        match (&part.body, depth.checked_sub(1)) {
            (PartType::Message(inner), Some(depth)) => look(inner, depth, found),
            (PartType::Message(_), None) | (PartType::Multipart(_), _) => {}
            (_, _) => found.extend(sign(part).map(|sign| (sign, part.contents()))),
        }
    }
}

fn sign(part: &MessagePart<'_>) -> Option<Sign> {
    let is = |subtype| part.is_content_type("application", subtype);
    // RFC 8460, 5.3: "application/tlsrpt+json" or "application/tlsrpt+gzip".
    if is("tlsrpt+json") || is("tlsrpt+gzip") {
        return Some(Sign::Registered);
    }
    let name = part.attachment_name().unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    let is_named = name.ends_with(".json") || name.ends_with(".json.gz");
    let is_plausible = ["gzip", "x-gzip", "json"].into_iter().any(is);
    let contents = part.contents();
    let has_form = gzip::is_packed(contents) || is_json(contents);
    ((is_named || is_plausible) && has_form).then_some(Sign::Named)
}

/// Text without a single header field is taken for a mail too by the parser.
fn is_mail(message: &Message<'_>) -> bool {
    message.from().is_some() || message.content_type().is_some() || message.subject().is_some()
}

/// The line that mailbox files and some programs put before a mail.
fn without_envelope(mail: &[u8]) -> &[u8] {
    let Some(rest) = mail.strip_prefix(b"From ") else {
        return mail;
    };
    let end = rest.iter().position(|byte| *byte == b'\n');
    end.and_then(|end| rest.get(end + 1..)).unwrap_or(rest)
}

/// A report that was forwarded may have been forwarded again.
const NESTED: usize = 4;
