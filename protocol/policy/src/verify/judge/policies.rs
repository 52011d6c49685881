//! A session under one policy: by TLSA records, by MTA-STS, by what the operator demands.

use x509_parser::prelude::X509Certificate;

use super::super::certificate::Certificate;
use super::super::cipher::Cipher;
use super::super::dane::{self, Authenticated, Refused};
use super::super::names::{self, ReferenceNames};
use super::super::session::{Presented, TlsVersion, digest};
use super::super::verdict::{Matched, Warning};
use super::super::web_pki;
use super::{Judging, missing_words};
use crate::law::MatchName;
use crate::reason::Reason;
use crate::sts::StsMode;
use crate::tlsa::hex;

/// What one policy found.
pub(super) struct Found {
    pub(super) reason: Reason,
    pub(super) matched: Matched,
    pub(super) warnings: Vec<Warning>,
}

impl Judging<'_> {
    pub(super) fn dane(&self) -> Result<Found, Refused> {
        let Some(evidence) = &self.owed.dane else {
            let words = "the host's TLSA records are not known";
            return Err(Refused::new(Reason::PolicyUnknown, words));
        };
        self.floor()?;
        let presented = self.presented()?;
        let names = &evidence.names;
        let Authenticated { matched, warnings } =
            dane::authenticate(presented, &evidence.records, names, self.now, self.options)?;
        Ok(Found {
            reason: Reason::TlsaMatch,
            matched,
            warnings,
        })
    }

    pub(super) fn sts(&self) -> Result<Found, Refused> {
        let Some(host) = &self.session.mx_host else {
            return Err(Refused::new(
                Reason::ReportIncomplete,
                missing_words("mx_host"),
            ));
        };
        if let Some(refused) = self.unlisted() {
            return Err(refused);
        }
        self.floor()?;
        let names = ReferenceNames::exactly([host.0.clone()]);
        let found = web_pki::by_web_pki(self.chain()?, self.owed.authorities, &names, self.now)?;
        Ok(Found {
            reason: Reason::StsMatch,
            matched: found.matched,
            warnings: found.warnings,
        })
    }

    /// RFC 8461, 4.1: the host is looked at first, whatever its certificate (SV-07).
    pub(super) fn unlisted(&self) -> Option<Refused> {
        let (host, policy) = (self.session.mx_host.as_ref()?, self.owed.sts?);
        if policy.mode == StsMode::None || policy.permits(&host.0) {
            return None;
        }
        let words = format!("the MTA-STS policy does not permit {host}");
        Some(Refused::new(Reason::StsHostNotListed, words))
    }

    /// Web PKI under the operator's names.
    pub(super) fn names(&self, names: &[MatchName]) -> Result<Found, Refused> {
        self.floor()?;
        let find = |leaf: &X509Certificate<'_>| names::demanded(leaf, names);
        let found = web_pki::authenticate(self.chain()?, self.owed.authorities, self.now, find)?;
        Ok(Found {
            reason: Reason::NameMatch,
            matched: Matched::Name(found.presented),
            warnings: if found.is_common_name {
                vec![Warning::CommonName]
            } else {
                Vec::new()
            },
        })
    }

    pub(super) fn chain(&self) -> Result<&[Certificate], Refused> {
        match self.presented()? {
            Presented::Chain(chain) => Ok(chain),
            Presented::RawKey(_) => Err(Refused::new(
                Reason::RawKeyNotUsable,
                "the host showed a bare key, which no authority vouches for",
            )),
            Presented::Digests(_) | Presented::Unknown => Err(Refused::new(
                Reason::ReportIncomplete,
                "digests of the leaf alone cannot be judged by web PKI",
            )),
        }
    }

    /// The operator's digests, of the whole certificate or its key, as Postfix compares them.
    pub(super) fn pins(&self, pins: &[String]) -> Result<Found, Refused> {
        self.floor()?;
        let presented = self.presented()?;
        let wanted = |pin: &String| hex(&pin.replace(':', ""));
        let matches = |pin: &&String| wanted(pin).is_some_and(|digest| shows(presented, &digest));
        if let Some(pin) = pins.iter().find(matches) {
            return Ok(Found {
                reason: Reason::PinMatch,
                matched: Matched::Pin(pin.clone()),
                warnings: Vec::new(),
            });
        }
        // A log line holds digests of one kind, and pins of another kind cannot be compared.
        if let Presented::Digests(digests) = presented {
            let kind = digests.key.len();
            let is_comparable = |digest: Vec<u8>| digest.len() == kind;
            if !pins.iter().filter_map(wanted).all(is_comparable) {
                let words = "digests of the leaf alone cannot be compared with these pins";
                return Err(Refused::new(Reason::ReportIncomplete, words));
            }
        }
        let words = "no pin of the rule matches what the host showed";
        Err(Refused::new(Reason::PinNoMatch, words))
    }

    /// What authenticates must be worth it (RFC 8996; RFC 7672, 8.2; RQ-01, SV-09).
    pub(super) fn floor(&self) -> Result<(), Refused> {
        if self.cipher() != Cipher::Ordinary {
            let words = format!(
                "cipher {}",
                self.session.cipher.as_deref().unwrap_or_default()
            );
            return Err(Refused::new(Reason::CipherUnauthenticated, words));
        }
        match self.session.tls_version {
            Some(version) if version < TlsVersion::FLOOR => {
                let words = format!("{} authenticates nobody any more", version.word());
                Err(Refused::new(Reason::TlsVersionTooOld, words))
            }
            // An unknown one authenticates nobody either, and hides no failure: see `Session::missing`.
            _ => Ok(()),
        }
    }

    pub(super) fn presented(&self) -> Result<&Presented, Refused> {
        let presented = &self.session.presented;
        let is_known = match presented {
            Presented::Chain(chain) => !chain.is_empty(),
            Presented::RawKey(_) | Presented::Digests(_) => true,
            Presented::Unknown => false,
        };
        if is_known {
            return Ok(presented);
        }
        Err(if self.session.resumed {
            let words = "the session resumed one that is not known here";
            Refused::new(Reason::ResumedUnknown, words)
        } else {
            Refused::new(Reason::ReportIncomplete, missing_words("chain"))
        })
    }

    pub(super) fn cipher(&self) -> Cipher {
        self.session
            .cipher
            .as_deref()
            .map_or(Cipher::Ordinary, Cipher::of)
    }
}

/// True where this is the digest of the certificate that was shown, or of its key.
fn shows(presented: &Presented, wanted: &[u8]) -> bool {
    let matching = match wanted.len() {
        32 => 1,
        64 => 2,
        _ => return false,
    };
    let is_of = |part: &[u8]| digest(matching, part).is_some_and(|own| own == wanted);
    match presented {
        Presented::Chain(chain) => chain.first().is_some_and(|leaf| {
            let parts = [0, 1].into_iter().filter_map(|part| leaf.selected(part));
            parts.into_iter().any(is_of)
        }),
        Presented::RawKey(key) => is_of(key),
        Presented::Digests(digests) => [&digests.certificate, &digests.key]
            .into_iter()
            .any(|own| own == wanted),
        Presented::Unknown => false,
    }
}
