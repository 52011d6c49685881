//! The engine behind `--engine openssl`: the program `openssl` does TLS, so that hosts can be seen which
//! offer only what rustls lacks (TLS 1.0 and 1.1, RSA key exchange, DHE, CBC), and so that OpenSSL's own
//! verdict on TLSA records can be read (SSL_dane_enable(3)).
//!
//! The dialogue in clear text is ours, as for the other engine: `s_client -starttls smtp` tells neither
//! a refusal of STARTTLS from broken TLS nor notices what was slipped in behind the go-ahead. From the
//! first octet of TLS on, the connection is carried to the program through a port on loopback, which
//! takes one connection. It is started without a shell, with a bound on its time and output.
//!
//! Limits: one reference name, the server name, so that a DANE-TA certificate that has the next hop's
//! name alone is not authenticated by OpenSSL's verdict (RFC 7672, 3.2.2 would); EHLO is not said again
//! inside TLS, since the program mixes what the host says there with words of its own; certificates that
//! are no strict DER come as OpenSSL encodes them anew, which is also what it matches.

#[doc(hidden)]
pub mod fuzzing;
mod output;
mod program;

use std::path::PathBuf;
use std::time::Duration;

use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;
use tokio::net::TcpStream;

use self::output::{Reading, Verification};
use self::program::Ended;
use super::turns::Turns;
use super::{ProbeOptions, approach};
use crate::adapters::clock::Stopwatch;
use crate::world::probe::{
    Engine, EngineVerdict, HandshakeFailure, ProbeTarget, Probed, Prober, Signature, Stage, TlsSeen,
};
use crate::world::{Patience, Waiting};

/// The program cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{program} cannot be run: {words}")]
pub struct OpensslMissing {
    /// As it was looked for.
    pub program: String,
    /// Why not.
    pub words: String,
}

/// Probes with the program `openssl`.
#[derive(Debug)]
pub struct OpensslProber {
    program: PathBuf,
    version: String,
    options: ProbeOptions,
    turns: Turns,
}

impl OpensslProber {
    /// A prober on the `openssl` that stands first in the path of programs.
    ///
    /// # Errors
    /// [`OpensslMissing`] where there is none, or it does not say its version.
    pub async fn find(options: ProbeOptions) -> Result<Self, OpensslMissing> {
        Self::with_program(PathBuf::from("openssl"), options).await
    }

    /// A prober on a certain program.
    ///
    /// # Errors
    /// [`OpensslMissing`] where there is none, or it does not say its version.
    pub async fn with_program(
        program: PathBuf,
        options: ProbeOptions,
    ) -> Result<Self, OpensslMissing> {
        match program::version(&program).await {
            Ok(version) => Ok(Self {
                program,
                version,
                options,
                turns: Turns::new(),
            }),
            Err(words) => Err(OpensslMissing {
                program: program.display().to_string(),
                words,
            }),
        }
    }

    /// What the program says of itself, such as `OpenSSL 3.0.19 27 Jan 2026`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    async fn look(&self, seen: &mut Probed) {
        let patience = Patience::of(self.options.timeout);
        let approached = approach::approach(seen, &self.options.helo, patience).await;
        let Some(stream) = approached else { return };
        seen.server_name_sent = Some(seen.target.server_name.clone());
        let (ended, took) = self.shake_hands(seen, stream, patience).await;
        seen.took.handshake = Some(took);
        match ended {
            Ended::Output(output) => {
                record(seen, Reading::of(&output.stdout, &output.stderr));
            }
            Ended::Silent => {
                seen.stage = Stage::HandshakeFailed {
                    kind: HandshakeFailure::Timeout,
                    detail: "the host fell silent".to_owned(),
                };
            }
            Ended::Failed(detail) => seen.stage = Stage::EngineFailed { detail },
        }
    }

    async fn shake_hands(
        &self,
        seen: &Probed,
        stream: TcpStream,
        patience: Patience,
    ) -> (Ended, Duration) {
        let arguments = arguments(&seen.target);
        program::s_client(&self.program, &arguments, stream, patience).await
    }
}

impl Prober for OpensslProber {
    fn probe(&self, target: ProbeTarget) -> Waiting<'_, Probed> {
        Box::pin(async move {
            let _turn = self.turns.take(target.address.ip()).await;
            let watch = Stopwatch::start();
            let mut seen = Probed::nothing(target, Engine::Openssl);
            self.look(&mut seen).await;
            seen.took.all = watch.elapsed();
            seen
        })
    }
}

/// What `s_client` is told beside where to connect. Each is one argument; nothing passes a shell.
fn arguments(target: &ProbeTarget) -> Vec<String> {
    let mut arguments: Vec<String> = FIXED.iter().map(|word| (*word).to_owned()).collect();
    let name = target.server_name.to_string();
    arguments.extend(["-servername".to_owned(), name.clone()]);
    if !target.records.is_empty() {
        arguments.extend(["-dane_tlsa_domain".to_owned(), name]);
        // RFC 7672, 3.1.1: as Postfix has it.
        arguments.push("-dane_ee_no_namechecks".to_owned());
        for record in &target.records {
            arguments.extend(["-dane_tlsa_rrdata".to_owned(), presentation(record)]);
        }
    }
    arguments
}

/// RFC 6698, 2.2.
fn presentation(record: &TlsaRecord) -> String {
    use std::fmt::Write as _;
    let TlsaRecord {
        usage,
        selector,
        matching,
        data,
    } = record;
    let start = format!("{usage} {selector} {matching} ");
    data.iter().fold(start, |mut text, octet| {
        // Writing to a string does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn record(seen: &mut Probed, reading: Reading) {
    seen.chain = reading
        .chain
        .iter()
        .cloned()
        .map(Certificate::from_der)
        .collect();
    if !reading.finished {
        seen.stage = match reading.failure() {
            Some((kind, detail)) => Stage::HandshakeFailed { kind, detail },
            None => Stage::EngineFailed {
                detail: reading.own_trouble(),
            },
        };
        return;
    }
    seen.stage = Stage::Established;
    seen.tls = Some(TlsSeen {
        version: reading.version,
        cipher: reading.cipher.unwrap_or_else(|| "unknown".to_owned()),
        group: reading.group,
        // OpenSSL finishes no handshake with a certificate whose key was not used in it.
        signature: Signature::Proved,
    });
    seen.trouble = reading.alert.map(|alert| format!("alert: {alert}"));
    // Without a certificate OpenSSL says "OK", and means that it has nothing to find fault with.
    let asked = !seen.target.records.is_empty() && !seen.chain.is_empty();
    seen.verdict = reading.verification.filter(|_| asked).map(|verification| {
        let (fine, words) = match verification {
            Verification::Fine => (true, "OK".to_owned()),
            Verification::Error(words) => (false, words),
        };
        EngineVerdict {
            // Both: with records, "OK" without a match would be by authorities.
            authenticated: fine && reading.matched.is_some(),
            words,
            matched: reading.matched,
        }
    });
}

const FIXED: &[&str] = &[
    // The whole chain, not the leaf alone.
    "-showcerts",
    // Says when the handshake is finished: all else is printed in failure, too.
    "-state",
    "-verify_quiet",
    // No name in a certificate can begin a line.
    "-nameopt",
    "RFC2253",
    // What the host sends back is no command.
    "-nocommands",
    // Everything that authenticates and encrypts, however old and short: the question is what the host
    // has. Level 0 is what TLS 1.1, keys of 1024 bits and SHA-1 need; the packages of Debian begin at 2.
    "-cipher",
    "ALL:!aNULL:!eNULL:@SECLEVEL=0",
    "-min_protocol",
    "TLSv1",
    // Hosts from before RFC 5746.
    "-legacy_server_connect",
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hoplock_policy::name::DomainName;

    use super::*;

    #[test]
    fn records_become_arguments() {
        let name = DomainName::parse("mx.e.test").unwrap();
        let mut target = ProbeTarget::new("192.0.2.1:25".parse().unwrap(), name);
        assert!(!arguments(&target).iter().any(|word| word.contains("dane")));
        let record = |usage, data: &[u8]| TlsaRecord {
            usage,
            selector: 1,
            matching: 1,
            data: data.to_vec(),
        };
        target.records = vec![record(3, &[0, 0xab]), record(2, &[0xff])];
        let arguments = arguments(&target);
        let own = arguments.get(FIXED.len()..).unwrap();
        let expected = [
            "-servername",
            "mx.e.test",
            "-dane_tlsa_domain",
            "mx.e.test",
            "-dane_ee_no_namechecks",
            "-dane_tlsa_rrdata",
            "3 1 1 00ab",
            "-dane_tlsa_rrdata",
            "2 1 1 ff",
        ];
        assert_eq!(own, expected);
    }
}
