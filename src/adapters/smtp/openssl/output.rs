//! Reads what `openssl s_client` prints (openssl-s_client(1), of OpenSSL 3.0 and later).
//!
//! Much of it comes from the host. What is read here stands at the beginning of a line, where the host's
//! names cannot stand (control characters in them are escaped), and before anything that the host says
//! inside TLS.

use hoplock_policy::verify::TlsVersion;
use hoplock_wire::smtp_reply::printable;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::world::probe::HandshakeFailure;

/// What was printed, in our words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// There was a connection: what went wrong before that is not the host's doing.
    pub(super) connected: bool,
    /// The handshake came to its end: the host's last message of it was good.
    pub(super) finished: bool,
    /// Leaf first, as sent.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) version: Option<TlsVersion>,
    pub(super) cipher: Option<String>,
    pub(super) group: Option<String>,
    pub(super) verification: Option<Verification>,
    /// The record that matched, in OpenSSL's words.
    pub(super) matched: Option<String>,
    /// The fatal alert that the host sent, in OpenSSL's words.
    pub(super) alert: Option<String>,
    /// The reasons of OpenSSL's errors, in their order.
    pub(super) errors: Vec<String>,
    /// The first line of complaint that is neither about the handshake nor from the error queue.
    pub(super) complaint: Option<String>,
}

/// OpenSSL's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    /// `OK`.
    Fine,
    /// Why not.
    Error(String),
}

/// What is printed about the handshake, without what comes after it; `None` while it is not there.
pub(super) fn summary(stdout: &[u8]) -> Option<&[u8]> {
    let from = find(stdout, b"Verify return code: ")?;
    let behind = stdout.get(from..)?;
    let end = from + find(behind, RULE)? + RULE.len();
    stdout.get(..end)
}

/// Whether the complaints, which are not complaints only, say that the handshake came to its end.
pub(super) fn is_finished(stderr: &[u8]) -> bool {
    lines(stderr).any(|line| line == FINISHED)
}

impl Reading {
    /// Reads the summary and the complaints.
    pub(super) fn of(stdout: &[u8], stderr: &[u8]) -> Self {
        let summary = summary(stdout).unwrap_or(stdout);
        let mut reading = Self {
            finished: is_finished(stderr),
            chain: chain(summary),
            ..Self::default()
        };
        for line in lines(summary) {
            reading.printed(&line);
        }
        for line in lines(stderr) {
            reading.complained(&line);
        }
        reading
    }

    /// Why the handshake was not finished; `None` where the program does not say, or did not begin it.
    pub(super) fn failure(&self) -> Option<(HandshakeFailure, String)> {
        if !self.connected {
            return None;
        }
        let showed_nothing = self.chain.is_empty();
        if let Some(alert) = &self.alert {
            let nothing_suits = NOTHING_SUITS.contains(&alert.as_str());
            // RFC 8446, 6.2; see the same in the other engine.
            let kind = if nothing_suits && showed_nothing {
                HandshakeFailure::PeerTooOld
            } else {
                HandshakeFailure::Alert
            };
            return Some((kind, format!("the host's alert: {alert}")));
        }
        let words = self.errors.join("; ");
        let says = |reasons: &[&str]| {
            let mut errors = self.errors.iter();
            errors.any(|error| reasons.iter().any(|reason| error.starts_with(reason)))
        };
        let kind = if says(&["bad signature"]) {
            HandshakeFailure::BadSignature
        } else if says(TOO_OLD) {
            HandshakeFailure::PeerTooOld
        } else if showed_nothing && says(NOT_TLS) {
            HandshakeFailure::NotTls
        } else if says(CLOSED) {
            HandshakeFailure::Closed
        } else if self.errors.is_empty() {
            return None;
        } else {
            HandshakeFailure::Misbehaved
        };
        Some((kind, words))
    }

    /// What kept the program from shaking hands, for people.
    pub(super) fn own_trouble(&self) -> String {
        let words = self.complaint.iter().chain(&self.errors).cloned();
        let words: Vec<String> = words.take(3).collect();
        if words.is_empty() {
            "what the program openssl says is not understood".to_owned()
        } else {
            format!("the program openssl says: {}", words.join("; "))
        }
    }

    fn printed(&mut self, line: &str) {
        if line.starts_with("CONNECTED(") {
            self.connected = true;
        } else if let Some(rest) = line.strip_prefix("New, ") {
            // The version here is the first that had the cipher: right for TLS 1.3 only.
            if let Some((version, cipher)) = rest.split_once(", Cipher is ") {
                let since = TlsVersion::parse(version);
                let own = since.filter(|version| *version == TlsVersion::Tls13);
                set(&mut self.version, own);
                set(
                    &mut self.cipher,
                    Some(cipher).filter(|cipher| *cipher != "(NONE)"),
                );
            }
        } else if let Some(words) = line.strip_prefix("Verification error: ") {
            set(
                &mut self.verification,
                Some(Verification::Error(words.to_owned())),
            );
        } else if line == "Verification: OK" {
            set(&mut self.verification, Some(Verification::Fine));
        } else if let Some(words) = line.strip_prefix("DANE TLSA ") {
            set(&mut self.matched, Some(words));
        } else if let Some(words) = GROUPS.iter().find_map(|label| line.strip_prefix(label)) {
            set(&mut self.group, Some(group(words)));
        } else if let Some(version) = ["    Protocol  : ", "Protocol: "]
            .iter()
            .find_map(|label| line.strip_prefix(label))
        {
            set(&mut self.version, TlsVersion::parse(version));
        }
    }

    fn complained(&mut self, line: &str) {
        if let Some(alert) = line.strip_prefix("SSL3 alert read:fatal:") {
            set(&mut self.alert, Some(alert));
        } else if let Some(reason) = reason(line) {
            self.errors.push(reason);
        } else if !line.starts_with("SSL") && !line.is_empty() {
            set(&mut self.complaint, Some(line));
        }
    }
}

/// In visible ASCII; the program prints nothing else, whatever the host is called.
fn lines(text: &[u8]) -> impl Iterator<Item = String> {
    let lines = text.split(|octet| *octet == b'\n');
    lines.map(|line| printable(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// The first word on a matter stands.
fn set<T, S: Into<T>>(place: &mut Option<T>, value: Option<S>) {
    if place.is_none() {
        *place = value.map(Into::into);
    }
}

/// The certificates of the block that has the chain.
fn chain(summary: &[u8]) -> Vec<Vec<u8>> {
    let Some(from) = find(summary, b"\nCertificate chain\n") else {
        return Vec::new();
    };
    let behind = summary.get(from..).unwrap_or_default();
    let end = find(behind, RULE).unwrap_or(behind.len());
    let block = behind.get(..end).unwrap_or_default();
    CertificateDer::pem_slice_iter(block)
        .map_while(Result::ok)
        .map(|certificate| certificate.to_vec())
        .collect()
}

/// `ECDH, prime256v1, 256 bits`, `X25519, 253 bits` and `DH, 2048 bits`: the name, where it has one.
fn group(words: &str) -> String {
    let mut parts = words.split(", ");
    match (parts.next(), parts.next()) {
        (Some("ECDH"), Some(curve)) => curve.to_owned(),
        (Some("DH"), _) | (None, _) => words.to_owned(),
        (Some(name), _) => name.to_owned(),
    }
}

/// The reason in a line of the error queue, `THREAD:error:CODE:LIBRARY:FUNCTION:REASON:FILE:…`, or in
/// one about a call of the system, `write:errno=104`.
fn reason(line: &str) -> Option<String> {
    if let Some(number) = ["read:", "write:"]
        .iter()
        .find_map(|call| line.strip_prefix(call))
        .filter(|rest| rest.starts_with("errno="))
    {
        return Some(number.to_owned());
    }
    let (thread, rest) = line.split_once(":error:")?;
    if !thread.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    rest.split(':').nth(3).map(ToOwned::to_owned)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut windows = haystack.windows(needle.len());
    windows.position(|window| window == needle)
}

/// The host's Finished was read and is good: in each version of TLS, its key is proved by then.
const FINISHED: &str = "SSL_connect:SSLv3/TLS read finished";
/// Between the blocks of the summary.
const RULE: &[u8] = b"\n---\n";
/// Labels of the group of the key exchange, of OpenSSL 3.0 and later ones.
const GROUPS: &[&str] = &[
    "Negotiated TLS1.3 group: ",
    "Server Temp Key: ",
    "Peer Temp Key: ",
];
/// Alerts by which a host says that nothing of what was offered suits it.
const NOTHING_SUITS: &[&str] = &[
    "handshake failure",
    "protocol version",
    "insufficient security",
];
/// Reasons for which this OpenSSL does not get on with a host that may be all right otherwise.
const TOO_OLD: &[&str] = &[
    "unsupported protocol",
    "no protocols available",
    "wrong ssl version",
    "version too low",
    "unknown protocol",
    "unsafe legacy renegotiation disabled",
    "dh key too small",
    "no suitable key share",
];
/// Reasons that mean that no record of TLS came.
const NOT_TLS: &[&str] = &[
    "wrong version number",
    "packet length too long",
    "http request",
    "https proxy request",
    "record layer failure",
];
/// Reasons that mean that the connection ended.
const CLOSED: &[&str] = &["unexpected eof", "errno="];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    fn printed(details: &str, rest: &str) -> String {
        format!(
            "CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN=x\n   i:CN=y\n{PEM} 1 s:CN=y\n{PEM}---\n\
             Server certificate\nsubject=CN=x\n---\n{details}---\n{rest}\
             Verify return code: 0 (ok)\n---\n"
        )
    }

    fn read(stdout: &str, stderr: &str) -> Reading {
        Reading::of(stdout.as_bytes(), stderr.as_bytes())
    }

    /// As OpenSSL 3.0 prints TLS 1.3.
    #[test]
    fn a_session_of_today() {
        let details = "Server Temp Key: X25519, 253 bits\n---\nVerification: OK\n\
                       DANE TLSA 3 1 1 ...9d53ae matched EE certificate at depth 0\n";
        let rest = "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\n";
        let reading = read(&printed(details, rest), FINISHED);
        assert!(reading.finished);
        assert_eq!(reading.chain, [[1, 2, 3], [1, 2, 3]]);
        assert_eq!(reading.version, Some(TlsVersion::Tls13));
        assert_eq!(reading.cipher.unwrap(), "TLS_AES_256_GCM_SHA384");
        assert_eq!(reading.group.unwrap(), "X25519");
        assert_eq!(reading.verification, Some(Verification::Fine));
        let matched = "3 1 1 ...9d53ae matched EE certificate at depth 0";
        assert_eq!(reading.matched.unwrap(), matched);
    }

    /// The first version named is the cipher's, the second the session's.
    #[test]
    fn a_session_of_old() {
        let details = "Server Temp Key: ECDH, prime256v1, 256 bits\n---\n\
                       Verification error: no matching DANE TLSA records\n";
        let rest = "New, TLSv1.0, Cipher is ECDHE-RSA-AES256-SHA\nSSL-Session:\n    \
                    Protocol  : TLSv1.1\n    Cipher    : ECDHE-RSA-AES256-SHA\n    ";
        let reading = read(&printed(details, rest), FINISHED);
        assert_eq!(reading.version, Some(TlsVersion::Tls11));
        assert_eq!(reading.group.unwrap(), "prime256v1");
        let words = "no matching DANE TLSA records".to_owned();
        assert_eq!(reading.verification, Some(Verification::Error(words)));
        assert_eq!(reading.matched, None);
    }

    /// What the host says inside TLS, and what is told of tickets, changes nothing.
    #[test]
    fn the_host_does_not_speak_for_openssl() {
        let rest = "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\n";
        let own = printed("Verification error: expired\n", rest);
        let more = "Verification: OK\nDANE TLSA 3 1 1 ...00 matched EE certificate at depth 0\n\
                    Server Temp Key: none, 0 bits\n---\nCertificate chain\n";
        let reading = read(&format!("{own}{more}{PEM}---\n"), FINISHED);
        assert_eq!(reading, read(&own, FINISHED));
        assert_eq!(
            summary(format!("{own}{more}").as_bytes()).unwrap(),
            own.as_bytes()
        );
        // Nor does a name in a certificate, which stands behind other words.
        let named = "depth=0 CN=SSL_connect:SSLv3/TLS read finished\n";
        assert!(!read(&own, named).finished);
    }

    /// SV-03: a handshake that failed is none, though all else is printed as in a good one.
    #[test]
    fn failures_have_kinds() {
        let rest = "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\n";
        let shown = printed("Verification: OK\n", rest);
        let nothing = "CONNECTED(00000003)\n---\nno peer certificate available\n---\n\
                       New, (NONE), Cipher is (NONE)\nVerify return code: 0 (ok)\n---\n";
        let error = |reason: &str| {
            format!("40E0E5:error:0A00007B:SSL routines:function:{reason}:../ssl/x.c:2308:\n")
        };
        for (stdout, stderr, expected) in [
            (
                &shown[..],
                &error("bad signature")[..],
                HandshakeFailure::BadSignature,
            ),
            (
                nothing,
                "SSL3 alert read:fatal:handshake failure\n",
                HandshakeFailure::PeerTooOld,
            ),
            (
                &shown,
                "SSL3 alert read:fatal:handshake failure\n",
                HandshakeFailure::Alert,
            ),
            (
                nothing,
                "SSL3 alert read:fatal:unrecognized name\n",
                HandshakeFailure::Alert,
            ),
            (
                nothing,
                &error("unsupported protocol"),
                HandshakeFailure::PeerTooOld,
            ),
            (
                nothing,
                &error("wrong version number"),
                HandshakeFailure::NotTls,
            ),
            (
                nothing,
                &error("unexpected eof while reading"),
                HandshakeFailure::Closed,
            ),
            (nothing, "write:errno=104\n", HandshakeFailure::Closed),
            (
                nothing,
                &error("bad extension"),
                HandshakeFailure::Misbehaved,
            ),
        ] {
            let reading = read(stdout, stderr);
            assert!(!reading.finished);
            assert_eq!(reading.failure().unwrap().0, expected, "{stderr}");
        }
        let reading = read("", "s_client: Unknown option: -x\n");
        assert_eq!(reading.failure(), None);
        assert_eq!(reading.complaint.unwrap(), "s_client: Unknown option: -x");
    }
}
