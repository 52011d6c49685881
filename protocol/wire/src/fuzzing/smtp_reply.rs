//! Replies of SMTP servers.

use crate::smtp_reply::{self, LINE_LIMIT, LINES, REPLY_LIMIT as SMTP_LIMIT};

/// The target `smtp_reply`: the bytes as replies of a server, and as their text.
pub fn smtp_reply(bytes: &[u8]) {
    let prefix = |end: usize| bytes.get(..end).unwrap_or(bytes);
    let judge = |end: usize| smtp_reply::decode(prefix(end));
    // The ends at which a judgement can come first, and some between them.
    let ends = (0..=bytes.len()).filter(|end| *end < 4096 || end % 977 == 0 || *end == bytes.len());
    let judged = ends.into_iter().find(|end| judge(*end) != Ok(None));
    assert!(
        judged.is_some() || bytes.len() < SMTP_LIMIT,
        "read for ever"
    );
    let Some(judged) = judged else { return };
    assert_eq!(
        judge(judged),
        judge(bytes.len()),
        "more bytes changed the judgement"
    );
    let Ok(Some(reply)) = judge(bytes.len()) else {
        return;
    };
    assert!((200..600).contains(&reply.code));
    assert!((1..=LINES).contains(&reply.lines.len()));
    assert!(reply.consumed <= SMTP_LIMIT);
    assert!(prefix(reply.consumed).ends_with(b"\n"));
    let written: Vec<u8> = reply
        .lines
        .iter()
        .enumerate()
        .flat_map(|(number, line)| {
            assert!(line.len() < LINE_LIMIT && !line.contains(&b'\n'));
            let shown = smtp_reply::printable(line);
            assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let last = number + 1 == reply.lines.len();
            let head = format!("{}{}", reply.code, if last { ' ' } else { '-' });
            [head.as_bytes(), line, b"\r\n"].concat()
        })
        .collect();
    // Written as the RFC has it, it may pass the limits that it keeps as it came.
    if let Ok(Some(again)) = smtp_reply::decode(&written) {
        assert_eq!((again.code, &again.lines), (reply.code, &reply.lines));
        assert_eq!(again.offers("STARTTLS"), reply.offers("starttls"));
    }
}
