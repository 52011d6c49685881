//! The target `delegation`.

use crate::delegation::{Action, BadRequest, Decoder, LINE_LIMIT, REQUEST_LIMIT};
use crate::header_field::HeaderField;
use crate::mailbox::{Domain, Path};
use crate::refusal::{EnhancedStatus, Refusal, Words};

/// The target `delegation`: the bytes as requests, whole and byte by byte, and as texts of answers.
pub fn delegation(bytes: &[u8]) {
    let whole = requests(bytes, bytes.len());
    assert_eq!(whole, requests(bytes, 1), "byte by byte");
    assert_eq!(whole, requests(bytes, 13), "in pieces");
    let text = String::from_utf8_lossy(bytes);
    let status = EnhancedStatus::new(7, 10);
    let mut actions = vec![
        Action::Hold(Words::new(&text)),
        Action::Warn(Words::new(&text)),
    ];
    if let Some(status) = status {
        actions.push(Action::Defer(status, Words::new(&text)));
        actions.extend(Refusal::new(550, status, &text).map(Action::Reject));
    }
    let (name, value) = text.split_once(':').unwrap_or((&text, ""));
    actions.extend(HeaderField::new(name, value).map(Action::Prepend));
    for action in actions {
        answered(&action);
    }
}

/// What was found, as text, in pieces of this size.
fn requests(bytes: &[u8], size: usize) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    let (mut start, mut end) = (0, 0);
    loop {
        let step = decoder.decode(bytes.get(start..end).unwrap_or_default());
        start += step.consumed;
        assert!(start <= end, "more was taken than there is");
        match step.found {
            Some(request) => {
                if let Ok(request) = &request {
                    for path in [
                        request.recipient_path().ok().flatten(),
                        request.sender_path().ok(),
                    ] {
                        path.iter().for_each(domain);
                    }
                }
                if let Err(why) = request {
                    let fits = why != BadRequest::TooLong || bytes.len() > REQUEST_LIMIT;
                    assert!(fits, "{why}");
                }
                assert!(step.consumed > 0);
                found.push(format!("{request:?}"));
            }
            None if end == bytes.len() => break,
            None => end = (end + size.max(1)).min(bytes.len()),
        }
        assert!(end - start <= REQUEST_LIMIT.max(bytes.len()));
    }
    found
}

fn domain(path: &Path) {
    if let Some(Domain::Name(name)) = path.domain() {
        assert!(!name.is_empty() && !name.contains(['@', ' ', '\n', '\0']));
    }
}

/// One attribute, never empty, and a blank line.
fn answered(action: &Action) {
    let bytes = action.encode();
    let text = String::from_utf8_lossy(&bytes);
    let line = text
        .strip_prefix("action=")
        .and_then(|text| text.strip_suffix("\n\n"));
    let line = line.unwrap_or_default();
    assert!(!line.is_empty() && line.len() <= LINE_LIMIT, "{text:?}");
    assert!(
        line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{text:?}"
    );
}
