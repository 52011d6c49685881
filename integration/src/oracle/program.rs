//! The two C programs beside this crate: OpenSSL's verdict, and keys and signatures. Both are built
//! when they are first asked for, against the system's libssl, and speak in lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::case::Case;

/// The compiled programs.
#[derive(Clone, Debug)]
pub struct Programs {
    oracle: PathBuf,
    signer: PathBuf,
}

impl Programs {
    /// Compiles both into `folder`.
    ///
    /// # Panics
    /// Where there is no C compiler or no libssl to build against; says what cures it.
    pub fn build(folder: &Path) -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
        let build = |name: &str| {
            let program = folder.join(name);
            let output = Command::new("cc")
                .args(["-O2", "-std=gnu11", "-Wall", "-Wextra", "-o"])
                .arg(&program)
                .arg(sources.join(name).with_extension("c"))
                .args(["-lssl", "-lcrypto"])
                .output()
                .unwrap_or_else(|error| panic!("there is no C compiler ({error}): {CURE}"));
            assert!(
                output.status.success(),
                "{name}.c does not compile; where OpenSSL's headers are missing: {CURE}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
            program
        };
        Self {
            oracle: build("dane_oracle"),
            signer: build("signer"),
        }
    }

    /// Starts the judge.
    pub fn oracle(&self) -> Oracle {
        Oracle(Talk::start(&self.oracle))
    }

    /// Starts the signer; it has no keys yet.
    pub fn signer(&self) -> Signer {
        Signer(Talk::start(&self.signer))
    }
}

/// OpenSSL, set as Postfix sets it.
#[derive(Debug)]
pub struct Oracle(Talk);

impl Oracle {
    /// What OpenSSL says of a case.
    pub fn judge(&mut self, case: &Case) -> Judgement {
        Judgement::read(&self.0.ask(&format!("verify {}", question(case))))
    }

    /// The same by a handshake with a server that has the leaf's key.
    pub fn judge_in_handshake(&mut self, case: &Case, key: &[u8]) -> Judgement {
        let line = format!("handshake {} {}", question(case), hex(key));
        Judgement::read(&self.0.ask(&line))
    }
}

fn question(case: &Case) -> String {
    let list = |items: &mut dyn Iterator<Item = String>| {
        let all: Vec<String> = items.collect();
        if all.is_empty() {
            "-".to_owned()
        } else {
            all.join(",")
        }
    };
    format!(
        "{} {} {} {}",
        case.now,
        list(&mut case.names.iter().map(|name| hex(name.as_bytes()))),
        list(&mut case.records.iter().map(|rdata| hex(rdata))),
        list(&mut case.chain.iter().map(|one| hex(&one.der))),
    )
}

/// What OpenSSL said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Which records it would use, in the order of the case.
    pub usable: Vec<bool>,
    /// The verdict.
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peer is who it should be.
    Accepted {
        /// That of the certificate or the bare key that the record is of.
        depth: usize,
        /// Usage, selector and matching type of the record.
        record: [u8; 3],
    },
    /// The peer is not.
    Refused(String),
    /// No record can be used: Postfix authenticates nobody.
    Unusable,
    /// That certificate cannot be read, which ends a handshake.
    Unparsable(usize),
    /// The handshake itself failed.
    Failed(String),
}

impl Judgement {
    fn read(line: &str) -> Self {
        let mut fields = line.splitn(3, ' ');
        let kind = fields.next().unwrap_or_default();
        let usable = fields.next().unwrap_or_default();
        let rest = fields.next().unwrap_or_default();
        let numbers = || -> Vec<u8> {
            rest.split(' ')
                .map(|number| number.parse().unwrap())
                .collect()
        };
        let verdict = match kind {
            "accepted" => {
                let [depth, record @ ..]: [u8; 4] = numbers().try_into().unwrap();
                Verdict::Accepted {
                    depth: depth.into(),
                    record,
                }
            }
            "refused" => Verdict::Refused(rest.to_owned()),
            "unusable" => Verdict::Unusable,
            "unparsable" => Verdict::Unparsable(rest.parse().unwrap()),
            "failed" => Verdict::Failed(rest.to_owned()),
            _ => panic!("the oracle answered {line:?}"),
        };
        Self {
            usable: usable
                .chars()
                .filter(|mark| *mark != '-')
                .map(|mark| mark == '1')
                .collect(),
            verdict,
        }
    }

    /// The depth where it was accepted.
    pub fn accepted(&self) -> Option<usize> {
        match self.verdict {
            Verdict::Accepted { depth, .. } => Some(depth),
            _ => None,
        }
    }
}

/// Keys and signatures that no library of today makes.
#[derive(Debug)]
pub struct Signer(Talk);

impl Signer {
    /// A new key: PKCS #8 and SubjectPublicKeyInfo. It is not loaded by that.
    pub fn make(&mut self, kind: &str) -> (Vec<u8>, Vec<u8>) {
        let answer = self.0.ask(&format!("key {kind}"));
        let (private, public) = answer.split_once(' ').unwrap();
        (unhex(private), unhex(public))
    }

    /// Loads a key; its number.
    pub fn load(&mut self, private: &[u8]) -> usize {
        let answer = self.0.ask(&format!("load {}", hex(private)));
        answer.parse().unwrap()
    }

    /// A signature by a loaded key.
    pub fn sign(&mut self, key: usize, digest: &str, message: &[u8]) -> Vec<u8> {
        unhex(&self.0.ask(&format!("sign {key} {digest} {}", hex(message))))
    }
}

/// A program that answers each line with one.
#[derive(Debug)]
struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, line: &str) -> String {
        let mut answer = String::new();
        let asked = self
            .input
            .as_mut()
            .unwrap()
            .write_all(format!("{line}\n").as_bytes());
        if asked.is_err() || self.output.read_line(&mut answer).unwrap_or(0) == 0 {
            panic!(
                "the program ended ({:?}) over: {line:.200}",
                self.child.wait()
            );
        }
        answer.trim_end().to_owned()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

pub fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

const CURE: &str = "apt-get install gcc libc6-dev libssl-dev";
