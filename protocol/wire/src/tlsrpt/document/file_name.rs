//! The names that a report travels under (RFC 8460, 5.1 and 5.3). They stand in header fields and become
//! files of other people: whatever has no place there is left out.

/// The name of the attachment: `sender!domain!begin!end!id.json.gz` (RFC 8460, 5.1). The sender is the
/// domain of the contact address, both domains are A-labels, times are seconds since 1970; of the id the
/// letters and digits are taken, and none is written where there are none.
///
/// ```
/// use hoplock_wire::tlsrpt::file_name;
///
/// assert_eq!(
///     file_name("mail.sender.test", "good.test", 1795651200, 1795737599, "a-1@x", true),
///     "mail.sender.test!good.test!1795651200!1795737599!a1x.json.gz",
/// );
/// ```
#[must_use]
pub fn file_name(
    sender_domain: &str,
    policy_domain: &str,
    begin_secs: u64,
    end_secs: u64,
    unique_id: &str,
    gzip: bool,
) -> String {
    let (sender, domain) = (name(sender_domain), name(policy_domain));
    // RFC 8460, 5.1: unique-id = 1*(ALPHA / DIGIT).
    let id: String = kept(unique_id, |c| c.is_ascii_alphanumeric());
    let id = if id.is_empty() { id } else { format!("!{id}") };
    let extension = if gzip { "json.gz" } else { "json" };
    format!("{sender}!{domain}!{begin_secs}!{end_secs}{id}.{extension}")
}

/// The subject of the mail: `Report Domain: good.test Submitter: mail.sender.test Report-ID: <1@sender>`
/// (RFC 8460, 5.3). The id has the form of a Message-ID, without the angle brackets.
///
/// ```
/// use hoplock_wire::tlsrpt::subject;
///
/// assert_eq!(
///     subject("good.test", "mail.sender.test", "735ff.e317+bf@sender.test"),
///     "Report Domain: good.test Submitter: mail.sender.test Report-ID: <735ff.e317+bf@sender.test>",
/// );
/// ```
#[must_use]
pub fn subject(policy_domain: &str, submitter: &str, report_id: &str) -> String {
    let (domain, submitter) = (name(policy_domain), name(submitter));
    let id = kept(report_id, |c| {
        c.is_ascii_graphic() && !matches!(c, '<' | '>')
    });
    format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}>")
}

fn name(text: &str) -> String {
    kept(text, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
    })
}

fn kept(text: &str, has_place: fn(char) -> bool) -> String {
    text.chars().filter(|c| has_place(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RP-11: the name that RFC 8460, 5.1 prescribes, with an id and without, packed and plain.
    #[test]
    fn file_names() {
        let name = |id, gzip| file_name("mail.s.test", "a.test", 1, 2, id, gzip);
        assert_eq!(name("001", true), "mail.s.test!a.test!1!2!001.json.gz");
        assert_eq!(name("", true), "mail.s.test!a.test!1!2.json.gz");
        assert_eq!(name("@-", false), "mail.s.test!a.test!1!2.json");
        assert_eq!(
            name("a!b/..\"\r\n", false),
            "mail.s.test!a.test!1!2!ab.json"
        );
        assert_eq!(
            file_name("../s\r\n", "a!b\"/", 1, 2, "x", false),
            "..s!ab!1!2!x.json"
        );
    }

    /// RP-11: the subject, in which nothing can begin another header field.
    #[test]
    fn subjects() {
        assert_eq!(
            subject("a.test", "s.test", "1.x@s.test"),
            "Report Domain: a.test Submitter: s.test Report-ID: <1.x@s.test>"
        );
        assert_eq!(
            subject("a.test\r\nBcc: x", "s test", "<1>\n@s.test>"),
            "Report Domain: a.testBccx Submitter: stest Report-ID: <1@s.test>"
        );
    }
}
