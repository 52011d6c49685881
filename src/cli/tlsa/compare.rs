//! File, records and host against each other.

use std::process::ExitCode;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::Validation;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
use hoplock_policy::verify::dane::authenticate;
use hoplock_policy::verify::{
    Authenticated, Certificate, Presented, ReferenceNames, Refused, VerifyOptions,
};

use super::published::{Found, Published, find};
use super::table::text;
use super::{Arguments, Place, of};
use crate::cli::certificates::Contents;
use crate::cli::engine::{Loaded, load};
use crate::cli::{complain, exit, print};
use crate::config::Config;
use crate::world::probe::{Probed, Signature, Stage};

/// What the operator has.
pub(super) struct File {
    pub(super) contents: Contents,
    /// The records that it should have.
    pub(super) records: Vec<TlsaRecord>,
    /// Exactly those are to be published, not any that fit.
    pub(super) demanded: bool,
}

/// One record, published or not.
pub(super) struct Row {
    pub(super) record: String,
    /// Why it cannot be used, where that is so.
    pub(super) unusable: Option<String>,
    pub(super) published: Presence,
    pub(super) fits_file: bool,
    /// With what any address serves; `None` where nothing is known of that.
    pub(super) fits_host: Option<bool>,
}

/// Whether a record stands in the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Missing,
    /// The lookup failed.
    Unknown,
}

impl Row {
    /// Mail servers use it.
    pub(super) fn counts(&self) -> bool {
        self.published == Presence::There && self.unusable.is_none()
    }
}

/// One address, as it serves.
pub(super) struct Served<'a> {
    pub(super) probed: &'a Probed,
    /// Where the first certificate or key of the file stands in what it showed.
    pub(super) file_at: Option<FileAt>,
    /// What the published records make of it; `None` where there is nothing to compare.
    pub(super) by_records: Option<Result<Authenticated, Refused>>,
}

/// Where the file stands in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileAt {
    pub(super) depth: usize,
    /// The very certificate; else another one for the same key.
    pub(super) whole: bool,
}

/// All of it.
pub(super) struct Comparison<'a> {
    pub(super) place: &'a Place,
    pub(super) found: &'a Found,
    pub(super) rows: Vec<Row>,
    pub(super) served: Vec<Served<'a>>,
    /// What is wrong; empty where all agree.
    pub(super) wrong: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, place: &Place, file: &File) -> ExitCode {
    let prepared = load(&arguments.config)
        .and_then(Loaded::usable)
        .and_then(|config| Ok((config, helo(arguments)?)));
    let (config, helo) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    let found = tokio::runtime::Runtime::new()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(find(&config, place, helo)));
    match found {
        Ok(found) => {
            let comparison = compare(place, file, &found, &config);
            print(&text(&comparison));
            match comparison.wrong.as_slice() {
                [] => exit::FINE,
                _ => exit::failed(),
            }
        }
        Err(why) => {
            complain(&why);
            exit::failed()
        }
    }
}

fn helo(arguments: &Arguments) -> Result<Option<DomainName>, String> {
    let Some(text) = &arguments.helo else {
        return Ok(None);
    };
    let name = DomainName::parse(text);
    name.map(Some)
        .map_err(|why| format!("--helo {text:?} is no name: {why}"))
}

fn compare<'a>(place: &'a Place, file: &File, found: &'a Found, config: &Config) -> Comparison<'a> {
    let rdata = found.rdata();
    let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), &config.dane.tlsa);
    let served: Vec<Served<'a>> = found
        .served
        .iter()
        .map(|probed| serves(probed, place, file, &set, found, &config.dane.verify))
        .collect();
    let rows = rows(found, file, &served, &config.dane.tlsa);
    let mut wrong = Vec::new();
    wrong.extend(wrong_in_dns(found));
    wrong.extend(wrong_records(found, &rows, file));
    wrong.extend(wrong_at_host(&served, file, found));
    Comparison {
        place,
        found,
        rows,
        served,
        wrong,
    }
}

fn serves<'a>(
    probed: &'a Probed,
    place: &Place,
    file: &File,
    set: &TlsaSet,
    found: &Found,
    options: &VerifyOptions,
) -> Served<'a> {
    let chain = shown(probed);
    let by_records = chain.filter(|_| set.is_usable()).map(|chain| {
        let presented = Presented::Chain(chain.to_vec());
        let names = ReferenceNames::exactly([place.host.clone()]);
        authenticate(&presented, set, &names, found.now, options)
    });
    Served {
        probed,
        file_at: chain.and_then(|chain| file_in(chain, &file.contents)),
        by_records,
    }
}

/// What an address showed, where it proved that it holds the key.
fn shown(probed: &Probed) -> Option<&[Certificate]> {
    let tls = probed.tls.as_ref()?;
    let proved = tls.signature == Signature::Proved && !probed.chain.is_empty();
    proved.then_some(probed.chain.as_slice())
}

fn file_in(chain: &[Certificate], contents: &Contents) -> Option<FileAt> {
    let own = contents.certificates.first();
    if let Some(depth) = chain.iter().position(|shown| Some(shown) == own) {
        return Some(FileAt { depth, whole: true });
    }
    let key = match own {
        Some(own) => own.public_key(),
        None => contents.keys.first().map(Vec::as_slice),
    }?;
    let depth = chain
        .iter()
        .position(|shown| shown.public_key() == Some(key))?;
    Some(FileAt {
        depth,
        whole: false,
    })
}

/// The published records, then those of the file that are not.
fn rows(found: &Found, file: &File, served: &[Served<'_>], options: &TlsaOptions) -> Vec<Row> {
    let chains: Vec<Contents> = served
        .iter()
        .filter_map(|served| shown(served.probed))
        .map(|chain| Contents {
            certificates: chain.to_vec(),
            keys: Vec::new(),
        })
        .collect();
    let fits_host = |record: Option<&TlsaRecord>| {
        let fits = |record: &TlsaRecord| chains.iter().any(|chain| fits(record, chain));
        (!chains.is_empty()).then(|| record.is_some_and(fits))
    };
    let mut rows = Vec::new();
    let mut published = Vec::new();
    for rdata in found.rdata() {
        let set = TlsaSet::read([rdata.as_slice()], options);
        let unusable = set.unusable.first().map(|(_, why)| why.to_string());
        let record = TlsaRecord::from_rdata(rdata);
        rows.push(Row {
            record: match &record {
                Ok(record) => record.to_string(),
                Err(malformed) => malformed.to_string(),
            },
            unusable,
            published: Presence::There,
            fits_file: record.as_ref().is_ok_and(|own| fits(own, &file.contents)),
            fits_host: fits_host(record.as_ref().ok()),
        });
        published.extend(record.ok());
    }
    let missing = match found.records {
        Published::Failed(_) => Presence::Unknown,
        Published::Records { .. } | Published::None { .. } => Presence::Missing,
    };
    let others = file.records.iter().filter(|own| !published.contains(own));
    rows.extend(others.map(|record| Row {
        record: record.to_string(),
        unusable: None,
        published: missing,
        fits_file: true,
        fits_host: fits_host(Some(record)),
    }));
    rows
}

/// True where the record names a certificate of these that it may name.
fn fits(record: &TlsaRecord, contents: &Contents) -> bool {
    let usage = match record.usage {
        0 | 2 => 2,
        1 | 3 => 3,
        _ => return false,
    };
    let own = of(contents, usage, record.selector, record.matching);
    let has = |own: &TlsaRecord| {
        (own.selector, own.matching, &own.data) == (record.selector, record.matching, &record.data)
    };
    own.is_ok_and(|own| own.iter().any(has))
}

fn wrong_in_dns(found: &Found) -> Option<String> {
    match &found.records {
        Published::Failed(failure) => Some(format!(
            "the records could not be looked up ({})",
            failure.kind.word()
        )),
        Published::Records {
            status: SecurityStatus::Insecure,
            ..
        } if found.validation == Validation::Validating => {
            Some("the records are not signed by DNSSEC, so no mail server uses them".to_owned())
        }
        Published::None {
            status: SecurityStatus::Insecure,
        } if found.validation == Validation::Validating => {
            Some("the zone is not signed by DNSSEC, so records in it are of no use".to_owned())
        }
        Published::Records { .. } | Published::None { .. } => None,
    }
}

fn wrong_records(found: &Found, rows: &[Row], file: &File) -> Option<String> {
    if matches!(found.records, Published::Failed(_)) {
        return None;
    }
    if !rows.iter().any(|row| row.counts() && row.fits_file) {
        return Some("no usable record is published for this file".to_owned());
    }
    let missing = rows
        .iter()
        .filter(|row| row.published == Presence::Missing)
        .count();
    match (file.demanded, missing) {
        (false, _) | (true, 0) => None,
        (true, 1) => Some("one of the records is not published".to_owned()),
        (true, missing) => Some(format!("{missing} of the records are not published")),
    }
}

fn wrong_at_host(served: &[Served<'_>], file: &File, found: &Found) -> Vec<String> {
    let reached: Vec<&Served<'_>> = served
        .iter()
        .filter(|served| !matches!(served.probed.stage, Stage::Unreachable { .. }))
        .collect();
    if reached.is_empty() {
        let why = match &found.no_addresses {
            Some(failure) => format!(": its addresses are not known ({})", failure.kind.word()),
            None => String::new(),
        };
        return vec![format!("the host could not be reached{why}")];
    }
    let leaf = file.records.iter().all(|record| record.usage == 3);
    let mut wrong = Vec::new();
    for served in reached {
        let address = served.probed.target.address.ip();
        if shown(served.probed).is_none() {
            wrong.push(format!("{address} showed no certificate"));
            continue;
        }
        match served.file_at {
            Some(FileAt { depth: 0, .. }) => {}
            Some(_) if !leaf => {}
            Some(_) | None => wrong.push(format!("{address} does not serve what is in the file")),
        }
        if let Some(Err(refused)) = &served.by_records {
            wrong.push(format!(
                "the published records refuse {address} ({})",
                refused.reason
            ));
        }
    }
    wrong
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use hoplock_policy::moment::Timestamp;
    use hoplock_policy::verify::TlsVersion;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::world::probe::{Engine, ProbeTarget, TlsSeen};

    fn certificate(key: &KeyPair) -> Certificate {
        let params = CertificateParams::new(vec!["mx.e.test".to_owned()]).unwrap();
        Certificate::from_der(params.self_signed(key).unwrap().der().to_vec())
    }

    fn file(certificate: &Certificate) -> File {
        File {
            records: vec![TlsaRecord::naming(certificate, 3, 1, 1).unwrap()],
            contents: Contents {
                certificates: vec![certificate.clone()],
                keys: Vec::new(),
            },
            demanded: false,
        }
    }

    fn found(status: SecurityStatus, records: &[TlsaRecord], served: &Certificate) -> Found {
        let name = DomainName::parse("mx.e.test").unwrap();
        let target = ProbeTarget::new("192.0.2.1:25".parse().unwrap(), name);
        let probed = Probed {
            stage: Stage::Established,
            chain: vec![served.clone()],
            tls: Some(TlsSeen {
                version: Some(TlsVersion::Tls13),
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                group: None,
                signature: Signature::Proved,
            }),
            ..Probed::nothing(target, Engine::Rustls)
        };
        Found {
            records: match records {
                [] => Published::None { status },
                records => Published::Records {
                    status,
                    ttl: Duration::from_secs(300),
                    rdata: records.iter().map(TlsaRecord::rdata).collect(),
                },
            },
            alias: None,
            no_addresses: None,
            served: vec![probed],
            validation: Validation::Validating,
            now: Timestamp(1_800_000_000_000),
        }
    }

    fn compared(file: &File, found: &Found) -> (Vec<String>, String) {
        let host = DomainName::parse("mx.e.test").unwrap();
        let place = Place {
            owner: DomainName::parse("_25._tcp.mx.e.test").unwrap(),
            host,
            port: 25,
        };
        let comparison = compare(&place, file, found, &Config::default());
        let page = text(&comparison);
        let flat: Vec<&str> = page.split_whitespace().collect();
        (comparison.wrong, flat.join(" "))
    }

    /// CM-02, CM-09: a change of keys, step by step (RFC 7671, 8.1): only the host that has changed, with
    /// its record published, agrees.
    #[test]
    fn a_change_of_keys() {
        let keys = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
        let [old, new] = keys.each_ref().map(certificate);
        let own = |certificate| TlsaRecord::naming(certificate, 3, 1, 1).unwrap();
        let (old_record, new_record) = (own(&old), own(&new));
        let both = [old_record, new_record.clone()];
        let file = file(&new);
        let secure = SecurityStatus::Secure;
        for (records, served, wrong, advice) in [
            (&both[..1], &old, 2, "publish its record first"),
            (
                &both,
                &old,
                1,
                "let the host change to this key when the record has been published for two TTLs (at \
                 least 600 s)",
            ),
            (&both, &new, 0, "matches nothing that the host serves"),
            (&both[1..], &new, 0, "file, records and host agree."),
            (&both[..1], &new, 2, "publish the record now"),
            (&[], &old, 2, "begin with a record for what the host serves"),
        ] {
            let found = found(secure, records, served);
            let (said, page) = compared(&file, &found);
            assert_eq!(said.len(), wrong, "{page}");
            assert!(page.contains(advice), "{advice}: {page}");
        }
        // The same key under another certificate is the same key.
        let renewed = certificate(&keys[1]);
        let found = found(secure, &[new_record], &renewed);
        let (said, page) = compared(&file, &found);
        assert!(
            said.is_empty() && page.contains("for the key of the file"),
            "{page}"
        );
    }

    #[test]
    fn unsigned_records_are_of_no_use() {
        let own = certificate(&KeyPair::generate().unwrap());
        let file = file(&own);
        let mut found = found(SecurityStatus::Insecure, &file.records, &own);
        assert_eq!(compared(&file, &found).0.len(), 1);
        // Here nothing is said of the zone, but of the resolver.
        found.validation = Validation::NotValidating;
        let (said, page) = compared(&file, &found);
        assert!(said.is_empty() && page.contains("WARNING"), "{page}");
    }
}
