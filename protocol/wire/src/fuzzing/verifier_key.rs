//! The target `verifier_key`.

use crate::netstring;
use crate::socketmap::REPLY_LIMIT;
use crate::verifier::{Answer, Shown, decode};

/// The target `verifier_key`: the bytes as a key of the map `verifier`, and as the text of a refusal.
pub fn verifier_key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(session) = decode(&text) {
        assert_eq!(text.matches('|').count(), 8, "{session:?}");
        assert!(session.recipient.contains(session.domain));
        // Nothing was made up, nothing taken from another field.
        let fields: Vec<&str> = text.split('|').map(str::trim).collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        assert_eq!(session.recipient, field(0));
        assert_eq!(session.server_name.unwrap_or_default(), field(1));
        assert_eq!(session.server_addr.is_none(), field(2).is_empty());
        assert!(session.verify.word().is_empty() || field(3).len() == session.verify.word().len());
        assert_eq!(session.tls_version.unwrap_or_default(), field(4));
        assert_eq!(session.certificate == Shown::Nothing, field(5).is_empty());
    }
    let (reason, words) = text.split_once(' ').unwrap_or((&text, ""));
    let refused = payload(&Answer::refuse(reason, words));
    // One word lets mail go, and no refusal is that word to Sendmail, which folds the case.
    assert!(refused.starts_with("OK "), "{refused:?}");
    assert!(refused.contains(':'), "{refused:?}");
    assert!(
        !refused.contains(['(', ')', '<', '>', '"', ',', ';', '\\', '$', '@']),
        "{refused:?}"
    );
    assert!(payload(&Answer::unavailable(reason, words)).starts_with("TEMP "));
}

fn payload(answer: &Answer) -> String {
    let mut out = Vec::new();
    answer.reply().encode(REPLY_LIMIT, &mut out);
    let frame = netstring::decode(&out, REPLY_LIMIT);
    let payload = frame.ok().flatten().map_or(&[][..], |frame| frame.payload);
    String::from_utf8_lossy(payload).into_owned()
}
