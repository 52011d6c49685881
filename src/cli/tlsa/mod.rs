//! `hoplock tlsa`: the TLSA records for a certificate, ready for a zone file; with a host, against what
//! is published for it and what it serves.

mod compare;
mod published;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hoplock_policy::name::{DomainName, TlsaBaseDomain};
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;

use super::certificates::{Contents, read};
use super::{ConfigFile, complain, exit, print};

#[derive(Args)]
#[command(after_long_help = HELP)]
pub(super) struct Arguments {
    /// Certificates in PEM or DER form, the server's own first; or a public key in PEM form.
    #[arg(value_name = "FILE.pem")]
    file: PathBuf,
    /// 3: the certificate itself (DANE-EE); 2: an issuer of it (DANE-TA).
    #[arg(long, value_name = "2|3", value_parser = clap::value_parser!(u8).range(2..=3))]
    usage: Vec<u8>,
    /// 1: the public key, which outlives renewals; 0: the whole certificate.
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    selector: Vec<u8>,
    /// 1: SHA-256; 2: SHA-512; 0: the octets themselves.
    #[arg(long, value_name = "0|1|2", value_parser = clap::value_parser!(u8).range(0..=2))]
    matching: Vec<u8>,
    /// Every combination of usage, selector and matching type.
    #[arg(long, conflicts_with_all = ["usage", "selector", "matching"])]
    all: bool,
    /// The mail host: the records are compared with what is published for it and with what it serves.
    #[arg(long, value_name = "H")]
    host: Option<String>,
    /// The port, as the name of the records has it.
    #[arg(long, value_name = "P", default_value_t = 25)]
    port: u16,
    /// The name to say in EHLO; without it the one that Postfix says, else this machine's.
    #[arg(long, value_name = "NAME", requires = "host")]
    helo: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

/// A host to compare with, and where its records stand (RFC 6698, 3).
struct Place {
    host: DomainName,
    port: u16,
    owner: DomainName,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let prepared = read(&arguments.file).and_then(|contents| {
        let records = wanted(arguments, &contents)?;
        Ok((records, place(arguments)?, contents))
    });
    let (records, place, contents) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    let Some(place) = place else {
        let lines: Vec<String> = records.iter().map(|own| format!("{own}\n")).collect();
        print(&lines.concat());
        return exit::FINE;
    };
    let file = compare::File {
        contents,
        records,
        demanded: is_choosy(arguments),
    };
    compare::run(arguments, &place, &file)
}

/// The operator says which records there should be.
fn is_choosy(arguments: &Arguments) -> bool {
    let chosen = [&arguments.usage, &arguments.selector, &arguments.matching];
    chosen.iter().any(|chosen| !chosen.is_empty())
}

fn place(arguments: &Arguments) -> Result<Option<Place>, String> {
    let Some(text) = &arguments.host else {
        return Ok(None);
    };
    let host = DomainName::parse(text).map_err(|why| format!("{text:?} is no host: {why}"))?;
    let owner = TlsaBaseDomain(host.clone()).owner(arguments.port);
    let owner = owner.ok_or_else(|| format!("{text:?} is too long for a TLSA record below it"))?;
    let port = arguments.port;
    Ok(Some(Place { host, port, owner }))
}

fn wanted(arguments: &Arguments, contents: &Contents) -> Result<Vec<TlsaRecord>, String> {
    let or = |given: &[u8], default: &[u8], every: &[u8]| -> Vec<u8> {
        match (arguments.all, given) {
            (true, _) => every.to_vec(),
            (false, []) => default.to_vec(),
            (false, given) => given.to_vec(),
        }
    };
    let mut records = Vec::new();
    for usage in or(&arguments.usage, &[3], &[3, 2]) {
        for selector in or(&arguments.selector, &[1], &[0, 1]) {
            for matching in or(&arguments.matching, &[1], &[0, 1, 2]) {
                records.extend(of(contents, usage, selector, matching)?);
            }
        }
    }
    Ok(records)
}

/// The records of one combination: DANE-EE for the first certificate, DANE-TA for each issuer.
fn of(
    contents: &Contents,
    usage: u8,
    selector: u8,
    matching: u8,
) -> Result<Vec<TlsaRecord>, String> {
    if contents.certificates.is_empty() {
        if selector != 1 {
            return Err(
                "the file holds a public key alone: only --selector 1 has records".to_owned(),
            );
        }
        let keys = contents.keys.iter();
        return Ok(keys
            .filter_map(|key| TlsaRecord::of_key(key, usage, matching))
            .collect());
    }
    let subjects: &[Certificate] = match (usage, contents.certificates.as_slice()) {
        (2, [_, issuers @ ..]) if !issuers.is_empty() => issuers,
        (3, [leaf, ..]) => std::slice::from_ref(leaf),
        (_, all) => all,
    };
    subjects
        .iter()
        .map(|subject| {
            TlsaRecord::naming(subject, usage, selector, matching)
                .ok_or_else(|| "no public key is found in the certificate".to_owned())
        })
        .collect()
}

const HELP: &str = "\
Without --host the records are printed, and nothing is asked of anybody. With --host they are looked up \
below it, every address of the host is spoken to, and a table says which records are published, which \
fit the file, and which fit what the host serves.

Exit status: 0 the records were printed, or file, records and host agree; 1 they do not agree, or could \
not be compared; 2 bad input.";
