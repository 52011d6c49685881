//! Sessions and certificates judged: every row of CM and SV, and what else the verifier must keep,
//! written from the requirements.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod agility;
mod by_rule;
mod by_word;
mod der;
mod disorder;
mod end_entity;
mod floor;
mod forge;
mod handshake;
mod judge;
mod names;
mod old;
mod owed;
mod path;
mod pins;
mod policies;
mod pool;
mod properties;
mod raw_keys;
mod resumed;
mod scene;
mod trust_anchor;
mod web_pki;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::{TlsaOptions, TlsaSet};
use hoplock_policy::verify::{
    Authenticated, Certificate, Matched, Presented, ReferenceNames, Refused, VerifyOptions,
    Warning, dane,
};
use sha2::{Digest as _, Sha256, Sha512};

/// 15 January 2027, in seconds since 1970.
const NOW: i64 = 1_800_000_000;
/// The host whose session is judged, where nothing else is said.
const HOST: &str = "mx.e.test";

/// One question to DANE: what was shown, and what the DNS holds.
#[derive(Clone)]
struct Case {
    presented: Presented,
    rdata: Vec<Vec<u8>>,
    names: ReferenceNames,
    now: Timestamp,
    tlsa: TlsaOptions,
    options: VerifyOptions,
}

impl Case {
    fn shown(chain: &[&Certificate]) -> Self {
        let chain = chain.iter().map(|certificate| (*certificate).clone());
        Self::of(Presented::Chain(chain.collect()))
    }

    fn of(presented: Presented) -> Self {
        Self {
            presented,
            rdata: Vec::new(),
            names: ReferenceNames::exactly([name(HOST)]),
            now: after(0),
            tlsa: TlsaOptions::default(),
            options: VerifyOptions::default(),
        }
    }

    /// With a record for what its selector picks of some certificate.
    fn record(mut self, usage: u8, selector: u8, matching: u8, selected: &[u8]) -> Self {
        self.rdata.push(rdata(usage, selector, matching, selected));
        self
    }

    fn names(mut self, names: &[&str]) -> Self {
        self.names = ReferenceNames::exactly(names.iter().map(|text| name(text)));
        self
    }

    /// So many seconds from now.
    fn at(mut self, seconds: i64) -> Self {
        self.now = after(seconds);
        self
    }

    fn judged(&self) -> Result<Authenticated, Refused> {
        let records = TlsaSet::read(self.rdata.iter().map(Vec::as_slice), &self.tlsa);
        dane::authenticate(
            &self.presented,
            &records,
            &self.names,
            self.now,
            &self.options,
        )
    }

    /// The depth of the match, or the reason of the refusal.
    fn outcome(&self) -> Result<usize, Reason> {
        let judged = self.judged().map_err(|refused| refused.reason)?;
        match judged.matched {
            Matched::Tlsa { depth, .. } => Ok(depth),
            other => panic!("DANE matched {other:?}"),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        self.judged().unwrap().warnings
    }
}

/// RDATA for what a selector picks (RFC 6698, 2.1).
fn rdata(usage: u8, selector: u8, matching: u8, selected: &[u8]) -> Vec<u8> {
    let data = match matching {
        0 => selected.to_vec(),
        1 => Sha256::digest(selected).to_vec(),
        2 => Sha512::digest(selected).to_vec(),
        other => panic!("nobody knows matching type {other}"),
    };
    [&[usage, selector, matching], data.as_slice()].concat()
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// So many seconds from now.
fn after(seconds: i64) -> Timestamp {
    Timestamp(u64::try_from((NOW + seconds) * 1000).unwrap())
}
