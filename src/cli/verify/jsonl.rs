//! Session reports in, verdicts out, a line for a line; by the evidence that each report brings.

use std::io::{BufWriter, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::{SessionVerdict, VerifyOptions, verify};
use hoplock_wire::lines::{Found, LineFramer};
use hoplock_wire::session::{ErrorLine, LINE_LIMIT, decode};
use rustls_pki_types::TrustAnchor;

use super::super::certificates::open;
use super::super::engine::{Loaded, load};
use super::super::{complain, exit};
use super::Arguments;
use crate::adapters::clock::SystemClock;
use crate::adapters::https::authorities;
use crate::report::reported;
use crate::world::Clock as _;

pub(super) fn run(arguments: &Arguments, path: &Path) -> ExitCode {
    let judge = load(&arguments.file)
        .and_then(Loaded::usable)
        .and_then(|config| {
            let authorities = authorities(&config.sts.roots).map_err(|error| error.to_string())?;
            Ok(Judge {
                authorities,
                tlsa: config.dane.tlsa,
                options: config.dane.verify,
                now: SystemClock::new().now().wall,
            })
        });
    let judged = judge.and_then(|judge| {
        let input = open(path)?;
        judge.all(input)
    });
    match judged {
        Ok(()) => exit::FINE,
        Err(why) => {
            complain(&why);
            exit::bad_input()
        }
    }
}

struct Judge {
    authorities: Vec<TrustAnchor<'static>>,
    tlsa: TlsaOptions,
    options: VerifyOptions,
    /// For reports that do not say when.
    now: Timestamp,
}

impl Judge {
    fn all(&self, mut input: impl Read) -> Result<(), String> {
        let mut framer = LineFramer::new(LINE_LIMIT);
        let mut out = BufWriter::new(anstream::stdout().lock());
        let (mut kept, mut chunk) = (Vec::new(), vec![0; CHUNK]);
        loop {
            let read = input.read(&mut chunk).map_err(|error| error.to_string())?;
            if read == 0 {
                break;
            }
            kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
            let mut start = 0;
            loop {
                let step = framer.decode(kept.get(start..).unwrap_or_default());
                start += step.consumed;
                let Some(found) = step.found else { break };
                if out.write_all(&self.answer(found)).is_err() {
                    // Whoever reads has gone: no error of ours.
                    return Ok(());
                }
            }
            kept.drain(..start);
            // Somebody may wait at the other end of a pipe.
            if read < CHUNK && out.flush().is_err() {
                return Ok(());
            }
        }
        if let Some(found) = framer.finish(&kept) {
            let _ = out.write_all(&self.answer(found));
        }
        let _ = out.flush();
        Ok(())
    }

    fn answer(&self, found: Found<'_>) -> Vec<u8> {
        let mut line = Vec::new();
        let (number, outcome) = match found {
            Found::Line { number, bytes } => (number, self.judge(bytes, &mut line)),
            Found::Overlong { number } => (
                number,
                Err(format!("the line is longer than {LINE_LIMIT} bytes")),
            ),
        };
        if let Err(words) = outcome {
            let error = ErrorLine {
                error: &words,
                line: number,
            };
            error.encode(&mut line);
        }
        line
    }

    fn judge(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let line = decode(bytes).map_err(|error| error.to_string())?;
        let report = reported::read(&line, &self.tlsa)?;
        let now = report.time.unwrap_or(self.now);
        let verdict = match report.evidence.owed(&report.session, &self.authorities) {
            Some(owed) => verify(&report.session, &owed, now, &self.options),
            None => SessionVerdict::unknown(
                Reason::PolicyUnknown,
                "the report brings neither tlsa nor sts_policy, and nothing is looked up here",
            ),
        };
        reported::encode(&verdict, line.id.as_deref(), out);
        Ok(())
    }
}

/// Read at once.
const CHUNK: usize = 64 * 1024;
