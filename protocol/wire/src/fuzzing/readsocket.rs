//! The target `readsocket`.

use crate::readsocket::{Answer, LINE_LIMIT, Request, Verb, decode};

/// The target `readsocket`: the bytes as a request, and as the texts of answers.
pub fn readsocket(bytes: &[u8]) {
    match decode(bytes) {
        Ok(request) => {
            assert!(bytes.len() <= LINE_LIMIT);
            // The beginning of a lookup that is full of blanks does not tell what it is; it fails alike.
            let verb = match (Verb::of(bytes), request.verb()) {
                (Verb::Unknown, Verb::Dnsdb) => Verb::Dnsdb,
                (verb, _) => verb,
            };
            assert_eq!(verb, request.verb(), "{request:?}");
            assert!(!bytes.iter().any(u8::is_ascii_control));
            whole(bytes, &request);
        }
        Err(why) => {
            let answer = why.answer();
            let closed = match why.verb {
                Verb::Mx | Verb::Cert => "refuse bad-request: ",
                _ => "defer bad-request: ",
            };
            assert!(answer.encode().starts_with(closed.as_bytes()), "{why:?}");
        }
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (first, second) = text.split_once(' ').unwrap_or((&text, ""));
    for answer in [
        Answer::refuse(first, second),
        Answer::defer(first, second),
        Answer::Value(text.clone()),
        Answer::Records {
            records: text.split('\u{1e}').map(str::to_owned).collect(),
            separator: '|',
        },
    ] {
        written(&answer);
    }
}

/// Every field of a request stands in its line: nothing was made up, nothing was passed over.
fn whole(bytes: &[u8], request: &Request<'_>) {
    let line = String::from_utf8_lossy(bytes);
    let fields = match request {
        Request::Level { domain, says } => {
            let rest = line.strip_prefix("hoplock1 level ").unwrap_or_default();
            let (own, words) = rest.split_once(' ').unwrap_or((rest, ""));
            assert_eq!(own, *domain);
            let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
            let known = ["requiretls", "tls-required-no"];
            assert!(words.iter().all(|word| known.contains(word)), "{words:?}");
            let said = known.map(|word| words.contains(&word));
            assert_eq!(said, [says.require_tls, says.tls_required_no]);
            return;
        }
        Request::Mx { domain, host } => format!("hoplock1 mx {domain} {host}"),
        Request::Option { name, domain, host } => {
            format!("hoplock1 option {name} {domain} {host}")
        }
        Request::Cert(own) => {
            assert!(line.contains(own.domain) && line.contains(own.host));
            assert!(!own.der.is_empty());
            return;
        }
        Request::Event(own) => {
            assert_eq!(line.split(' ').nth(3), Some(own.name));
            return;
        }
        Request::Dnsdb(own) => {
            assert!(line.ends_with(own.name), "{own:?}");
            return;
        }
    };
    assert_eq!(line, fields);
}

/// One line, that begins with the answer's own word or with `defer`.
fn written(answer: &Answer) {
    let bytes = answer.encode();
    let text = String::from_utf8(bytes).unwrap_or_default();
    assert!(!text.chars().any(char::is_control), "{answer:?}: {text:?}");
    let word = format!("{} ", answer.word());
    assert!(
        text.starts_with(&word) || text.starts_with("defer ") || text == "none",
        "{answer:?}: {text:?}"
    );
}
