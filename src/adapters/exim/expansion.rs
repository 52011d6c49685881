//! Where an expansion string asks a socket, and what it does with the answer. Nothing is expanded here.

/// One `${readsocket{PLACE}{REQUEST}{OPTIONS}{END}{FAILURE}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The socket, as Exim writes it: a path, or `inet:HOST:PORT`.
    pub place: &'a str,
    /// What is sent.
    pub request: &'a str,
    /// What stands for an answer where there is none; without it the whole expansion fails.
    pub failure: Option<&'a str>,
    /// What stands beside the call in `${if eq{CALL}{…}`, `${if match{CALL}{…}` or `${sg{CALL}{…}`:
    /// the texts before and after it.
    pub beside: Vec<&'a str>,
}

impl<'a> Call<'a> {
    /// All calls of a string, those within others too.
    #[must_use]
    pub fn all(text: &'a str) -> Vec<Self> {
        let mut calls = Vec::new();
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| rest.find(CALL)) {
            let start = from + found;
            from = start + CALL.len();
            if let Some(call) = Self::at(text, start) {
                calls.push(call);
            }
        }
        calls
    }

    fn at(text: &'a str, start: usize) -> Option<Self> {
        let mut end = start + CALL.len();
        let mut parts = Vec::new();
        while let Some((part, after)) = braced(text, end) {
            parts.push(part);
            end = after;
        }
        let mut parts = parts.into_iter();
        let (place, request) = (parts.next()?, parts.next()?);
        let failure = parts.nth(2);
        // The brace that ends the call itself.
        let end = text.get(end..)?.find('}').map(|found| end + found + 1)?;
        Some(Self {
            place,
            request,
            failure,
            beside: beside(text, start, end),
        })
    }

    /// The verb of hoplock's language that is asked, if it is one.
    #[must_use]
    pub fn verb(&self) -> Option<&'a str> {
        let mut words = self.request.split_ascii_whitespace();
        (words.next() == Some("hoplock1"))
            .then(|| words.next())
            .flatten()
            .map(|verb| verb.trim_end_matches("\\n"))
    }
}

/// The texts in braces beside the argument that holds what stands from `start` to `end`.
fn beside(text: &str, start: usize, end: usize) -> Vec<&str> {
    let mut found = Vec::new();
    // Each open brace, and the argument that ended last behind it.
    let mut open: Vec<(usize, Option<(usize, usize)>)> = vec![(0, None)];
    for (at, is_opening) in braces(text).take_while(|(at, _)| *at < start) {
        if is_opening {
            open.push((at, None));
        } else {
            let began = open.pop().map_or(0, |(began, _)| began);
            if let Some(outer) = open.last_mut() {
                outer.1 = Some((began, at));
            }
        }
    }
    // The call's own brace is `start + 1`, and so not among them.
    if let (Some((own, _)), Some((_, Some((began, ended))))) = (open.pop(), open.last().copied()) {
        let between = text.get(ended + 1..own).unwrap_or("x");
        if between.trim().is_empty() {
            found.extend(text.get(began + 1..ended));
        }
    }
    let mut depth = 0_usize;
    for (at, is_opening) in braces(text).skip_while(|(at, _)| *at < end) {
        match (is_opening, depth) {
            (true, _) => depth += 1,
            (false, 0) => {
                found.extend(braced(text, at + 1).map(|(inside, _)| inside));
                break;
            }
            (false, _) => depth -= 1,
        }
    }
    found
}

/// What stands in braces from `from` on, after blanks, and where it has ended.
fn braced(text: &str, from: usize) -> Option<(&str, usize)> {
    let rest = text.get(from..)?;
    let start = from + rest.len() - rest.trim_start().len();
    if !text.get(start..)?.starts_with('{') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, is_opening) in braces(text).skip_while(|(at, _)| *at < start) {
        if is_opening {
            depth += 1;
        } else {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some((text.get(start + 1..at)?, at + 1));
            }
        }
    }
    None
}

/// The braces that count, with their places: not those behind a backslash or between `\N` and `\N`.
fn braces(text: &str) -> impl Iterator<Item = (usize, bool)> {
    let mut literal = false;
    let mut hidden = false;
    text.char_indices().filter_map(move |(at, letter)| {
        if hidden {
            hidden = false;
            if letter == 'N' {
                literal = !literal;
            }
            return None;
        }
        match letter {
            '\\' => {
                hidden = true;
                None
            }
            '{' if !literal => Some((at, true)),
            '}' if !literal => Some((at, false)),
            _ => None,
        }
    })
}

const CALL: &str = "${readsocket";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_what_stands_beside_them() {
        let text = "${if eq{${readsocket{/s} {hoplock1 level $domain\\n}{5s}{}{}}} {may}{no}{yes}}";
        let [call] = &Call::all(text)[..] else {
            panic!("{:?}", Call::all(text));
        };
        assert_eq!(call.place, "/s");
        assert_eq!(call.request, "hoplock1 level $domain\\n");
        assert_eq!(call.verb(), Some("level"));
        assert_eq!(call.failure, Some(""));
        assert_eq!(call.beside, ["may"]);
        // The other way round, without a failure text.
        let text = "${if eq {ok} {${readsocket{inet:h:1}{hoplock1 mx a b\\n}{5s}}}{}{no}}";
        let call = Call::all(text).remove(0);
        assert_eq!(call.failure, None);
        assert_eq!(call.beside, ["ok", ""]);
        // Words before the call, and a pattern that hides its braces.
        let text = "${sg{hoplock: ${readsocket{/s}{hoplock1 cert}{5s}{}{no {x} answer}}} \
                    {\\N^hoplock: o{1}k$\\N}{}}";
        let call = Call::all(text).remove(0);
        assert_eq!(call.failure, Some("no {x} answer"));
        assert_eq!(call.beside, ["\\N^hoplock: o{1}k$\\N"]);
        // Nothing beside it, and what is cut short.
        let call = Call::all("${readsocket{/s}{x}}").remove(0);
        assert_eq!((call.verb(), call.beside.len()), (None, 0));
        for cut in [
            "${readsocket",
            "${readsocket{",
            "${readsocket{/s}{x}",
            "}{${readsocket{a}}",
        ] {
            assert!(Call::all(cut).is_empty(), "{cut}");
        }
    }

    #[test]
    fn calls_within_calls() {
        let text = "${readsocket{/s}{hoplock1 event ${readsocket{/t}{y}{1s}{}{z}}\\n}{5s}{}{}}";
        let calls = Call::all(text);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].place, "/s");
        assert_eq!(calls[1].place, "/t");
    }
}
