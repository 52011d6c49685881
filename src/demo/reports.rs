//! What others tell the daemon of the demonstration: sessions of a mail server, a TLS report of another
//! site, and a rule given at run time.

use serde_json::{Value, json};

/// Sessions as a mail server reports them: the lines of the sessions socket.
#[must_use]
pub fn sessions() -> Vec<Value> {
    let encrypted = |domain: &str, chain: &[&str]| {
        let mut session = session(domain);
        let more = json!({
            "starttls": "used",
            "tls_version": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "sni": format!("mx1.{domain}"),
            "chain": chain,
        });
        merge(&mut session, more);
        session
    };
    let without = |domain: &str| {
        let mut session = session(domain);
        merge(&mut session, json!({ "starttls": "not-offered" }));
        session
    };
    let (host, stranger) = (base64(HOST_PEM), base64(STRANGER_PEM));
    vec![
        encrypted("dane-all-hosts.test", &[&host]),
        encrypted("sts-enforce.test", &[&host]),
        encrypted("plain.test", &[&stranger]),
        encrypted("wrong-certificate.test", &[&stranger]),
        without("starttls-stripped.test"),
    ]
}

fn session(domain: &str) -> Value {
    json!({
        "next_hop": domain,
        "mx_host": format!("mx1.{domain}"),
        "address": "192.0.2.1",
        "port": 25,
    })
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// A report of RFC 8460 about a domain that could be yours, for the day that began and ended at these times
/// of RFC 3339.
#[must_use]
pub fn tls_report(begins: &str, ends: &str) -> Value {
    json!({
        "organization-name": "Sender of the demonstration",
        "date-range": { "start-datetime": begins, "end-datetime": ends },
        "contact-info": "tls-reports@sender.test",
        "report-id": "demo-1",
        "policies": [{
            "policy": {
                "policy-type": "tlsa",
                "policy-string": [format!("3 1 1 {}", "ab".repeat(32))],
                "policy-domain": "your-domain.test",
                "mx-host": ["mx.your-domain.test"],
            },
            "summary": { "total-successful-session-count": 97, "total-failure-session-count": 3 },
            "failure-details": [{
                "result-type": "certificate-expired",
                "sending-mta-ip": "192.0.2.99",
                "receiving-mx-hostname": "mx.your-domain.test",
                "receiving-ip": "192.0.2.1",
                "failed-session-count": 3,
            }],
        }],
    })
}

/// The rule that is given at run time, with its end in RFC 3339: a section of the configuration.
#[must_use]
pub fn rule(expires: &str) -> String {
    format!(
        "[rules.\"rule-near-expiry.test\"]\nanswer = \"encrypt\"\nexpires = \"{expires}\"\n\
         comment = \"while their certificate is renewed\"\n"
    )
}

/// The base64 of a PEM file's one certificate.
fn base64(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// What the mail hosts show, signed by the authority.
pub(super) const HOST_PEM: &str = include_str!("certificates/host.pem");
/// What somebody else shows.
pub(super) const STRANGER_PEM: &str = include_str!("certificates/stranger.pem");
