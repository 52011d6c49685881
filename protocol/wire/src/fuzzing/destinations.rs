//! The target `destinations`.

use crate::destinations::{delivered, domain_of, kind_of, listed};

/// The target `destinations`: each line as one of a list, and as one of a log.
///
/// What is read stands in the line, and in a list it has no blank save between angle brackets.
pub fn destinations(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let kind = kind_of(line);
        if let Ok(Some(entry)) = listed(line) {
            assert!(!entry.is_empty() && line.contains(entry));
            assert!(line.contains('<') || !entry.contains(char::is_whitespace));
            assert!(kind.is_some());
        }
        let Some(delivery) = delivered(line) else {
            continue;
        };
        assert!(line.contains(delivery.queue_id) && !delivery.queue_id.is_empty());
        assert!(!delivery.recipients.is_empty());
        for recipient in delivery.recipients {
            assert!(!recipient.is_empty() && line.contains(recipient));
            assert!(domain_of(recipient).is_none_or(|domain| recipient.ends_with(domain)));
        }
    }
}
