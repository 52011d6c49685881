//! Exim's main log: `TIME ID => ADDRESS R=… T=… H=…`, and `->`, `==`, `**`, `*>`, `>>` likewise
//! (Exim specification, chapter "Log files").

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while_m_n};
use nom::character::complete::{char, digit1, one_of, space1};
use nom::combinator::{opt, recognize, verify};
use nom::multi::many1_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::Delivery;
use crate::postfix_log::head;

pub(super) fn delivered(line: &str) -> Option<Delivery<'_>> {
    // By syslog, Exim's own line stands behind the head.
    let own = head(line).map_or(line, |(message, _)| message);
    let (fields, (queue_id, flag, address)) = delivery(own).ok()?;
    let is_remote = match flag {
        // Whoever was reached by an address has one here.
        "=>" | "->" | "*>" | ">>" => fields.contains(" H="),
        // Nobody may have been reached: the transport tells, by its usual name.
        _ => fields.contains(" H=") || fields.contains(" T=remote_smtp"),
    };
    is_remote.then(|| Delivery {
        queue_id,
        recipients: vec![address],
    })
}

/// True where a line begins as Exim's do.
pub(super) fn has_time(line: &str) -> bool {
    time(line).is_ok()
}

fn delivery(input: &str) -> IResult<&str, (&str, &str, &str)> {
    let (rest, _) = terminated(time, space1).parse(input)?;
    // log_selector = +pid
    let (rest, _) = opt(delimited(char('['), digit1, tag("] "))).parse(rest)?;
    let (rest, id) = terminated(message_id, space1).parse(rest)?;
    let (rest, flag) = terminated(flag, space1).parse(rest)?;
    let (rest, address) = address(rest)?;
    Ok((rest, (id, flag, address)))
}

/// `2026-11-26 10:00:00`, with parts of a second and a zone where the log has them.
fn time(input: &str) -> IResult<&str, &str> {
    let digits = |count| take_while_m_n(count, count, |c: char| c.is_ascii_digit());
    let date = (digits(4), char('-'), digits(2), char('-'), digits(2));
    let clock = (digits(2), char(':'), digits(2), char(':'), digits(2));
    let fraction = opt((char('.'), digit1));
    let zone = opt((space1, one_of("+-"), digits(4)));
    recognize((date, char(' '), clock, fraction, zone)).parse(input)
}

/// `1vNaBc-000123-Ab`, from Exim 4.97 on `1vNaBc-00000000123-0aBc`.
fn message_id(input: &str) -> IResult<&str, &str> {
    let part = |least, most| take_while_m_n(least, most, |c: char| c.is_ascii_alphanumeric());
    recognize((part(6, 6), char('-'), part(6, 11), char('-'), part(2, 4))).parse(input)
}

fn flag(input: &str) -> IResult<&str, &str> {
    let flags = alt((tag("=>"), tag("->"), tag("=="), tag("**"), tag("*>")));
    alt((flags, tag(">>"))).parse(input)
}

/// An address with an `@`; blanks stand in quotes only.
fn address(input: &str) -> IResult<&str, &str> {
    let quoted = recognize((char('"'), take_till(|c: char| c == '"'), char('"')));
    let plain = verify(
        take_while(|c: char| !c.is_whitespace() && c != '"'),
        |text: &str| !text.is_empty(),
    );
    let whole = recognize(many1_count(alt((quoted, plain))));
    let (rest, address) = verify(whole, |text: &str| text.contains('@')).parse(input)?;
    // What was given first stands in angle brackets behind it.
    let (rest, _) = opt(preceded(tag(" <"), take_till(|c: char| c == '>'))).parse(rest)?;
    Ok((rest, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rest: &str) -> String {
        format!("2026-11-26 10:00:00 1vNaBc-000123-Ab {rest}")
    }

    #[test]
    fn lines() {
        for (rest, address) in [
            (
                "=> u@a.test R=dnslookup T=remote_smtp H=mx [192.0.2.1]",
                "u@a.test",
            ),
            (
                "-> \"a b\"@a.test R=x T=y H=mx [192.0.2.1]",
                "\"a b\"@a.test",
            ),
            (
                "== u@a.test R=dnslookup T=remote_smtp defer (-53): x",
                "u@a.test",
            ),
            (
                "** u@a.test <v@b.test> R=r T=remote_smtp_smarthost: x",
                "u@a.test",
            ),
        ] {
            let line = line(rest);
            assert_eq!(delivered(&line).unwrap().recipients, [address], "{line}");
        }
        for rest in [
            "=> user <user@a.test> R=local_user T=mail_spool",
            "=> u@a.test R=local T=maildir_home",
            "== u@a.test R=local T=maildir_home defer (0): x",
            "Completed",
        ] {
            assert_eq!(delivered(&line(rest)), None, "{rest}");
        }
    }

    /// Heads of syslog, of `+millisec`, of `+pid` and of `log_timezone`.
    #[test]
    fn heads() {
        let rest = "1vNaBc-00000000123-0aBc => u@a.test R=r T=t H=mx [192.0.2.1]";
        for head in [
            "2026-11-26 10:00:00",
            "2026-11-26 10:00:00.123 +0100",
            "2026-11-26 10:00:00 [77]",
            "Nov 26 10:00:00 out exim[77]: 2026-11-26 10:00:00",
        ] {
            assert!(delivered(&format!("{head} {rest}")).is_some(), "{head}");
        }
    }
}
