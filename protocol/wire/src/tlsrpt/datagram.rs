//! One datagram: a delivery, the policies it was under, and what came of each.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use thiserror::Error;

use super::result_type::FailureCode;
use super::{DATAGRAM_LIMIT, address};

/// What an MTA tells of one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsrptReport {
    /// The domain that mail was for, and that asks for reports.
    #[serde(rename = "d")]
    pub domain: String,
    /// The text of its TXT record at `_smtp._tls.` (RFC 8460, 3).
    #[serde(rename = "pr")]
    pub record: String,
    /// The policies that the delivery was under; never none.
    pub policies: Vec<PolicyReport>,
}

/// What came of a delivery under one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// The kind of policy.
    #[serde(rename = "policy-type")]
    pub kind: PolicyType,
    /// For DANE the MX host's name, for MTA-STS the policy domain, else the recipient's domain.
    #[serde(rename = "policy-domain")]
    pub domain: String,
    /// TLSA records in presentation format, or the policy's lines.
    #[serde(
        rename = "policy-string",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub policy_strings: Vec<String>,
    /// The `mx` patterns of an MTA-STS policy.
    #[serde(rename = "mx-host", default, skip_serializing_if = "Vec::is_empty")]
    pub mx_hosts: Vec<String>,
    /// The failures on the way. A delivery may have some and succeed: DANE without a usable record
    /// goes on with TLS alone.
    #[serde(
        rename = "failure-details",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub failures: Vec<FailureDetail>,
    /// What it came to in the end.
    #[serde(rename = "f")]
    pub result: FinalResult,
}

/// The kinds of policy (RFC 8460, 4.2), by libtlsrpt's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub enum PolicyType {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// Neither.
    NoPolicyFound,
    /// A number that libtlsrpt has not given out yet.
    Unknown(i64),
}

impl PolicyType {
    /// The word of RFC 8460, 4.4, or `None` for an unknown number.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Tlsa => Some("tlsa"),
            Self::Sts => Some("sts"),
            Self::NoPolicyFound => Some("no-policy-found"),
            Self::Unknown(_) => None,
        }
    }
}

impl From<i64> for PolicyType {
    fn from(number: i64) -> Self {
        match number {
            1 => Self::Tlsa,
            2 => Self::Sts,
            9 => Self::NoPolicyFound,
            other => Self::Unknown(other),
        }
    }
}

impl From<PolicyType> for i64 {
    fn from(kind: PolicyType) -> Self {
        match kind {
            PolicyType::Tlsa => 1,
            PolicyType::Sts => 2,
            PolicyType::NoPolicyFound => 9,
            PolicyType::Unknown(number) => number,
        }
    }
}

/// What a delivery came to under one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum FinalResult {
    /// The policy was kept.
    Success,
    /// It was not.
    Failure,
}

impl TryFrom<i64> for FinalResult {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match number {
            0 => Ok(Self::Success),
            1 => Ok(Self::Failure),
            _ => Err("f must be 0 or 1"),
        }
    }
}

impl From<FinalResult> for i64 {
    fn from(result: FinalResult) -> Self {
        match result {
            FinalResult::Success => 0,
            FinalResult::Failure => 1,
        }
    }
}

/// One failure (RFC 8460, 4.3 and 4.4). All but the code may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureDetail {
    /// What failed.
    #[serde(rename = "c")]
    pub code: FailureCode,
    /// The sending MTA's address (`sending-mta-ip`).
    #[serde(
        rename = "s",
        default,
        deserialize_with = "address::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub sending_ip: Option<IpAddr>,
    /// The MX host (`receiving-mx-hostname`).
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// What the host answered to EHLO (`receiving-mx-helo`): with Postfix all lines of the answer,
    /// CR LF between them, status codes and all, no mere name.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub ehlo: Option<String>,
    /// The host's address (`receiving-ip`).
    #[serde(
        rename = "r",
        default,
        deserialize_with = "address::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub receiving_ip: Option<IpAddr>,
    /// A reference or more words (`additional-information`).
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<String>,
    /// The MTA's own word for the reason (`failure-reason-code`).
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A datagram that cannot be counted. Drop it, count that, and say so in the log; there is no
/// answer to a datagram.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlsrptError {
    /// The JSON stops before its end; so does a datagram that was cut by a smaller buffer.
    #[error("the JSON is cut short")]
    CutShort,
    /// The bytes are no JSON.
    #[error("no JSON from byte {at} on")]
    NotJson {
        /// The byte, from 1, at which reading stopped; where bytes that are no UTF-8 stand before,
        /// each counts as three.
        at: usize,
    },
    /// The delivery was under no policy at all, not even `no-policy-found`.
    #[error("the datagram has no policy")]
    NoPolicy,
    /// A key is missing, or its value is of another type.
    #[error("{what}")]
    Schema {
        /// What is wrong, in words of at most 200 bytes.
        what: String,
    },
    /// More bytes than are read.
    #[error("the datagram has {length} bytes, at most {DATAGRAM_LIMIT} are read")]
    TooLong {
        /// The bytes of the datagram.
        length: usize,
    },
    /// Another version of the datagrams than 1. Its keys may mean other things, so nothing of it is
    /// read: this daemon must be renewed.
    #[error("the datagram has version {found}, only version \"1\" is known")]
    UnknownVersion {
        /// The version, in JSON, at most 200 bytes.
        found: String,
    },
}

impl TlsrptReport {
    /// The datagram that libtlsrpt from 0.5.0 on would send. For tools and tests.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            dpv: &'static str,
            #[serde(flatten)]
            report: &'a TlsrptReport,
        }
        let report = self;
        // Texts, numbers and lists always have a JSON form.
        serde_json::to_vec(&Versioned { dpv: "1", report }).unwrap_or_default()
    }
}

/// Reads one datagram. Keys that are not known are passed over.
///
/// ```
/// use hoplock_wire::tlsrpt::{decode, FailureCode, FinalResult, PolicyType, ResultType};
///
/// let report = decode(
///     br#"{"dpv": "1","d": "good.test","pr": "v=TLSRPTv1;rua=mailto:r@good.test","policies":[
///         {"policy-type":9,"policy-domain": "good.test",
///          "failure-details":[{"c":204,"r": "192.0.2.1"}],"t":1,"f":1}]}"#,
/// )?;
/// assert_eq!(report.domain, "good.test");
/// let policy = &report.policies[0];
/// assert_eq!(policy.kind, PolicyType::NoPolicyFound);
/// assert_eq!(policy.failures[0].code, FailureCode::Known(ResultType::CertificateExpired));
/// assert_eq!(policy.result, FinalResult::Failure);
/// # Ok::<(), hoplock_wire::tlsrpt::TlsrptError>(())
/// ```
///
/// # Errors
/// [`TlsrptError`] says what is wrong.
pub fn decode(datagram: &[u8]) -> Result<TlsrptReport, TlsrptError> {
    if datagram.len() > DATAGRAM_LIMIT {
        let length = datagram.len();
        return Err(TlsrptError::TooLong { length });
    }
    let text = String::from_utf8_lossy(datagram);
    if text.trim_start().starts_with('[') {
        // serde would take a list of all values in their order.
        let what = "a datagram is a JSON object".to_owned();
        return Err(TlsrptError::Schema { what });
    }
    // Another version might miss keys that ours has: the version is judged before them.
    let Version { dpv } = serde_json::from_str(&text).map_err(|why| blame(&why))?;
    if dpv.as_ref().is_some_and(|dpv| dpv != "1") {
        let found = cut(dpv.unwrap_or_default().to_string());
        return Err(TlsrptError::UnknownVersion { found });
    }
    let report: TlsrptReport = serde_json::from_str(&text).map_err(|why| blame(&why))?;
    if report.policies.is_empty() {
        return Err(TlsrptError::NoPolicy);
    }
    Ok(report)
}

/// The version alone: absent before 0.5.0.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    dpv: Option<Value>,
}

fn blame(why: &serde_json::Error) -> TlsrptError {
    match why.classify() {
        Category::Eof => TlsrptError::CutShort,
        Category::Syntax | Category::Io => TlsrptError::NotJson { at: why.column() },
        Category::Data => TlsrptError::Schema {
            what: cut(why.to_string()),
        },
    }
}

/// Cuts a text that may quote the datagram.
fn cut(mut text: String) -> String {
    const LIMIT: usize = 200;
    let mut end = text.len().min(LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::net::IpAddr;

    use proptest::option;
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::{
        FailureDetail, FinalResult, PolicyReport, PolicyType, TlsrptError, TlsrptReport, decode,
    };
    use crate::tlsrpt::{DATAGRAM_LIMIT, FailureCode, ResultType};

    // The four datagrams were taken from Postfix 3.10.13 with libtlsrpt 0.5.0rc1, byte for byte; where
    // the record of the capture leaves digits or keys out, they are filled in as the first two have
    // them.
    const DANE: &str = r#"{"d": "dane.test","pr": "v=TLSRPTv1;rua=mailto:r@dane.test","policies":[{"policy-type":1,"policy-domain": "mx.dane.test","policy-string":["3 1 1 BE70B60A1DFA9DECB445FBD3254E1FC2ACF0E3962117BB7798461640CDBAB790"],"t":0,"f":0}]}"#;
    const STS: &str = r#"{"d": "sts.test","pr": "v=TLSRPTv1; rua=mailto:r@sts.test","policies":[{"policy-type":2,"policy-domain": "sts.test","policy-string":["version: STSv1","mode: enforce","mx: mx.sts.test","max_age: 86400"],"mx-host":["mx.sts.test"],"t":0,"f":0}]}"#;
    const DANE_BAD: &str = r#"{"d": "danebad.test","pr": "v=TLSRPTv1; rua=mailto:r@danebad.test","policies":[{"policy-type":1,"policy-domain": "mx.danebad.test","policy-string":["3 1 1 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB"],"failure-details":[{"c":203,"s": "127.0.0.1","n": "mx.danebad.test","h": "250-sink-good-yes-25\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS","r": "127.0.1.1"}],"t":1,"f":1}]}"#;
    const TLS_BAD: &str = r#"{"d": "badtls.test","pr": "v=TLSRPTv1; rua=mailto:r@badtls.test","policies":[{"policy-type":9,"policy-domain": "badtls.test","failure-details":[{"c":205,"s": "127.0.0.1","n": "mx.badtls.test","h": "250-sink-badtls-yes-25\r\n250 STARTTLS","r": "127.0.1.7","f": "tls-handshake-failure"}],"t":1,"f":1}]}"#;

    /// As libtlsrpt 0.5.0 and later write the same.
    fn versioned(datagram: &str) -> String {
        datagram.replacen('{', r#"{"dpv": "1","#, 1)
    }

    fn failure(code: ResultType) -> FailureDetail {
        FailureDetail {
            code: FailureCode::Known(code),
            sending_ip: None,
            mx_host: None,
            ehlo: None,
            receiving_ip: None,
            additional: None,
            reason: None,
        }
    }

    fn ehlo(lines: &[&str]) -> Option<String> {
        Some(lines.join("\r\n"))
    }

    /// RP-03, RP-06: what real Postfix sent, with the version and without it.
    #[test]
    fn captured_datagrams() {
        let local = "127.0.0.1".parse().ok();
        let dane = PolicyReport {
            kind: PolicyType::Tlsa,
            domain: "mx.dane.test".to_owned(),
            policy_strings: vec![
                "3 1 1 BE70B60A1DFA9DECB445FBD3254E1FC2ACF0E3962117BB7798461640CDBAB790".to_owned(),
            ],
            mx_hosts: vec![],
            failures: vec![],
            result: FinalResult::Success,
        };
        let lines = [
            "version: STSv1",
            "mode: enforce",
            "mx: mx.sts.test",
            "max_age: 86400",
        ];
        let sts = PolicyReport {
            kind: PolicyType::Sts,
            domain: "sts.test".to_owned(),
            policy_strings: lines.map(str::to_owned).to_vec(),
            mx_hosts: vec!["mx.sts.test".to_owned()],
            failures: vec![],
            result: FinalResult::Success,
        };
        let dane_bad = PolicyReport {
            kind: PolicyType::Tlsa,
            domain: "mx.danebad.test".to_owned(),
            policy_strings: vec![format!("3 1 1 {}", "AB".repeat(32))],
            mx_hosts: vec![],
            failures: vec![FailureDetail {
                sending_ip: local,
                mx_host: Some("mx.danebad.test".to_owned()),
                ehlo: ehlo(&[
                    "250-sink-good-yes-25",
                    "250-PIPELINING",
                    "250-8BITMIME",
                    "250-ENHANCEDSTATUSCODES",
                    "250 STARTTLS",
                ]),
                receiving_ip: "127.0.1.1".parse().ok(),
                ..failure(ResultType::CertificateNotTrusted)
            }],
            result: FinalResult::Failure,
        };
        let tls_bad = PolicyReport {
            kind: PolicyType::NoPolicyFound,
            domain: "badtls.test".to_owned(),
            policy_strings: vec![],
            mx_hosts: vec![],
            failures: vec![FailureDetail {
                sending_ip: local,
                mx_host: Some("mx.badtls.test".to_owned()),
                ehlo: ehlo(&["250-sink-badtls-yes-25", "250 STARTTLS"]),
                receiving_ip: "127.0.1.7".parse().ok(),
                reason: Some("tls-handshake-failure".to_owned()),
                ..failure(ResultType::ValidationFailure)
            }],
            result: FinalResult::Failure,
        };
        for (datagram, domain, blank, policy) in [
            (DANE, "dane.test", "", dane),
            (STS, "sts.test", " ", sts),
            (DANE_BAD, "danebad.test", " ", dane_bad),
            (TLS_BAD, "badtls.test", " ", tls_bad),
        ] {
            let expected = TlsrptReport {
                domain: domain.to_owned(),
                record: format!("v=TLSRPTv1;{blank}rua=mailto:r@{domain}"),
                policies: vec![policy],
            };
            assert_eq!(
                decode(datagram.as_bytes()).as_ref(),
                Ok(&expected),
                "{domain}"
            );
            assert_eq!(
                decode(versioned(datagram).as_bytes()),
                Ok(expected),
                "{domain}"
            );
        }
    }

    /// RP-08: a later library may write more; one datagram may tell of several policies.
    #[test]
    fn several_policies_and_unknown_keys() {
        let datagram = br#" {"d":"a.test","pr":"v=TLSRPTv1","new":[{}],"policies":[
            {"policy-type":1,"policy-domain":"mx.a.test","f":1,"t":2,"u":null,"failure-details":[
                {"c":304,"s":"2001:db8::1","r":"fe80::1%eth0","a":"","z":1}, {"c":901}]},
            {"policy-type":77,"policy-domain":"a.test","t":0,"f":0}]}
"#;
        let report = decode(datagram).unwrap();
        let [first, second] = &report.policies[..] else {
            panic!("{report:?}")
        };
        let known = FailureDetail {
            sending_ip: "2001:db8::1".parse().ok(),
            receiving_ip: "fe80::1".parse().ok(),
            additional: Some(String::new()),
            ..failure(ResultType::TlsaInvalid)
        };
        let unknown = FailureDetail {
            code: FailureCode::Unknown(901),
            ..failure(ResultType::TlsaInvalid)
        };
        assert_eq!(first.failures, [known, unknown]);
        assert_eq!(second.kind, PolicyType::Unknown(77));
        assert_eq!(second.result, FinalResult::Success);
    }

    /// RP-06: the three kinds have the words of RFC 8460.
    #[test]
    fn policy_types_have_words() {
        for (number, word) in [
            (1, Some("tlsa")),
            (2, Some("sts")),
            (9, Some("no-policy-found")),
            (0, None),
            (-9, None),
        ] {
            let kind = PolicyType::from(number);
            assert_eq!(kind.word(), word);
            assert_eq!(i64::from(kind), number);
        }
    }

    /// SV-11: each way to be no datagram has its words.
    #[test]
    fn bad_datagrams_are_named() {
        let policy = r#"{"policy-type":1,"policy-domain":"a","f":0}"#;
        let whole = format!(r#"{{"d":"a","pr":"b","policies":[{policy}]}}"#);
        assert!(decode(whole.as_bytes()).is_ok());
        for (from, to, words) in [
            (r#""d":"a","#, "", "missing field `d`"),
            (r#""pr":"b","#, "", "missing field `pr`"),
            (r#""d":"a""#, r#""d":{}"#, "invalid type: map"),
            (r#""f":0"#, r#""f":2"#, "f must be 0 or 1"),
            (r#""f":0"#, r#""f":"0""#, "invalid type: string \"0\""),
            (r#""f":0"#, r#""f":0,"f":0"#, "duplicate field `f`"),
            (r#""f":0"#, r#""t":0"#, "missing field `f`"),
            (":1,", ":1.5,", "invalid type: floating point `1.5`"),
            (
                ":1,",
                ":99999999999999999999,",
                "invalid type: floating point",
            ),
            (":1,", ":1e999,", "no JSON from byte"),
            (
                r#""f":0"#,
                r#""mx-host":[1],"f":0"#,
                "invalid type: integer `1`",
            ),
            (
                r#""f":0"#,
                r#""failure-details":[{"c":201,"s":"mx.test"}],"f":0"#,
                "invalid value: string \"mx.test\", expected an IP address",
            ),
            ("{\"d\"", "\0{\"d\"", "no JSON from byte 1 on"),
            ("}]}", "}]}\0", "no JSON from byte"),
            ("}]}", "}]", "the JSON is cut short"),
        ] {
            let datagram = whole.replacen(from, to, 1);
            assert_ne!(datagram, whole);
            let why = decode(datagram.as_bytes()).unwrap_err().to_string();
            assert!(why.starts_with(words), "{datagram}: {why}");
        }
        let none = br#"{"d":"a","pr":"b","policies":[]}"#;
        assert_eq!(decode(none), Err(TlsrptError::NoPolicy));
        for no_object in ["[]", r#" ["a","b",[]]"#, "1", "null", "\"d\""] {
            let why = decode(no_object.as_bytes());
            assert!(
                matches!(why, Err(TlsrptError::Schema { .. })),
                "{no_object}"
            );
        }
        let deep = format!(r#"{{"d":{}"#, "[".repeat(DATAGRAM_LIMIT / 2));
        assert!(decode(deep.as_bytes()).is_err());
    }

    /// SV-11: another version is an error of its own, before anything else is looked for.
    #[test]
    fn another_version_is_not_read() {
        for version in [r#""2""#, r#""""#, "1", "[]", "true"] {
            let found = version.to_owned();
            let datagram = format!(r#"{{"dpv":{version},"domain":"other keys"}}"#);
            let why = TlsrptError::UnknownVersion { found };
            assert_eq!(decode(datagram.as_bytes()), Err(why));
        }
        let long = format!(r#"{{"dpv":"{}"}}"#, "\u{fc}".repeat(1000));
        let Err(TlsrptError::UnknownVersion { found }) = decode(long.as_bytes()) else {
            panic!("no error")
        };
        assert!(found.len() <= 200);
    }

    /// SV-11: a datagram of the limit is read, a longer one is not.
    #[test]
    fn datagrams_are_bounded() {
        let mut longest = DANE.as_bytes().to_vec();
        longest.resize(DATAGRAM_LIMIT, b' ');
        assert!(decode(&longest).is_ok());
        longest.push(b' ');
        let length = DATAGRAM_LIMIT + 1;
        assert_eq!(decode(&longest), Err(TlsrptError::TooLong { length }));
    }

    /// SV-11: a host that answers EHLO in Latin-1 does not spoil the report of its failure.
    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        let mut datagram = DANE_BAD.as_bytes().to_vec();
        let at = DANE_BAD.find("sink").unwrap();
        datagram[at] = 0xfc;
        let report = decode(&datagram).unwrap();
        let ehlo = report.policies[0].failures[0].ehlo.as_deref().unwrap();
        assert!(ehlo.starts_with("250-\u{fffd}ink"), "{ehlo}");
    }

    /// SV-11: a datagram that stops anywhere is cut short.
    #[test]
    fn a_cut_datagram_is_cut_short() {
        for datagram in [DANE, STS, DANE_BAD, TLS_BAD, &versioned(STS)] {
            for at in 0..datagram.len() {
                let (start, _) = datagram.split_at(at);
                assert_eq!(
                    decode(start.as_bytes()),
                    Err(TlsrptError::CutShort),
                    "{start}"
                );
            }
        }
    }

    fn policies() -> impl Strategy<Value = PolicyReport> {
        let text = || option::of("(?s).{0,9}");
        let texts = || proptest::collection::vec("(?s).{0,9}", 0..3);
        let code = prop_oneof![200_i64..310, any::<i64>()];
        let address = || option::of(any::<IpAddr>());
        let failure = (code, address(), text(), text(), address(), text(), text());
        let failure = failure.prop_map(|parts| FailureDetail {
            code: parts.0.into(),
            sending_ip: parts.1,
            mx_host: parts.2,
            ehlo: parts.3,
            receiving_ip: parts.4,
            additional: parts.5,
            reason: parts.6,
        });
        let failures = proptest::collection::vec(failure, 0..3);
        let kind = prop_oneof![0_i64..10, any::<i64>()];
        let parts = (
            kind,
            "(?s).{0,9}",
            texts(),
            texts(),
            failures,
            any::<bool>(),
        );
        parts.prop_map(|parts| PolicyReport {
            kind: parts.0.into(),
            domain: parts.1,
            policy_strings: parts.2,
            mx_hosts: parts.3,
            failures: parts.4,
            result: match parts.5 {
                true => FinalResult::Success,
                false => FinalResult::Failure,
            },
        })
    }

    proptest! {
        /// RP-03: what a library writes is read as it was meant.
        #[test]
        fn decode_undoes_encode(
            domain in "(?s).{0,9}",
            record in "(?s).{0,9}",
            policies in proptest::collection::vec(policies(), 1..4),
        ) {
            let report = TlsrptReport { domain, record, policies };
            let datagram = report.encode();
            assert!(datagram.starts_with(br#"{"dpv":"1","d":"#));
            prop_assert_eq!(decode(&datagram), Ok(report));
        }

        /// SV-11: any bytes, and any bytes inside a datagram.
        #[test]
        fn any_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            at in 0_usize..300,
        ) {
            crate::fuzzing::tlsrpt(&bytes);
            let mut datagram = TLS_BAD.as_bytes().to_vec();
            let end = datagram.len().min(at + bytes.len());
            datagram.splice(at..end, bytes);
            crate::fuzzing::tlsrpt(&datagram);
        }
    }
}
