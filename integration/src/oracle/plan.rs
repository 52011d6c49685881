//! A case as it is meant: certificates, what of them is shown, what is published, and who is asked for.

use std::ops::Range;
use std::rc::Rc;

use sha2::{Digest as _, Sha256, Sha512};

use super::case::Octets;
use super::certificate::Certificate;

/// Everything that a case consists of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All that play a part, shown or not.
    pub certificates: Vec<Certificate>,
    /// Places in `certificates`: what the host shows, the leaf first.
    pub shown: Vec<usize>,
    pub records: Vec<Record>,
    /// Reference names (RFC 7672, 3.2.2).
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub now: i64,
    pub story: Story,
}

/// What the plan was made to show. Nothing of it reaches a verifier.
#[derive(Clone, Debug)]
pub struct Story {
    /// Places in `certificates`: the leaf, its issuer, and so on up.
    pub path: Vec<usize>,
    /// The place in `records` of the one that is to match.
    pub record: usize,
    pub form: Form,
    /// That of the certificate or key which the record is of.
    pub depth: usize,
}

/// How the record reaches the certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// It is the leaf's.
    EndEntity,
    /// It is that of an issuer that is shown.
    Shown,
    /// It is an issuer that is not shown (RFC 7671, 5.2.1).
    FullRecord,
    /// It is the key of an issuer that is not shown (RFC 7671, 5.2.3).
    BareKey,
}

/// One TLSA record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Data,
}

/// Where the data of a record come from, which need not be what its numbers say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Data {
    pub of: Of,
    /// The selector it was made with.
    pub selector: u8,
    /// The matching type it was made with.
    pub matching: u8,
    pub spoiled: Option<Spoiled>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// The certificate at this place.
    Certificate(usize),
    /// Octets of no meaning, cut to the length that the matching type wants.
    Noise(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spoiled {
    /// One bit is another, counted from the end.
    Bit(usize),
    /// The last octet is missing.
    Short,
    /// There is an octet too many.
    Long,
    /// There is nothing.
    Empty,
}

impl Record {
    /// The record of a certificate, as its owner publishes it.
    pub fn of(certificate: usize, usage: u8, selector: u8, matching: u8) -> Self {
        Self::made(usage, selector, matching, Of::Certificate(certificate))
    }

    /// Well formed, and of nothing.
    pub fn noise(usage: u8, selector: u8, matching: u8, seed: u8) -> Self {
        Self::made(usage, selector, matching, Of::Noise(seed))
    }

    pub fn made(usage: u8, selector: u8, matching: u8, of: Of) -> Self {
        Self {
            usage,
            selector,
            matching,
            data: Data {
                of,
                selector,
                matching,
                spoiled: None,
            },
        }
    }

    /// RDATA, given the certificates in octets.
    pub fn rdata(&self, certificate: impl FnOnce(usize) -> Rc<Octets>) -> Vec<u8> {
        let whole = match &self.data.of {
            Of::Certificate(place) => {
                let of = certificate(*place);
                if self.data.selector == 0 {
                    of.der.clone()
                } else {
                    of.key.clone()
                }
            }
            Of::Noise(seed) => (0..60)
                .map(|octet: u8| octet.wrapping_mul(37) ^ seed)
                .collect(),
        };
        let mut data = match self.data.matching {
            1 => Sha256::digest(&whole).to_vec(),
            2 => Sha512::digest(&whole).to_vec(),
            _ => whole,
        };
        match self.data.spoiled {
            Some(Spoiled::Bit(bit)) if !data.is_empty() => {
                // Of an anchor's certificate only the signature, and of its key the end: elsewhere it
                // would be another one, of which nobody knows what it says.
                let is_whole = self.usage == 2 && self.data.matching == 0;
                let reach = if is_whole {
                    16.min(data.len())
                } else {
                    data.len()
                };
                let place = data.len() - 1 - bit / 8 % reach;
                data[place] ^= 1 << (bit % 8);
            }
            Some(Spoiled::Short) => {
                data.pop();
            }
            Some(Spoiled::Long) => data.push(0),
            Some(Spoiled::Empty) => data.clear(),
            Some(Spoiled::Bit(_)) | None => {}
        }
        [vec![self.usage, self.selector, self.matching], data].concat()
    }
}

impl Plan {
    pub fn leaf(&self) -> &Certificate {
        &self.certificates[self.story.path[0]]
    }

    pub fn leaf_mut(&mut self) -> &mut Certificate {
        let place = self.story.path[0];
        &mut self.certificates[place]
    }

    /// The record that is to match.
    pub fn record(&self) -> &Record {
        &self.records[self.story.record]
    }

    pub fn record_mut(&mut self) -> &mut Record {
        &mut self.records[self.story.record]
    }

    /// The record matches an issuer.
    pub fn is_by_anchor(&self) -> bool {
        self.story.form != Form::EndEntity
    }

    /// Depths of the issuers up to and including the anchor, where that is a certificate.
    pub fn issuers(&self) -> Range<usize> {
        1..match self.story.form {
            Form::EndEntity => self.story.path.len(),
            Form::Shown | Form::FullRecord => self.story.depth + 1,
            Form::BareKey => self.story.depth,
        }
    }

    /// The certificate at a depth of the path.
    pub fn at(&self, depth: usize) -> &Certificate {
        &self.certificates[self.story.path[depth]]
    }

    pub fn at_mut(&mut self, depth: usize) -> &mut Certificate {
        let place = self.story.path[depth];
        &mut self.certificates[place]
    }

    /// Adds a certificate that is not shown; its place.
    pub fn add(&mut self, certificate: Certificate) -> usize {
        self.certificates.push(certificate);
        self.certificates.len() - 1
    }

    pub fn shown_certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.shown.iter().map(|place| &self.certificates[*place])
    }

    /// What a verifier may build a path from: what is shown, and what records hold in full.
    pub fn at_hand(&self) -> impl Iterator<Item = &Certificate> {
        let held = self
            .records
            .iter()
            .filter_map(|record| match record.data.of {
                Of::Certificate(place)
                    if (record.usage, record.selector, record.matching) == (2, 0, 0) =>
                {
                    Some(&self.certificates[place])
                }
                _ => None,
            });
        self.shown_certificates().chain(held)
    }

    /// Of those the ones that may be part of a path: they have the name of somebody on it. The others are
    /// strays.
    pub fn near(&self) -> impl Iterator<Item = &Certificate> {
        let path = &self.story.path;
        let is_near = move |one: &&Certificate| {
            path.iter()
                .map(|place| &self.certificates[*place])
                .any(|other| other.subject == one.subject || other.issuer == one.subject)
        };
        self.at_hand().filter(is_near)
    }

    /// How many facts are different. A certificate that is shown in the place of another counts by what
    /// is different in it; any other change of what is shown is one.
    pub fn facts_apart(&self, other: &Self) -> usize {
        let kept = self.certificates.len().min(other.certificates.len());
        let certificates: usize = self.certificates[..kept]
            .iter()
            .zip(&other.certificates)
            .map(|(one, another)| one.facts_apart(another))
            .sum();
        let records = self.records.len().abs_diff(other.records.len());
        let records = if records > 0 {
            // One added or taken away, and the rest as before.
            let (fewer, more) = if self.records.len() < other.records.len() {
                (&self.records, &other.records)
            } else {
                (&other.records, &self.records)
            };
            let missing = fewer.iter().filter(|record| !more.contains(record)).count();
            records + missing
        } else {
            let pairs = self.records.iter().zip(&other.records);
            pairs.filter(|(one, another)| one != another).count()
        };
        let other_fields = [self.names != other.names, self.now != other.now];
        certificates
            + records
            + self.shown_apart(other)
            + other_fields.into_iter().filter(|differs| *differs).count()
    }

    fn shown_apart(&self, other: &Self) -> usize {
        if self.shown == other.shown {
            return 0;
        }
        if self.shown.len() != other.shown.len() {
            return 1;
        }
        let changed: Vec<(usize, usize)> = self
            .shown
            .iter()
            .zip(&other.shown)
            .filter(|(one, another)| one != another)
            .map(|(one, another)| (*one, *another))
            .collect();
        match changed[..] {
            [(one, another)] => self.certificates[one].facts_apart(&other.certificates[another]),
            _ => 1,
        }
    }
}
