//! A session under one policy: by TLSA records, by MTA-STS, by what the operator demands.

use x509_parser::prelude::X509Certificate;

use super::super::certificate::Certificate;
use super::super::dane::{self, Authenticated, Refused};
use super::super::names::{self, ReferenceNames};
use super::super::session::{Presented, TlsVersion, digest};
use super::super::verdict::{Matched, Warning};
use super::super::web_pki;
use super::cipher::Cipher;
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
        // RFC 8461, 4.1: the host first, whatever its certificate (SV-07).
        if let Some(policy) = self.owed.sts
            && policy.mode != StsMode::None
            && !policy.permits(&host.0)
        {
            let words = format!("the MTA-STS policy does not permit {host}");
            return Err(Refused::new(Reason::StsHostNotListed, words));
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
        let pinned = |pin: &&String, shown: &dyn Fn(u8) -> Vec<Vec<u8>>| {
            let wanted = hex(&pin.replace(':', ""))?;
            let matching = match wanted.len() {
                32 => 1,
                64 => 2,
                _ => return None,
            };
            shown(matching).contains(&wanted).then(|| (*pin).clone())
        };
        let shown: Box<dyn Fn(u8) -> Vec<Vec<u8>>> = match self.presented()? {
            Presented::Chain(chain) => {
                let leaf = chain.first().cloned();
                Box::new(move |matching| {
                    let parts = [0, 1].map(|selector| leaf.as_ref()?.selected(selector));
                    let parts = parts.into_iter().flatten();
                    parts.filter_map(|part| digest(matching, part)).collect()
                })
            }
            Presented::RawKey(key) => {
                Box::new(move |matching| digest(matching, key).into_iter().collect())
            }
            Presented::Digests(digests) => {
                let both = vec![digests.certificate.clone(), digests.key.clone()];
                Box::new(move |_| both.clone())
            }
            Presented::Unknown => Box::new(|_| Vec::new()),
        };
        match pins.iter().find_map(|pin| pinned(&pin, &shown)) {
            Some(pin) => Ok(Found {
                reason: Reason::PinMatch,
                matched: Matched::Pin(pin),
                warnings: Vec::new(),
            }),
            None => Err(Refused::new(
                Reason::PinNoMatch,
                "no pin of the rule matches what the host showed",
            )),
        }
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
            None => Err(Refused::new(
                Reason::ReportIncomplete,
                missing_words("tls_version"),
            )),
            Some(version) if version < TlsVersion::FLOOR => {
                let words = format!("{} authenticates nobody any more", version.word());
                Err(Refused::new(Reason::TlsVersionTooOld, words))
            }
            Some(_) => Ok(()),
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
