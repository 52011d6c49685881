//! Addresses of an envelope: the reverse-path and the forward-path of RFC 5321, 4.1.2.
//!
//! Two forms are read. The *external* one stands in SMTP commands and in what a milter is sent: angle
//! brackets, quoted local parts, source routes. The *internal* one has none of them: Postfix hands it
//! to a policy server, where `"a b"@good.test` is `a b@good.test`. Kept as written: the case of both
//! parts, and a domain in U-labels. Not done here: IDNA, and whether such a domain can exist.

use std::fmt;
use std::str::from_utf8;

use nom::branch::alt;
use nom::bytes::complete::{take_till1, take_while1};
use nom::character::complete::{anychar, char};
use nom::combinator::{all_consuming, map, opt, rest, verify};
use nom::multi::{fold_many0, fold_many1, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser as _};
use thiserror::Error;

/// Where a message comes from or goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// `<>`, the reverse-path of notifications (RFC 5321, 4.5.5).
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
}

/// A local part at a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The local part, without quotes and backslashes.
    pub local_part: String,
    /// Nothing where the mailbox is one of the server itself, as `<Postmaster>` is
    /// (RFC 5321, 4.5.1).
    pub domain: Option<Domain>,
}

/// What stands behind the `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A name, without the dot at its end, which mail servers drop before they look it up.
    Name(String),
    /// An address literal without its brackets: `192.0.2.1`, `IPv6:2001:db8::1`
    /// (RFC 5321, 4.1.3).
    Literal(String),
}

/// Why bytes are no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPath {
    /// A control character: no mail server looks up such a domain.
    #[error("the address has a control character")]
    Control,
    /// The domain is empty, too long, or has what can be part of none.
    #[error("the address has no domain behind its @")]
    Domain,
    /// The bytes are not UTF-8, in which addresses beyond ASCII are written (RFC 6531, 3.3).
    #[error("the address is not UTF-8")]
    NotUtf8,
    /// Brackets, quotes or separators out of place.
    #[error("the address is no path of RFC 5321")]
    Syntax,
    /// More bytes than [`PATH_LIMIT`].
    #[error("the address is longer than {PATH_LIMIT} bytes")]
    TooLong,
}

impl Path {
    /// Reads the external form, with or without angle brackets, which Sendmail lets clients leave out.
    ///
    /// ```
    /// use hoplock_wire::mailbox::Path;
    ///
    /// let path = Path::parse(br#"<@relay.test:"a b"@Good.test.>"#)?;
    /// assert_eq!(path.domain().map(ToString::to_string).as_deref(), Some("Good.test"));
    /// assert_eq!(Path::parse(b"<>")?, Path::Null);
    /// # Ok::<(), hoplock_wire::mailbox::BadPath>(())
    /// ```
    ///
    /// # Errors
    /// [`BadPath`], on which no domain is known to ask for.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadPath> {
        let text = text(bytes)?.trim_matches(' ');
        let inner = match text.strip_prefix('<') {
            Some(behind) => behind.strip_suffix('>').ok_or(BadPath::Syntax)?,
            None => text,
        };
        if inner.is_empty() {
            return Ok(Self::Null);
        }
        let parsed: IResult<&str, (String, Option<&str>)> =
            all_consuming((preceded(opt(source_route), local_part), domain_text)).parse(inner);
        let (_, (local_part, domain)) = parsed.map_err(|_| BadPath::Syntax)?;
        Self::mailbox(local_part, domain)
    }

    /// Reads the internal form. The domain is behind the last `@`; what stands before it is the local
    /// part, whatever it holds.
    ///
    /// ```
    /// use hoplock_wire::mailbox::Path;
    ///
    /// let path = Path::from_internal(b"a@b@good.test")?;
    /// assert_eq!(path.domain().map(ToString::to_string).as_deref(), Some("good.test"));
    /// assert_eq!(Path::from_internal(b"")?, Path::Null);
    /// # Ok::<(), hoplock_wire::mailbox::BadPath>(())
    /// ```
    ///
    /// # Errors
    /// [`BadPath`], on which no domain is known to ask for.
    pub fn from_internal(bytes: &[u8]) -> Result<Self, BadPath> {
        let text = text(bytes)?;
        if text.is_empty() || text == "<>" {
            return Ok(Self::Null);
        }
        match text.rsplit_once('@') {
            Some((local_part, domain)) => Self::mailbox(local_part.to_owned(), Some(domain)),
            None => Self::mailbox(text.to_owned(), None),
        }
    }

    /// The domain, if there is one.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => mailbox.domain.as_ref(),
        }
    }

    fn mailbox(local_part: String, domain: Option<&str>) -> Result<Self, BadPath> {
        let domain = domain.map(Domain::parse).transpose()?;
        Ok(Self::Mailbox(Mailbox { local_part, domain }))
    }
}

impl Domain {
    fn parse(text: &str) -> Result<Self, BadPath> {
        let literal: IResult<&str, &str> = all_consuming(delimited(
            char('['),
            take_till1(|c| matches!(c, '[' | ']' | '\\' | ' ')),
            char(']'),
        ))
        .parse(text);
        if let Ok((_, literal)) = literal {
            return Ok(Self::Literal(literal.to_owned()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_name: IResult<&str, &str> =
            all_consuming(take_while1(can_stand_in_name)).parse(name);
        // RFC 5321, 4.5.3.1.2: a domain has at most 255 octets.
        if is_name.is_err() || name.len() > DOMAIN_LIMIT || name.starts_with('.') {
            return Err(BadPath::Domain);
        }
        Ok(Self::Name(name.to_owned()))
    }
}

/// The domain as a next hop: literals in their brackets.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Literal(literal) => write!(f, "[{literal}]"),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, BadPath> {
    if bytes.len() > PATH_LIMIT {
        return Err(BadPath::TooLong);
    }
    let text = from_utf8(bytes).map_err(|_| BadPath::NotUtf8)?;
    if text.contains(char::is_control) {
        return Err(BadPath::Control);
    }
    Ok(text)
}

/// RFC 5321, 4.1.1.3: `@a.test,@b.test:` is read and left out.
fn source_route(input: &str) -> IResult<&str, ()> {
    let hop = preceded(char('@'), take_till1(|c| matches!(c, ',' | ':' | '@')));
    let hops = separated_list1(char(','), hop);
    map(terminated(hops, char(':')), |_| ()).parse(input)
}

/// Atoms, dots, quoted strings and quoted pairs in any order: more than RFC 5321 allows, all of it
/// unambiguous.
fn local_part(input: &str) -> IResult<&str, String> {
    let plain = take_while1(|c: char| !matches!(c, ' ' | '"' | '\\' | '@' | '<' | '>'));
    let words = alt((
        map(plain, str::to_owned),
        map(quoted_pair, String::from),
        quoted_string,
    ));
    fold_many1(words, String::new, |all, word| all + &word).parse(input)
}

fn quoted_string(input: &str) -> IResult<&str, String> {
    let plain = verify(anychar, |c| !matches!(c, '"' | '\\'));
    let inside = fold_many0(alt((quoted_pair, plain)), String::new, |mut all, c| {
        all.push(c);
        all
    });
    delimited(char('"'), inside, char('"')).parse(input)
}

/// RFC 5321, 4.1.2: a backslash takes the meaning from the character behind it.
fn quoted_pair(input: &str) -> IResult<&str, char> {
    preceded(char('\\'), anychar).parse(input)
}

fn domain_text(input: &str) -> IResult<&str, Option<&str>> {
    opt(preceded(char('@'), rest)).parse(input)
}

/// Whether a name may hold it: all but what separates addresses from each other and from comments.
fn can_stand_in_name(c: char) -> bool {
    let separates = |c| {
        matches!(
            c,
            ' ' | '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '@' | '[' | '\\' | ']'
        )
    };
    !separates(c) && !c.is_control()
}

/// The longest path that is read, in bytes. RFC 5321, 4.5.3.1.3 has 256; Postfix takes lines of 2048
/// bytes (`line_length_limit`) and does not look at the length of what stands in them.
pub const PATH_LIMIT: usize = 2048;
const DOMAIN_LIMIT: usize = 255;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn show(path: Result<Path, BadPath>) -> Result<(String, String), BadPath> {
        Ok(match path? {
            Path::Null => ("null".to_owned(), String::new()),
            Path::Mailbox(Mailbox { local_part, domain }) => {
                let domain = domain.map_or("none".to_owned(), |domain| domain.to_string());
                (local_part, domain)
            }
        })
    }

    /// RFC 5321, 4.1.2: paths as they stand in commands.
    #[test]
    fn external_paths() {
        for (text, local_part, domain) in [
            ("<r@good.test>", "r", "good.test"),
            ("r@odd.test", "r", "odd.test"),
            ("  <r@good.test> ", "r", "good.test"),
            ("<>", "null", ""),
            ("", "null", ""),
            ("<postmaster>", "postmaster", "none"),
            ("<R@GOOD.Test>", "R", "GOOD.Test"),
            ("<r@good.test.>", "r", "good.test"),
            (r#"<"a b"@good.test>"#, "a b", "good.test"),
            (r#"<"a@b"@good.test>"#, "a@b", "good.test"),
            (r#"<"a\"\\>b"@good.test>"#, r#"a"\>b"#, "good.test"),
            (r#"<a."b c".d@good.test>"#, "a.b c.d", "good.test"),
            (r"<a\@b@good.test>", "a@b", "good.test"),
            (r#"<""@good.test>"#, "", "good.test"),
            (r#"<"a@b">"#, "a@b", "none"),
            ("<a%b@good.test>", "a%b", "good.test"),
            ("<a!b@good.test>", "a!b", "good.test"),
            ("<@x.test,@y.test:r@good.test>", "r", "good.test"),
            ("<@[192.0.2.9],@y.test:r@good.test>", "r", "good.test"),
            (
                "<@x.test:\"@y.test:a\"@good.test>",
                "@y.test:a",
                "good.test",
            ),
            ("<r@[192.0.2.1]>", "r", "[192.0.2.1]"),
            ("<r@[IPv6:2001:db8::1]>", "r", "[IPv6:2001:db8::1]"),
            ("<ü@bücher.test>", "ü", "bücher.test"),
            ("<r@xn--bcher-kva.test>", "r", "xn--bcher-kva.test"),
            ("<r@_under.test>", "r", "_under.test"),
        ] {
            let expected = Ok((local_part.to_owned(), domain.to_owned()));
            assert_eq!(show(Path::parse(text.as_bytes())), expected, "{text}");
        }
        let long = [b"<r@".as_slice(), &[b'a'; 256], b".test>"].concat();
        let longest = [b"<".as_slice(), &[b'a'; PATH_LIMIT], b">"].concat();
        for (bytes, why) in [
            (&b"<r@good.test"[..], BadPath::Syntax),
            (b"<<r@good.test>>", BadPath::Syntax),
            (b"<r@good.test> x", BadPath::Syntax),
            (b"<a@b@good.test>", BadPath::Domain),
            (b"<@good.test>", BadPath::Syntax),
            (b"<@x.test:>", BadPath::Syntax),
            (b"<\"a@good.test>", BadPath::Syntax),
            (b"<a b@good.test>", BadPath::Syntax),
            (b"<r@>", BadPath::Domain),
            (b"<r@.>", BadPath::Domain),
            (b"<r@.test>", BadPath::Domain),
            (b"<r@good.test,other.test>", BadPath::Domain),
            (b"<r@[192.0.2.1>", BadPath::Domain),
            (b"<r@[]>", BadPath::Domain),
            (b"<r@[a]b>", BadPath::Domain),
            (b"<r@a b>", BadPath::Domain),
            (b"<r@\xff.test>", BadPath::NotUtf8),
            (b"<r@good\0.test>", BadPath::Control),
            (b"<r@good.test>\n", BadPath::Control),
            (&long, BadPath::Domain),
            (&longest, BadPath::TooLong),
        ] {
            assert_eq!(Path::parse(bytes), Err(why), "{bytes:?}");
        }
    }

    /// Postfix's form: the last `@` counts and nothing is quoted.
    #[test]
    fn internal_paths() {
        for (text, local_part, domain) in [
            ("r@good.test", "r", "good.test"),
            ("a b@good.test", "a b", "good.test"),
            ("a@b@good.test", "a@b", "good.test"),
            ("\"x@good.test", "\"x", "good.test"),
            ("<a>@good.test", "<a>", "good.test"),
            ("", "null", ""),
            ("<>", "null", ""),
            ("postmaster", "postmaster", "none"),
            ("r@good.test.", "r", "good.test"),
            ("r@[192.0.2.1]", "r", "[192.0.2.1]"),
            ("@good.test", "", "good.test"),
        ] {
            let expected = Ok((local_part.to_owned(), domain.to_owned()));
            assert_eq!(
                show(Path::from_internal(text.as_bytes())),
                expected,
                "{text}"
            );
        }
        for (bytes, why) in [
            (&b"r@"[..], BadPath::Domain),
            (b"r@a b", BadPath::Domain),
            (b"r@good.test\n", BadPath::Control),
            (b"\xff@good.test", BadPath::NotUtf8),
        ] {
            assert_eq!(Path::from_internal(bytes), Err(why), "{bytes:?}");
        }
    }

    proptest! {
        /// Whatever the local part holds, quoting brings it through, and it never becomes a domain.
        #[test]
        fn quoting_undoes_itself(local_part in "[^\\x00-\\x1f\\x7f-\\x9f]{0,40}") {
            let quoted = local_part.replace('\\', r"\\").replace('"', "\\\"");
            let external = Path::parse(format!("<\"{quoted}\"@good.test>").as_bytes()).unwrap();
            let internal = Path::from_internal(format!("{local_part}@good.test").as_bytes()).unwrap();
            let expected = Path::Mailbox(Mailbox {
                local_part,
                domain: Some(Domain::Name("good.test".to_owned())),
            });
            prop_assert_eq!(&external, &expected);
            prop_assert_eq!(&internal, &expected);
        }

        /// Any bytes: no panic, and what is read as a name is safe to hand on.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for path in [Path::parse(&bytes), Path::from_internal(&bytes)].into_iter().flatten() {
                if let Some(Domain::Name(name)) = path.domain() {
                    assert!(!name.is_empty() && name.chars().all(can_stand_in_name));
                }
            }
        }
    }
}
