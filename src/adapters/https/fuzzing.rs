//! What must hold for anything that a policy host sends; called by the fuzz target and by the replay of
//! its corpus.

use hoplock_policy::name::DomainName;
use hoplock_policy::sts::{POLICY_LIMIT, read_response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::exchange::{TooLong, over};
use super::{policy_host, policy_request};
use crate::world::FetchFailureKind;

/// The target `policy_response`: one byte that says how many octets follow the others, and a response.
pub fn policy_response(bytes: &[u8]) {
    let (long, response) = bytes.split_first().unwrap_or((&0, bytes));
    let mut response = response.to_vec();
    if long & 1 == 1 {
        // More than any policy may have.
        response.resize(response.len() + POLICY_LIMIT + 1, b'x');
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    assert!(runtime.is_ok(), "no runtime");
    let Ok(runtime) = runtime else { return };
    let host = DomainName::parse("mta-sts.e.test");
    assert!(host.is_ok());
    let Ok(host) = host else { return };
    let request = policy_request(&host);
    assert!(request.is_ok(), "no request");
    let Ok(request) = request else { return };
    let (ours, mut theirs) = duplex(2 * POLICY_LIMIT + response.len());
    let (outcome, request) = runtime.block_on(async {
        let answering = async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n")
                && theirs.read_buf(&mut request).await.is_ok_and(|n| n > 0)
            {}
            // Who is asked and does not like the answer hangs up.
            let _ = theirs.write_all(&response).await;
            let _ = theirs.shutdown().await;
            let rest = theirs.read_to_end(&mut request).await;
            assert!(rest.is_ok(), "{rest:?}");
            (response, request)
        };
        let peer = policy_host(&host);
        tokio::join!(over(ours, peer, request, TooLong::Refused), answering)
    });
    let (response, request) = request;
    asked_once(&String::from_utf8_lossy(&request));
    match outcome {
        Ok(answered) => {
            assert!(answered.body.len() <= POLICY_LIMIT, "ST-11");
            let there = |part: &[u8]| {
                part.is_empty() || response.windows(part.len()).any(|own| own == part)
            };
            // RFC 9112, 2.2: line endings in front of it are overlooked.
            let status_line = response.trim_ascii_start();
            assert!(status_line.starts_with(b"HTTP/1."), "{status_line:?}");
            assert!(there(answered.status.to_string().as_bytes()));
            let media_type = answered.media_type.as_deref().unwrap_or_default();
            assert!(there(media_type.as_bytes()), "{media_type:?}");
            let chunked = response.to_ascii_lowercase();
            let chunked = chunked.windows(7).any(|word| word == b"chunked");
            assert!(chunked || there(&answered.body), "{:?}", answered.body);
            let policy = read_response(answered.status, Some(media_type), &answered.body);
            assert!(policy.is_err() || answered.status == 200, "ST-08");
        }
        Err(failure) => {
            let known = [
                FetchFailureKind::Protocol,
                FetchFailureKind::Connection,
                FetchFailureKind::TooLarge,
            ];
            assert!(known.contains(&failure.kind), "{failure:?}");
            assert!(!failure.detail.is_empty());
        }
    }
}

/// ST-06, ST-08, ST-09: one request at most, always the same, whatever comes back.
fn asked_once(request: &str) {
    let rest = request.strip_prefix("GET /.well-known/mta-sts.txt HTTP/1.1\r\n");
    assert!(rest.is_some(), "{request:?}");
    let rest = rest.unwrap_or_default();
    let fields = rest.strip_suffix("\r\n\r\n");
    assert!(fields.is_some(), "{request:?}");
    let mut names: Vec<&str> = fields
        .unwrap_or_default()
        .split("\r\n")
        .map(|line| line.split(':').next().unwrap_or_default())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "connection", "host", "user-agent"]);
    assert!(rest.contains("host: mta-sts.e.test\r\n"));
}
