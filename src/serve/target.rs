//! Targets of requests to the HTTP interface, for whoever writes one: the page and the commands.

/// A value for the query part of a target (RFC 3986, 2.1 and 2.3).
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_inside_their_parameter() {
        for (text, expected) in [
            ("mx1.e-x_a~m.test", "mx1.e-x_a~m.test"),
            ("[mx.e.test]:587", "%5Bmx.e.test%5D%3A587"),
            ("a&b=\"<\u{e9}", "a%26b%3D%22%3C%C3%A9"),
        ] {
            assert_eq!(percent_encoded(text), expected);
        }
    }
}
