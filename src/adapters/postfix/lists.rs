//! Lists as Postfix splits them: at blanks and commas, but not within braces.

/// The words of a list; a table with braces, such as `inline:{ a = b }`, is one of them.
pub fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    list.split(move |letter: char| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (letter == ',' || letter.is_ascii_whitespace())
    })
    .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_hold_words_together() {
        for (list, expected) in [
            ("", &[] as &[&str]),
            (" a,b  c\t,d ", &["a", "b", "c", "d"]),
            (
                "inline:{ a=b, {c = d e} }, socketmap:inet:localhost:8425:postfix",
                &[
                    "inline:{ a=b, {c = d e} }",
                    "socketmap:inet:localhost:8425:postfix",
                ],
            ),
            ("unionmap:{a,b}x c", &["unionmap:{a,b}x", "c"]),
            ("a} b", &["a}", "b"]),
            ("{a b", &["{a b"]),
        ] {
            assert_eq!(words(list).collect::<Vec<_>>(), expected, "{list}");
        }
    }
}
