//! What must hold for anything that `openssl s_client` prints; called by the fuzz target and by the
//! replay of its corpus.

use super::output::{Reading, summary};

/// The target `openssl_output`: what is printed, 0x1e, what is complained of.
pub fn openssl_output(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0x1e);
    let stdout = parts.next().unwrap_or_default();
    let stderr = parts.next().unwrap_or_default();
    let reading = Reading::of(stdout, stderr);
    if let Some(own) = summary(stdout) {
        assert!(stdout.starts_with(own));
        assert_eq!(reading, Reading::of(own, stderr), "what comes later counts");
        let more = [
            own,
            b"\nVerification: OK\nDANE TLSA 3 1 1 x\nServer Temp Key: y\n",
        ]
        .concat();
        assert_eq!(reading, Reading::of(&more, stderr), "the host is believed");
    }
    let printed = String::from_utf8_lossy(stdout);
    let complained = String::from_utf8_lossy(stderr);
    assert!(!reading.finished || complained.contains("read finished"));
    assert!(reading.matched.is_none() || printed.contains("DANE TLSA "));
    assert!(reading.verification.is_none() || printed.contains("Verification"));
    // The reader of PEM takes a first line that is not quite right.
    assert!(reading.chain.len() <= printed.matches("-----BEGIN CERTIFICATE").count());
    let failure = reading.failure().map(|(_, words)| words);
    let words = [
        failure.as_ref(),
        reading.cipher.as_ref(),
        reading.group.as_ref(),
        reading.matched.as_ref(),
        reading.alert.as_ref(),
        reading.complaint.as_ref(),
    ];
    for words in words.into_iter().flatten() {
        assert!(
            words.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{words:?}"
        );
    }
}
