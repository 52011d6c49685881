//! Sendmail's line of each delivery: `QUEUEID: to=…, delay=…, mailer=…, relay=…, stat=…`.

use nom::bytes::complete::{tag, take_till1, take_while1};
use nom::character::complete::char;
use nom::combinator::opt;
use nom::multi::separated_list1;
use nom::sequence::{delimited, terminated};
use nom::{IResult, Parser};

use super::Delivery;
use crate::postfix_log::head;

pub(super) fn delivered(line: &str) -> Option<Delivery<'_>> {
    if !line.contains(": to=") {
        return None;
    }
    let (message, source) = head(line).ok()?;
    if !is_sendmail(source.process) {
        return None;
    }
    let (fields, (queue_id, recipients)) = message_and_recipients(message).ok()?;
    // The server's words stand last, behind `stat=`: nothing of them is taken for a field.
    let own = fields.split(", stat=").next()?;
    let mailer = own
        .split(", ")
        .find_map(|field| field.strip_prefix("mailer="))?;
    REMOTE.contains(&mailer).then_some(Delivery {
        queue_id,
        recipients,
    })
}

/// `sendmail`, `sm-mta`, `sm-msp-queue`, as distributions name it (`-L`).
fn is_sendmail(process: &str) -> bool {
    process.starts_with("sendmail") || process.starts_with("sm-")
}

fn message_and_recipients(input: &str) -> IResult<&str, (&str, Vec<&str>)> {
    let id = take_while1(|c: char| c.is_ascii_alphanumeric());
    let (rest, id) = terminated(id, tag(": to=")).parse(input)?;
    let (rest, recipients) = separated_list1(char(','), recipient).parse(rest)?;
    let (rest, _) = opt(char(',')).parse(rest)?;
    Ok((rest, (id, recipients)))
}

/// `<user@example.com>`, or without brackets as the user wrote it.
fn recipient(input: &str) -> IResult<&str, &str> {
    let bracketed = delimited(char('<'), take_till1(|c: char| c == '>'), char('>'));
    let bare = take_till1(|c: char| c == ',' || c == '<' || c.is_whitespace());
    nom::branch::alt((bracketed, bare)).parse(input)
}

/// Mailers that speak SMTP over TCP (cf/README, MAILERS).
const REMOTE: &[&str] = &["esmtp", "smtp", "smtp8", "dsmtp", "relay"];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &str) -> String {
        format!("2026-11-26T10:00:01+00:00 out sendmail[7]: 4AQA01x: to={fields}")
    }

    #[test]
    fn lines() {
        let sent = "delay=00:00:01, xdelay=00:00:00, mailer=esmtp, pri=30, relay=x, stat=Sent";
        for (fields, recipients) in [
            (format!("<u@a.test>, {sent}"), vec!["u@a.test"]),
            (
                format!("u@a.test,<v@b.test>, {sent}"),
                vec!["u@a.test", "v@b.test"],
            ),
            (
                "<u@a.test>, delay=1, mailer=relay, stat=Deferred: x".to_owned(),
                vec!["u@a.test"],
            ),
        ] {
            let line = line(&fields);
            assert_eq!(delivered(&line).unwrap().recipients, recipients, "{line}");
        }
        for fields in [
            "root, delay=1, mailer=local, stat=Sent",
            "<u@a.test>, delay=1, stat=he said, mailer=esmtp",
            "<>, delay=1, mailer=esmtp, stat=Sent",
            "",
        ] {
            assert_eq!(delivered(&line(fields)), None, "{fields}");
        }
    }
}
