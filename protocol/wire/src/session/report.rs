//! One report: a TLS session as somebody tells of it.

use std::net::IpAddr;

use data_encoding::BASE64;
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::members::{Members, Place, SessionError};
use super::{CHAIN_LIMIT, LIST_LIMIT};

/// A session with one mail host. Every part may be missing, and is then unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReportedSession {
    /// What the answer shall bear again, so that whoever asks in parallel finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The destination whose policy the session owes: a domain, or `[host]`, with a port or without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<String>,
    /// The host, under the name that the MX record gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Its port, never 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// When the session began, as the reporter writes it; RFC 3339 is asked for, and not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What became of STARTTLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttls: Option<Starttls>,
    /// The protocol version, in the words of the reporter's TLS library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<String>,
    /// The cipher suite, in the words of the reporter's TLS library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The server name that was asked for (RFC 6066, 3).
    #[serde(skip_serializing_if = "Sni::is_unknown")]
    pub sni: Sni,
    /// The certificates that the host showed: DER, leaf first, none of them empty. An empty chain
    /// says that none was shown.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "chain_in_base64"
    )]
    pub chain: Option<Vec<Vec<u8>>>,
    /// The bare key that the host showed (RFC 7250): DER of its SubjectPublicKeyInfo.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "key_in_base64"
    )]
    pub raw_key: Option<Vec<u8>>,
    /// Whether the session resumed an earlier one (RFC 8446, 2.2), so that nothing was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
    /// The host's TLSA records when the session was made, as `3 1 1 abcd…`; an empty list says that
    /// there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tlsa: Option<Vec<String>>,
    /// The names that the certificate may be made out to (RFC 7672, 3.2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// The text of the MTA-STS policy in force (RFC 8461, 3.2); `null` leaves it unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sts_policy: Option<String>,
}

impl ReportedSession {
    /// Appends the report to `out` as one line with its LF. For reporters: tools and tests.
    ///
    /// What breaks a limit of [`decode`] is written all the same.
    pub fn encode(&self, out: &mut Vec<u8>) {
        super::answer::write(self, out);
    }
}

/// What became of STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Starttls {
    /// The session is encrypted.
    Used,
    /// The host did not offer it.
    NotOffered,
    /// The host offered it and said no to the command.
    Refused,
    /// The handshake failed.
    Failed,
}

impl Starttls {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Used, Self::NotOffered, Self::Refused, Self::Failed];

    /// The word of the session JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::NotOffered => "not-offered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Reads the word of the session JSON.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.word() == word)
    }
}

impl Serialize for Starttls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// The server name that was asked for (RFC 6066, 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sni {
    /// The report does not say: the key is absent.
    #[default]
    Unknown,
    /// None: the key is `null` or empty.
    NotSent,
    /// This one.
    Sent(String),
}

impl Sni {
    // serde asks for a reference.
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl Serialize for Sni {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown | Self::NotSent => serializer.serialize_none(),
            Self::Sent(name) => serializer.serialize_str(name),
        }
    }
}

/// Reads one line as a report.
///
/// ```
/// use hoplock_wire::session::{decode, Sni, Starttls};
///
/// let line = br#"{"mx_host":"mx.good.test","port":25,"starttls":"used","sni":null,"chain":["MAA="]}"#;
/// let session = decode(line)?;
/// assert_eq!(session.mx_host.as_deref(), Some("mx.good.test"));
/// assert_eq!(session.starttls, Some(Starttls::Used));
/// assert_eq!(session.sni, Sni::NotSent);
/// assert_eq!(session.chain, Some(vec![vec![0x30, 0x00]]));
/// assert_eq!(session.tls_version, None);
///
/// let why = decode(br#"{"port":"25"}"#).unwrap_err();
/// assert_eq!(why.to_string(), "port must be a number from 1 to 65535");
/// # Ok::<(), hoplock_wire::session::SessionError>(())
/// ```
///
/// # Errors
/// [`SessionError`] names the key that is wrong, or what is wrong with the line.
pub fn decode(line: &[u8]) -> Result<ReportedSession, SessionError> {
    let mut members = Members::parse(line)?;
    Ok(ReportedSession {
        id: members.text("id")?,
        next_hop: members.text("next_hop")?,
        mx_host: members.text("mx_host")?,
        address: members.parsed("address", "an IP address", |text| text.parse().ok())?,
        port: members.port("port")?,
        time: members.text("time")?,
        starttls: members.parsed(
            "starttls",
            "one of used, not-offered, refused, failed",
            Starttls::parse,
        )?,
        tls_version: members.text("tls_version")?,
        cipher: members.text("cipher")?,
        sni: sni(members.take("sni"))?,
        chain: members.ders("chain", CHAIN_LIMIT)?,
        raw_key: members.der("raw_key")?,
        resumed: members.truth("resumed")?,
        tlsa: members.texts("tlsa", LIST_LIMIT)?,
        names: members.texts("names", LIST_LIMIT)?,
        sts_policy: members.text("sts_policy")?,
    })
}

fn sni(value: Option<Value>) -> Result<Sni, SessionError> {
    match value {
        None => Ok(Sni::Unknown),
        Some(Value::Null) => Ok(Sni::NotSent),
        Some(Value::String(name)) if name.is_empty() => Ok(Sni::NotSent),
        Some(Value::String(name)) => Ok(Sni::Sent(name)),
        Some(_) => Err(SessionError::Expected {
            place: Place {
                key: "sni",
                index: None,
            },
            expected: "a text or null",
        }),
    }
}

fn chain_in_base64<S: Serializer>(
    chain: &Option<Vec<Vec<u8>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(chain.iter().flatten().map(|der| BASE64.encode(der)))
}

fn key_in_base64<S: Serializer>(key: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(key.as_deref().unwrap_or_default()))
}

/// What is read of a report; the rest is passed over.
pub(super) const KEYS: [&str; 16] = [
    "id",
    "next_hop",
    "mx_host",
    "address",
    "port",
    "time",
    "starttls",
    "tls_version",
    "cipher",
    "sni",
    "chain",
    "raw_key",
    "resumed",
    "tlsa",
    "names",
    "sts_policy",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::net::IpAddr;

    use data_encoding::BASE64;
    use proptest::option;
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
    use serde_json::json;

    use super::{KEYS, ReportedSession, Sni, Starttls, decode};
    use crate::session::{CHAIN_LIMIT, LINE_LIMIT, LIST_LIMIT, Place, SessionError};

    /// With each of the keys.
    const WHOLE: &str = r#"{"id":"7","next_hop":"example.com","mx_host":"mx1.example.com",
        "address":"192.0.2.1","port":25,"time":"2026-11-22T10:00:00Z","starttls":"used",
        "tls_version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","sni":"mx1.example.com",
        "chain":["MAA=","MAIFAA=="],"raw_key":"MAA=","resumed":false,"tlsa":["3 1 1 abcd"],
        "names":["mx1.example.com"],"sts_policy":"version: STSv1\r\n"}"#;

    fn whole() -> ReportedSession {
        let text = |text: &str| Some(text.to_owned());
        ReportedSession {
            id: text("7"),
            next_hop: text("example.com"),
            mx_host: text("mx1.example.com"),
            address: Some("192.0.2.1".parse().unwrap()),
            port: Some(25),
            time: text("2026-11-22T10:00:00Z"),
            starttls: Some(Starttls::Used),
            tls_version: text("TLSv1.3"),
            cipher: text("TLS_AES_256_GCM_SHA384"),
            sni: Sni::Sent("mx1.example.com".to_owned()),
            chain: Some(vec![vec![0x30, 0], vec![0x30, 2, 5, 0]]),
            raw_key: Some(vec![0x30, 0]),
            resumed: Some(false),
            tlsa: Some(vec!["3 1 1 abcd".to_owned()]),
            names: Some(vec!["mx1.example.com".to_owned()]),
            sts_policy: text("version: STSv1\r\n"),
        }
    }

    fn place(key: &'static str) -> Place {
        Place { key, index: None }
    }

    /// SV-01: every part is read where it is told, and unknown where it is not; one missing part
    /// takes no other with it.
    #[test]
    fn each_part_may_be_missing() {
        let object: serde_json::Value = serde_json::from_str(WHOLE).unwrap();
        assert_eq!(decode(WHOLE.as_bytes()), Ok(whole()));
        assert_eq!(decode(b"{}"), Ok(ReportedSession::default()));
        for missing in KEYS {
            let mut object = object.clone();
            object.as_object_mut().unwrap().remove(missing).unwrap();
            let session = decode(object.to_string().as_bytes()).unwrap();

            let (mut expected, unknown) = (whole(), ReportedSession::default());
            match missing {
                "id" => expected.id = unknown.id,
                "next_hop" => expected.next_hop = unknown.next_hop,
                "mx_host" => expected.mx_host = unknown.mx_host,
                "address" => expected.address = unknown.address,
                "port" => expected.port = unknown.port,
                "time" => expected.time = unknown.time,
                "starttls" => expected.starttls = unknown.starttls,
                "tls_version" => expected.tls_version = unknown.tls_version,
                "cipher" => expected.cipher = unknown.cipher,
                "sni" => expected.sni = unknown.sni,
                "chain" => expected.chain = unknown.chain,
                "raw_key" => expected.raw_key = unknown.raw_key,
                "resumed" => expected.resumed = unknown.resumed,
                "tlsa" => expected.tlsa = unknown.tlsa,
                "names" => expected.names = unknown.names,
                "sts_policy" => expected.sts_policy = unknown.sts_policy,
                other => panic!("{other}"),
            }
            assert_eq!(session, expected, "without {missing}");

            // `null` is the same as nothing, but for the server name.
            object[missing] = serde_json::Value::Null;
            if missing == "sni" {
                expected.sni = Sni::NotSent;
            }
            let session = decode(object.to_string().as_bytes());
            assert_eq!(session, Ok(expected), "{missing} null");
        }
    }

    /// SV-01: absent, none and a name are three things; so are no list and an empty one.
    #[test]
    fn nothing_said_is_not_nothing_there() {
        for (line, sni) in [
            ("{}", Sni::Unknown),
            (r#"{"sni":null}"#, Sni::NotSent),
            (r#"{"sni":""}"#, Sni::NotSent),
            (r#"{"sni":"mx.test"}"#, Sni::Sent("mx.test".to_owned())),
        ] {
            assert_eq!(decode(line.as_bytes()).unwrap().sni, sni, "{line}");
        }
        let empty = decode(br#"{"chain":[],"tlsa":[],"names":[]}"#).unwrap();
        assert_eq!(empty.chain, Some(vec![]));
        assert_eq!(empty.tlsa, Some(vec![]));
        assert_eq!(empty.names, Some(vec![]));
    }

    /// SV-01: a reporter may know more than we do.
    #[test]
    fn unknown_keys_are_passed_over() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        let line = format!(r#"{{"queue":{{"id":[1,{{}}]}},"deep":{deep},"port":25,"Port":"x"}}"#);
        assert_eq!(decode(line.as_bytes()).unwrap().port, Some(25));
    }

    /// SV-11: a known key of a wrong type is an error that names it.
    #[test]
    fn a_wrong_type_is_named() {
        let text_wanted = [
            "id",
            "next_hop",
            "mx_host",
            "time",
            "tls_version",
            "cipher",
            "raw_key",
            "sts_policy",
        ];
        for key in text_wanted {
            for value in [json!(1), json!(true), json!([]), json!({})] {
                let why = decode(json!({ key: value }).to_string().as_bytes()).unwrap_err();
                assert_eq!(why.to_string(), format!("{key} must be a text"));
            }
        }
        for (line, words) in [
            (r#"{"address":"mx.test"}"#, "address must be an IP address"),
            (
                r#"{"address":"192.0.2.1:25"}"#,
                "address must be an IP address",
            ),
            (r#"{"address":7}"#, "address must be an IP address"),
            (r#"{"port":"25"}"#, "port must be a number from 1 to 65535"),
            (r#"{"port":0}"#, "port must be a number from 1 to 65535"),
            (r#"{"port":-1}"#, "port must be a number from 1 to 65535"),
            (r#"{"port":65536}"#, "port must be a number from 1 to 65535"),
            (r#"{"port":25.5}"#, "port must be a number from 1 to 65535"),
            (
                r#"{"port":99999999999999999999}"#,
                "port must be a number from 1 to 65535",
            ),
            (
                r#"{"starttls":"yes"}"#,
                "starttls must be one of used, not-offered, refused, failed",
            ),
            (
                r#"{"starttls":true}"#,
                "starttls must be one of used, not-offered, refused, failed",
            ),
            (r#"{"sni":1}"#, "sni must be a text or null"),
            (r#"{"resumed":"no"}"#, "resumed must be true or false"),
            (r#"{"chain":"MAA="}"#, "chain must be a list of texts"),
            (r#"{"chain":["MAA=",null]}"#, "chain[1] must be a text"),
            (r#"{"tlsa":{}}"#, "tlsa must be a list of texts"),
            (r#"{"names":["a",1]}"#, "names[1] must be a text"),
        ] {
            assert_eq!(decode(line.as_bytes()).unwrap_err().to_string(), words);
        }
    }

    /// SV-11: bad base64 is an error that names the certificate.
    #[test]
    fn bad_base64_names_its_place() {
        for bad in ["", "M", "MAA", "MAA=\n", "MA A=", "MAB=", "-_==", "\u{fc}"] {
            let line = json!({ "chain": ["MAA=", bad] }).to_string();
            let index = Some(1);
            let why = SessionError::NotBase64 {
                place: Place {
                    key: "chain",
                    index,
                },
            };
            assert_eq!(decode(line.as_bytes()), Err(why), "{bad:?}");
            let line = json!({ "raw_key": bad }).to_string();
            let why = SessionError::NotBase64 {
                place: place("raw_key"),
            };
            assert_eq!(decode(line.as_bytes()), Err(why), "{bad:?}");
        }
    }

    /// SV-11: chains of a hundred certificates pass, one more is too many; so for the lists.
    #[test]
    fn lists_are_bounded() {
        for (key, limit) in [
            ("chain", CHAIN_LIMIT),
            ("tlsa", LIST_LIMIT),
            ("names", LIST_LIMIT),
        ] {
            let line = json!({ key: vec!["MAA="; limit] }).to_string();
            assert!(decode(line.as_bytes()).is_ok(), "{key}");
            let count = limit + 1;
            let line = json!({ key: vec!["MAA="; count] }).to_string();
            let why = SessionError::TooMany { key, count, limit };
            assert_eq!(decode(line.as_bytes()), Err(why));
        }
    }

    /// SV-11: a hundred large certificates fit into a line; 2 MB do not.
    #[test]
    fn lines_are_bounded() {
        let certificate = BASE64.encode(&[0x30; 1900]);
        let line = json!({ "chain": vec![certificate; CHAIN_LIMIT] }).to_string();
        assert_eq!(decode(line.as_bytes()).unwrap().chain.unwrap().len(), 100);

        let longest = format!("{{}}{}", " ".repeat(LINE_LIMIT - 2));
        assert!(decode(longest.as_bytes()).is_ok());
        let length = LINE_LIMIT + 1;
        let longer = format!("{longest} ");
        assert_eq!(
            decode(longer.as_bytes()),
            Err(SessionError::TooLong { length })
        );
        let huge = json!({ "chain": [BASE64.encode(&[0x30; 2_000_000])] }).to_string();
        assert!(matches!(
            decode(huge.as_bytes()),
            Err(SessionError::TooLong { .. })
        ));
    }

    /// SV-11: half JSON, no JSON and JSON that is no object each have their words.
    #[test]
    fn what_is_no_object_is_named() {
        for (line, why) in [
            (&b""[..], SessionError::CutShort),
            (b"{", SessionError::CutShort),
            (br#"{"port":2"#, SessionError::CutShort),
            (br#"{"mx_host":"mx"#, SessionError::CutShort),
            (b"hello", SessionError::NotJson { at: 1 }),
            (b"{'port':25}", SessionError::NotJson { at: 2 }),
            (br#"{"port":25}{"#, SessionError::NotJson { at: 12 }),
            (br#"{"port":25,}"#, SessionError::NotJson { at: 12 }),
            (b"{\"time\":\"\x00\"}", SessionError::NotJson { at: 10 }),
            (b"{\"time\":\"\xff\"}", SessionError::NotJson { at: 10 }),
            (br#"{"time":"\ud800"}"#, SessionError::NotJson { at: 16 }),
            (b"[]", SessionError::NotAnObject),
            (b"null", SessionError::NotAnObject),
            (b"25", SessionError::NotAnObject),
            (
                br#"{"port":25,"port":26}"#,
                SessionError::Twice { key: "port" },
            ),
            (
                br#"{"sni":null,"sni":"a"}"#,
                SessionError::Twice { key: "sni" },
            ),
        ] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(decode(line), Err(why), "{shown}");
        }
        let deep = format!(r#"{{"chain":{}"#, "[".repeat(200_000));
        assert!(matches!(
            decode(deep.as_bytes()),
            Err(SessionError::NotJson { .. })
        ));
    }

    /// SV-11: a line that stops anywhere is cut short, whatever it was to be.
    #[test]
    fn a_cut_line_is_cut_short() {
        let end = WHOLE.len() - 1;
        for at in (0..=end).filter(|at| WHOLE.is_char_boundary(*at)) {
            let (start, _) = WHOLE.split_at(at);
            assert_eq!(
                decode(start.as_bytes()),
                Err(SessionError::CutShort),
                "{start}"
            );
        }
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        option::of("(?s).{0,12}")
    }

    fn sessions() -> impl Strategy<Value = ReportedSession> {
        let bytes = || proptest::collection::vec(any::<u8>(), 1..9);
        let list = || option::of(proptest::collection::vec("(?s).{0,9}", 0..4));
        let sni = prop_oneof![
            Just(Sni::Unknown),
            Just(Sni::NotSent),
            "(?s).{1,9}".prop_map(Sni::Sent)
        ];
        let texts = (text(), text(), text(), text(), text(), text(), text());
        let peer = (
            option::of(any::<IpAddr>()),
            option::of(1_u16..),
            option::of(proptest::sample::select(Starttls::ALL.to_vec())),
            sni,
            option::of(any::<bool>()),
        );
        let shown = (
            option::of(proptest::collection::vec(bytes(), 0..4)),
            option::of(bytes()),
            list(),
            list(),
        );
        (texts, peer, shown).prop_map(|(texts, peer, shown)| ReportedSession {
            id: texts.0,
            next_hop: texts.1,
            mx_host: texts.2,
            address: peer.0,
            port: peer.1,
            time: texts.3,
            starttls: peer.2,
            tls_version: texts.4,
            cipher: texts.5,
            sni: peer.3,
            chain: shown.0,
            raw_key: shown.1,
            resumed: peer.4,
            tlsa: shown.2,
            names: shown.3,
            sts_policy: texts.6,
        })
    }

    proptest! {
        /// SV-01: what a reporter writes is read as it was meant, and stands on one line.
        #[test]
        fn decode_undoes_encode(session in sessions()) {
            let mut out = Vec::new();
            session.encode(&mut out);
            prop_assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1));
            prop_assert_eq!(decode(&out), Ok(session));
        }

        /// SV-11: any bytes, and any bytes inside a report.
        #[test]
        fn any_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            at in 0_usize..300,
        ) {
            crate::fuzzing::session(&bytes);
            let mut line = WHOLE.as_bytes().to_vec();
            let end = line.len().min(at + bytes.len());
            line.splice(at..end, bytes);
            crate::fuzzing::session(&line);
        }
    }
}
