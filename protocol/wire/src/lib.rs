//! Sans-I/O codecs of what mail servers speak and write: bytes in, messages out, and back.
//!
//! Every function is pure: the caller owns sockets, files, buffers, deadlines and clocks, and each
//! codec names its limits. What is malformed harms nothing but itself.
//!
//! | bytes | found by | read by |
//! |---|---|---|
//! | socketmap_table(5) of Postfix, and the socket map of Sendmail | [`netstring`] | [`socketmap`] |
//! | session reports and their answers, in JSON | [`lines`] | [`session`] |
//! | the key of Sendmail's session check | [`socketmap`] | [`verifier`] |
//! | libtlsrpt's datagrams | the socket | [`tlsrpt`] |
//! | TLS reports, in JSON | a file, a mail | [`tlsrpt`] |
//! | Exim's `${readsocket{…}}` | [`lines`] | [`readsocket`] |
//! | requests of Postfix's SMTP server to a policy server, and their actions | [`delegation`] | [`delegation`] |
//! | the milter protocol of Sendmail and Postfix | [`milter::packet`] | [`milter`] |
//! | addresses of an envelope, inside both | | [`mailbox`] |
//! | replies of SMTP servers to a client | [`smtp_reply`] | [`smtp_reply`] |
//! | the log of Postfix's smtp(8) | [`lines`], or the journal | [`postfix_log`] |
//! | lists of destinations, and logs of mail servers for their recipients | [`lines`] | [`destinations`] |
//!
//! What leaves in the words of SMTP and of messages is made first, and cannot be added to:
//! [`refusal`], [`header_field`].
//!
//! Not done here: what a key, a certificate or a failure means, and what it deserves.
//!
//! # Socketmap
//!
//! Framing that is broken closes a connection; content that is bad is answered with `TEMP`, which
//! makes the mail server wait and never deliver with less protection. One turn of a conversation,
//! from both ends:
//!
//! ```
//! use hoplock_wire::netstring;
//! use hoplock_wire::socketmap::{
//!     decode_reply, decode_request, Received, Reply, Request, QUERY_LIMIT, REPLY_LIMIT,
//! };
//!
//! // The mail server asks ...
//! let mut bytes = Vec::new();
//! Request { map: "postfix", key: "good.test" }.encode(QUERY_LIMIT, &mut bytes)?;
//! assert_eq!(bytes, b"17:postfix good.test,");
//!
//! // ... the daemon reads and answers ...
//! let frame = netstring::decode(&bytes, QUERY_LIMIT)?.ok_or("read more")?;
//! let request = decode_request(frame.payload)?;
//! assert_eq!((request.map, request.key), ("postfix", "good.test"));
//! let mut bytes = Vec::new();
//! Reply::ok("dane-only".to_owned())?.encode(REPLY_LIMIT, &mut bytes);
//! assert_eq!(bytes, b"12:OK dane-only,");
//!
//! // ... and the mail server reads the answer.
//! let frame = netstring::decode(&bytes, REPLY_LIMIT)?.ok_or("read more")?;
//! assert_eq!(decode_reply(frame.payload), Ok(Received::Ok("dane-only")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Session reports
//!
//! ```
//! use hoplock_wire::lines::{Found, LineFramer};
//! use hoplock_wire::session::{decode, ErrorLine, LINE_LIMIT, VerdictLine};
//!
//! let bytes = b"{\"mx_host\":\"mx.good.test\",\"starttls\":\"used\"}\n{\"port\":\n";
//! let (mut framer, mut rest, mut out) = (LineFramer::new(LINE_LIMIT), &bytes[..], Vec::new());
//! loop {
//!     let step = framer.decode(rest);
//!     rest = &rest[step.consumed..];
//!     match step.found {
//!         Some(Found::Line { number, bytes }) => match decode(bytes) {
//!             Ok(session) => {
//!                 assert_eq!(session.mx_host.as_deref(), Some("mx.good.test"));
//!                 let (verdict, reason) = ("indeterminate", "chain-missing");
//!                 VerdictLine { verdict, reason, ..VerdictLine::default() }.encode(&mut out);
//!             }
//!             Err(why) => ErrorLine { error: &why.to_string(), line: number }.encode(&mut out),
//!         },
//!         Some(Found::Overlong { number }) => {
//!             ErrorLine { error: "the line is too long", line: number }.encode(&mut out);
//!         }
//!         None => break,
//!     }
//! }
//! let expected = r#"{"verdict":"indeterminate","reason":"chain-missing","matched":null,"warnings":[]}
//! {"error":"the JSON is cut short","line":2}
//! "#;
//! assert_eq!(String::from_utf8(out)?, expected);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # TLSRPT datagrams
//!
//! ```
//! use hoplock_wire::tlsrpt::{decode, FailureCode, FinalResult, ResultType};
//!
//! let report = decode(
//!     br#"{"d": "bad.test","pr": "v=TLSRPTv1;rua=mailto:r@bad.test","policies":[{"policy-type":1,
//!     "policy-domain": "mx.bad.test","policy-string":["3 1 1 ABAB"],"failure-details":[{"c":203,
//!     "s": "192.0.2.9","n": "mx.bad.test","r": "192.0.2.1"}],"t":1,"f":1}]}"#,
//! )?;
//! let policy = &report.policies[0];
//! assert_eq!(policy.kind.word(), Some("tlsa"));
//! assert_eq!(policy.failures[0].code, FailureCode::Known(ResultType::CertificateNotTrusted));
//! assert_eq!(policy.result, FinalResult::Failure);
//! # Ok::<(), hoplock_wire::tlsrpt::TlsrptError>(())
//! ```
//!
//! # Postfix's log
//!
//! ```
//! use hoplock_wire::postfix_log::{parse_line, Correlator, LoggedStarttls, TrustLevel};
//!
//! let log = "\
//! Nov 26 10:00:00 out postfix/smtp[7]: Trusted TLS connection established to \
//! mx.a.test[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
//! Nov 26 10:00:01 out postfix/smtp[7]: 4c1P6x: to=<user@a.test>, relay=mx.a.test[192.0.2.1]:25, \
//! delay=1, delays=0/0/0.5/0.4, dsn=4.7.5, status=deferred (Server certificate not verified)
//! ";
//! let mut correlator = Correlator::new();
//! let mut sessions = Vec::new();
//! for line in log.lines().filter_map(parse_line) {
//!     sessions.extend(correlator.feed(&line));
//! }
//! sessions.extend(correlator.finish());
//!
//! assert_eq!(sessions.len(), 1);
//! assert_eq!(sessions[0].starttls, Some(LoggedStarttls::Used));
//! assert_eq!(sessions[0].trust, Some(TrustLevel::Trusted));
//! assert_eq!(sessions[0].words, ["Server certificate not verified"]);
//! ```
#![forbid(unsafe_code)]

pub mod delegation;
pub mod destinations;
#[doc(hidden)]
pub mod fuzzing;
pub mod header_field;
pub mod lines;
pub mod mailbox;
pub mod milter;
pub mod netstring;
pub mod postfix_log;
pub mod readsocket;
pub mod refusal;
pub mod session;
pub mod smtp_reply;
pub mod socketmap;
pub mod tlsrpt;
pub mod verifier;
