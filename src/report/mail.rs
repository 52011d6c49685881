//! A report as a mail (RFC 8460, 5.3): `multipart/report` of a part for people and the gzipped JSON.
//!
//! Bytes in, bytes out: the time is told, and Message-ID and boundary come of the report-id, so that the
//! same report is the same mail each time. What comes of it does not leave unsigned: the octets are had by
//! [`Signing::seal`](super::dkim::Signing::seal) alone. Not done here: signing, sending.

use std::io::{self, Write as _};

use data_encoding::HEXLOWER;
use flate2::{Compression, GzBuilder};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, MalformedName};
use hoplock_wire::tlsrpt::{file_name, subject};
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};
use sha2::{Digest as _, Sha256};

/// The media type of a compressed report, in mail and by HTTPS (RFC 8460, 5.3 and 5.4).
pub const MEDIA_TYPE: &str = "application/tlsrpt+gzip";

/// What a mail with a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReportMail<'a> {
    /// Who it is from: an address of the reporting domain, which the signature is of.
    pub from: &'a str,
    /// Where it goes.
    pub to: &'a str,
    /// The domain that submits it.
    pub submitter: &'a DomainName,
    /// The domain that it is about.
    pub policy_domain: &'a DomainName,
    /// The report-id, as the document has it.
    pub report_id: &'a str,
    /// The JSON.
    pub document: &'a [u8],
    /// The first second that is covered.
    pub begins: Timestamp,
    /// The last one.
    pub ends: Timestamp,
    /// Who reports, by the name of the organization.
    pub organization: &'a str,
    /// Whom people ask about it.
    pub contact: &'a str,
    /// When the mail is written.
    pub date: Timestamp,
    /// Sessions that kept their policy.
    pub successful: u64,
    /// Sessions that did not.
    pub failed: u64,
    /// The failures, one in each line, for people.
    pub failures: &'a [String],
}

/// A mail that nobody has signed, so that it cannot leave (RP-12).
///
/// ```compile_fail
/// fn leave(mail: hoplock::report::mail::UnsignedMail) -> Vec<u8> {
///     mail.octets
/// }
/// ```
#[derive(Clone, Debug)]
pub struct UnsignedMail {
    pub(super) octets: Vec<u8>,
    /// The domain in From.
    pub(super) domain: DomainName,
}

/// Why no mail was made; the words are for people. Nothing of this passes by itself: do not try again
/// with the same.
#[derive(Debug, thiserror::Error)]
pub enum NotComposed {
    /// An address that cannot stand in a mail as it is.
    #[error("{0:?} is no mail address that a report can bear")]
    Address(String),
    /// The domain of an address is no name.
    #[error("{address:?} is no mail address: {error}")]
    Domain {
        /// The address.
        address: String,
        /// What is wrong with its domain.
        error: MalformedName,
    },
    /// A report-id that is no part of a Message-ID.
    #[error("{0:?} is no report-id that can stand in a Message-ID")]
    ReportId(String),
    /// Writing into memory failed.
    #[error("the report cannot be written: {0}")]
    Writing(#[from] io::Error),
}

impl ReportMail<'_> {
    /// Writes the mail.
    ///
    /// # Errors
    /// [`NotComposed`] names the field that cannot stand in a mail.
    pub fn compose(&self) -> Result<UnsignedMail, NotComposed> {
        let (from, domain) = mailbox(self.from)?;
        let (to, _) = mailbox(self.to)?;
        let id = message_id(self.report_id, self.submitter)?;
        // RFC 8460, 5.3: this part is for people; nobody else reads it.
        let words = MimePart::new("text/plain", BodyPart::Text(self.words().into()));
        let report = MimePart::new(MEDIA_TYPE, BodyPart::Binary(gzip(self.document)?.into()))
            .header("Content-Disposition", raw(self.disposition()));
        let kind = ContentType::new("multipart/report")
            // RFC 8460, 5.3 with RFC 6522, 3.
            .attribute("report-type", "tlsrpt")
            .attribute("boundary", boundary(&id));
        let octets = MessageBuilder::new()
            .header("From", raw(from))
            .header("To", raw(to))
            .header("Date", Date::new(seconds(self.date)))
            .header("Message-ID", raw(format!("<{id}>")))
            .header("Subject", raw(self.subject(&id)))
            // RFC 8460, 5.3: by these two a report is known before its parts are read.
            .header("TLS-Report-Domain", raw(self.policy_domain.to_string()))
            .header("TLS-Report-Submitter", raw(self.submitter.to_string()))
            // RFC 8689, 3: the report of broken TLS gets through broken TLS (RP-13).
            .header("TLS-Required", raw("No".to_owned()))
            // RFC 3834, 5: nobody's holiday is to be answered to it.
            .header("Auto-Submitted", raw("auto-generated".to_owned()))
            .header("MIME-Version", raw("1.0".to_owned()))
            .body(MimePart::new(kind, vec![words, report]))
            .write_to_vec()?;
        Ok(UnsignedMail { octets, domain })
    }

    /// RFC 8460, 5.3: the order and the words are prescribed.
    fn subject(&self, id: &str) -> String {
        subject(self.policy_domain.as_str(), self.submitter.as_str(), id)
    }

    fn disposition(&self) -> String {
        // On a line of its own: names may be long.
        format!("attachment;\r\n filename=\"{}\"", self.file_name())
    }

    /// RFC 8460, 5.1.
    fn file_name(&self) -> String {
        let (submitter, domain) = (self.submitter, self.policy_domain);
        let (begins, ends) = (self.begins.0 / 1_000, self.ends.0 / 1_000);
        let (submitter, domain) = (submitter.as_str(), domain.as_str());
        file_name(submitter, domain, begins, ends, self.report_id, true)
    }

    fn words(&self) -> String {
        let domain = self.policy_domain;
        let mut lines = vec![
            format!("This is a report about TLS of mail to {domain} (RFC 8460)."),
            String::new(),
            format!("Reported by: {}", plain(self.organization)),
            format!("Contact:     {}", plain(self.contact)),
            format!("Submitter:   {}", self.submitter),
            format!("Report-ID:   {}", plain(self.report_id)),
            format!("From:        {}", shown(self.begins)),
            format!("To:          {}", shown(self.ends)),
            format!("Successful:  {}", self.successful),
            format!("Failed:      {}", self.failed),
        ];
        if !self.failures.is_empty() {
            lines.extend([String::new(), "Failures:".to_owned()]);
            let own = self.failures.iter().take(FAILURES);
            lines.extend(own.map(|line| format!("* {}", plain(line))));
            let more = self.failures.len().saturating_sub(FAILURES);
            if more > 0 {
                lines.push(format!("and {more} more"));
            }
        }
        lines.extend([
            String::new(),
            "The report itself is attached, as JSON in gzip.".to_owned(),
            String::new(),
        ]);
        lines.join("\n")
    }
}

/// Compresses a report (RFC 8460, 5.2): no time and no name in it, so that the same document comes to the
/// same octets.
///
/// # Errors
/// Where writing into memory fails, which it does not.
pub fn gzip(document: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    packed.write_all(document)?;
    packed.finish()
}

/// An address and its domain; an address that can stand in a header field and in an SMTP command as it
/// is.
fn mailbox(text: &str) -> Result<(String, DomainName), NotComposed> {
    let refused = || NotComposed::Address(text.to_owned());
    let (local, domain) = text.rsplit_once('@').ok_or_else(refused)?;
    if !is_dot_atom(local) || local.len() > LONGEST_LOCAL || local.starts_with('-') {
        return Err(refused());
    }
    let domain = DomainName::parse(domain).map_err(|error| NotComposed::Domain {
        address: text.to_owned(),
        error,
    })?;
    Ok((format!("{local}@{domain}"), domain))
}

/// What stands between the angle brackets of Message-ID: the report-id, with the submitter behind it where
/// it has no domain itself.
fn message_id(report_id: &str, submitter: &DomainName) -> Result<String, NotComposed> {
    let id = if report_id.contains('@') {
        report_id.to_owned()
    } else {
        format!("{report_id}@{submitter}")
    };
    let (left, right) = id.split_once('@').unwrap_or_default();
    // RFC 5322, 3.6.4.
    if is_dot_atom(left) && is_dot_atom(right) && report_id.len() <= LONGEST_ID {
        Ok(id)
    } else {
        Err(NotComposed::ReportId(report_id.to_owned()))
    }
}

/// RFC 5322, 3.2.3.
fn is_dot_atom(text: &str) -> bool {
    let is_atom = |part: &str| {
        let own = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !part.is_empty() && part.chars().all(own)
    };
    text.split('.').all(is_atom)
}

/// Neither base64 nor quoted-printable has `=_` in it, and no line of ours begins like this.
fn boundary(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    let short = digest.get(..BOUNDARY).unwrap_or_default();
    format!("=_{}", HEXLOWER.encode(short))
}

/// Words of others on one line of ours.
fn plain(text: &str) -> String {
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(LONGEST_LINE).map(safe).collect()
}

fn shown(time: Timestamp) -> String {
    jiff::Timestamp::from_second(seconds(time))
        .map_or_else(|_| String::new(), |own| own.to_string())
}

fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX)
}

/// A field that holds only what was looked at before; folded at its blanks.
fn raw(text: String) -> HeaderType<'static> {
    HeaderType::Raw(Raw::new(text))
}

/// RFC 5321, 4.5.3.1.1.
const LONGEST_LOCAL: usize = 64;
/// With a domain behind it still far from the 998 octets of a line (RFC 5322, 2.1.1).
const LONGEST_ID: usize = 300;
/// Octets of the digest in the boundary.
const BOUNDARY: usize = 16;
/// Characters of somebody's words in one line.
const LONGEST_LINE: usize = 300;
/// People look into the report for more.
const FAILURES: usize = 20;

#[cfg(test)]
pub(super) mod tests;
