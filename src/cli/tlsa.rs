//! `hoplock tlsa`: the TLSA records for a certificate, ready for a zone file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hoplock_policy::name::{DomainName, TlsaBaseDomain};
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;

use super::certificates::{Contents, read};
use super::{complain, exit, print};

#[derive(Args)]
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
    /// The mail host; its records are compared with what is published, and what it serves.
    #[arg(long, value_name = "H")]
    host: Option<String>,
    /// The port, as the name of the records has it.
    #[arg(long, value_name = "P", default_value_t = 25)]
    port: u16,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match records(arguments) {
        Ok(text) => {
            print(&text);
            exit::FINE
        }
        Err(why) => {
            complain(&why);
            exit::bad_input()
        }
    }
}

fn records(arguments: &Arguments) -> Result<String, String> {
    let contents = read(&arguments.file)?;
    let owner = owner(arguments)?;
    let mut text = String::new();
    for record in wanted(arguments, &contents)? {
        match &owner {
            Some(owner) => text.push_str(&format!("{owner}. IN TLSA {record}\n")),
            None => text.push_str(&format!("{record}\n")),
        }
    }
    Ok(text)
}

/// RFC 6698, 3: where the records stand.
fn owner(arguments: &Arguments) -> Result<Option<DomainName>, String> {
    let Some(host) = &arguments.host else {
        return Ok(None);
    };
    let name = DomainName::parse(host).map_err(|why| format!("{host:?} is no host: {why}"))?;
    let owner = TlsaBaseDomain(name).owner(arguments.port);
    owner
        .map(Some)
        .ok_or_else(|| format!("{host:?} is too long for a TLSA record below it"))
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
