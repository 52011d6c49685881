//! The same message, delivered with the filter and without it.

/// A header field of a message as it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// The whole of it, with its continuations and line ends.
    pub(super) octets: &'a [u8],
    /// What stands before the colon, without blanks behind it; empty where there is no colon.
    pub(super) name: &'a [u8],
}

impl<'a> Field<'a> {
    /// Whether it has this name, in either case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// What stands behind the colon, without blanks around it.
    pub(super) fn value(&self) -> &'a [u8] {
        let colon = self.octets.iter().position(|octet| *octet == b':');
        colon.map_or(&[][..], |at| self.octets[at + 1..].trim_ascii())
    }
}

/// The header's fields, and the rest with the empty line before it.
pub(super) fn split(octets: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let (mut fields, mut rest) = (Vec::new(), octets);
    while !rest.is_empty() && !rest.starts_with(b"\r\n") {
        let mut end = line_end(rest);
        // RFC 5322, 2.2.3: a line that begins with a blank goes on with the field.
        while matches!(rest.get(end), Some(b' ' | b'\t')) {
            end += line_end(&rest[end..]);
        }
        let (field, behind) = rest.split_at(end);
        let colon = field.iter().position(|octet| *octet == b':');
        fields.push(Field {
            octets: field,
            name: colon.map_or(&[][..], |at| field[..at].trim_ascii_end()),
        });
        rest = behind;
    }
    (fields, rest)
}

/// Equal but for one field `name: …` in `with`, and for what differs each time. Otherwise the words that
/// say where they differ.
///
/// Left out of both are: what was in front of the rest of the way, `Received`; the fields that a server
/// adds with the time, where `sent` has no such value; and fields of that very name that the client had
/// put there, which the filter takes away.
pub(super) fn differ(sent: &[u8], name: &str, with: &[u8], without: &[u8]) -> Result<(), String> {
    let (fields, rest) = split(with);
    let (other_fields, other_rest) = split(without);
    let own = fields.iter().filter(|field| field.is(name)).count();
    if own != 1 {
        return Err(format!("{own} fields {name}"));
    }
    let (fields, other_fields) = (
        lasting(sent, name, &fields),
        lasting(sent, name, &other_fields),
    );
    let mut pairs = fields.iter().zip(&other_fields);
    if let Some((field, other)) = pairs.find(|(field, other)| field != other) {
        return Err(format!("{} in place of {}", shown(field), shown(other)));
    }
    if fields.len() != other_fields.len() {
        return Err(format!(
            "{} fields in place of {}",
            fields.len(),
            other_fields.len()
        ));
    }
    if rest != other_rest {
        let same = rest
            .iter()
            .zip(other_rest)
            .take_while(|(a, b)| a == b)
            .count();
        return Err(format!(
            "from octet {same} of the body {} in place of {}",
            shown(&rest[same..]),
            shown(&other_rest[same..])
        ));
    }
    Ok(())
}

/// What must be the same each time.
fn lasting<'a>(sent: &[u8], name: &str, fields: &[Field<'a>]) -> Vec<&'a [u8]> {
    let is_new = |value: &[u8]| {
        let mut windows = sent.windows(value.len().max(1));
        !windows.any(|window| window == value)
    };
    let lasts = |(at, field): &(usize, &Field<'a>)| {
        let is_of_the_way = *at == 0 && field.is("Received");
        let has_time = TIMED.iter().any(|timed| field.is(timed)) && is_new(field.value());
        !(is_of_the_way || has_time)
    };
    let others = fields.iter().filter(|field| !field.is(name)).enumerate();
    others
        .filter(lasts)
        .map(|(_, field)| field.octets)
        .collect()
}

/// What servers add where it is missing.
const TIMED: [&str; 4] = ["Message-Id", "Date", "Resent-Message-Id", "Resent-Date"];

fn line_end(octets: &[u8]) -> usize {
    let end = octets.windows(2).position(|window| window == b"\r\n");
    end.map_or(octets.len(), |at| at + 2)
}

/// Some of it, to be read by people.
pub(super) fn shown(octets: &[u8]) -> String {
    let end = octets.len().min(120);
    format!(
        "{:?} ({} octets)",
        octets[..end].escape_ascii().to_string(),
        octets.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "X-Own";

    /// What differs between these, beside one sent message.
    fn found(sent: &str, with: &str, without: &str) -> String {
        let ends = |text: &str| text.replace('\n', "\r\n").into_bytes();
        let result = differ(&ends(sent), NAME, &ends(with), &ends(without));
        result.err().unwrap_or_default()
    }

    #[test]
    fn fields_are_taken_apart() {
        let text = b"A: b\r\n c\r\n\td\r\nE :f\r\nno\r\n:\r\n\r\nbody: x\r\n\r\n";
        let (fields, rest) = split(text);
        let fields: Vec<_> = fields.iter().map(|own| (own.name, own.octets)).collect();
        let expected: [(&[u8], &[u8]); 4] = [
            (b"A", b"A: b\r\n c\r\n\td\r\n"),
            (b"E", b"E :f\r\n"),
            (b"", b"no\r\n"),
            (b"", b":\r\n"),
        ];
        assert_eq!(fields, expected);
        assert_eq!(rest, b"\r\nbody: x\r\n\r\n");
        assert_eq!(split(b"").0, []);
        assert_eq!(split(b"A: b").0[0].value(), b"b");
    }

    #[test]
    fn what_differs_each_time_is_left_out() {
        let sent = "Subject: s\n\nbody\n";
        let with = "X-Own: y\nReceived: 1\nSubject: s\nMessage-Id: <1>\nDate: 1\n\nbody\n";
        let without = "Received: 2\nSubject: s\nDate: 2\nMessage-Id: <2>\n\nbody\n";
        assert_eq!(found(sent, with, without), "");
        // What the client put there must be there.
        let sent = "Date: 1\n\n";
        let with = "Received: 1\nDate: 2\nX-Own: y\n\n";
        assert_ne!(found(sent, with, "Received: 2\nDate: 1\n\n"), "");
        // Received of others, too.
        let with = "Received: 1\nReceived: 3\nX-Own: y\n\n";
        assert_ne!(found("", with, "Received: 1\nReceived: 2\n\n"), "");
    }

    #[test]
    fn each_change_is_found() {
        let without = "Received: r\nA: b\n c\nB: d\n\nbody\n\nend\n";
        let whole = "Received: r\nA: b\n c\nB: d\nX-Own: y\n\nbody\n\nend\n";
        assert_eq!(found("", whole, without), "");
        for (old, new) in [
            ("X-Own: y\n", ""),
            ("X-Own: y\n", "X-Own: y\nx-own: z\n"),
            ("B: d\n", ""),
            ("B: d\n", "B:d\n"),
            ("B: d\n", "B: d \n"),
            ("B: d\n", "b: d\n"),
            ("\n c\n", " c\n"),
            ("B: d\n", "B: d\nB: d\n"),
            ("body\n", "Body\n"),
            ("\n\nend", "\nend"),
            ("end\n", "end\n\n"),
            ("end\n", ""),
            ("X-Own: y\n\n", "\nX-Own: y\n"),
        ] {
            let with = whole.replacen(old, new, 1);
            assert_ne!(found("", &with, without), "", "{old:?} {new:?}");
        }
    }

    #[test]
    fn forged_fields_are_taken_away() {
        let without =
            "Received: r\nx-own: forged\n all of it\nA: b\nX-Own : too\n\nX-Own: in the body\n";
        let with = "Received: r\nA: b\nX-Own: y\n\nX-Own: in the body\n";
        assert_eq!(found("", with, without), "");
    }
}
