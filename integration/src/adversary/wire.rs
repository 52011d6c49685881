//! DNS messages as the simulated name servers read and write them: the few forms that are needed,
//! by hand, so that the service's own codec meets another one (RFC 1035, 4).

use hoplock_model::{Answer, Data, Name, Type};

use super::site::Ttls;

/// A query, taken apart.
pub(super) struct Query {
    id: [u8; 2],
    /// The question as it stands on the wire.
    question: Vec<u8>,
    /// The name, lower case.
    pub(super) name: Name,
    /// The type's number.
    pub(super) number: u16,
}

impl Query {
    /// Reads a query; `None` where it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let id = [*bytes.first()?, *bytes.get(1)?];
        let rest = bytes.get(HEADER..)?;
        let mut labels = Vec::new();
        let mut at = 0;
        loop {
            let length = usize::from(*rest.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = rest.get(at..at + length)?;
            labels.push(String::from_utf8(label.to_ascii_lowercase()).ok()?);
            at += length;
        }
        let number = u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]);
        Some(Self {
            id,
            question: rest.get(..at + 4)?.to_vec(),
            name: labels.join("."),
            number,
        })
    }

    /// The type, where the model knows it.
    pub(super) fn record_type(&self) -> Option<Type> {
        Some(match self.number {
            1 => Type::A,
            5 => Type::Cname,
            15 => Type::Mx,
            16 => Type::Txt,
            28 => Type::Aaaa,
            52 => Type::Tlsa,
            _ => return None,
        })
    }

    /// A message without records.
    pub(super) fn bare(&self, rcode: u8, flags: Flags) -> Vec<u8> {
        self.message(rcode, flags, &[], &[])
    }

    /// The same with an id that nobody asked with.
    pub(super) fn foreign(&self) -> Vec<u8> {
        let mut bytes = self.bare(NXDOMAIN, Flags::default());
        for byte in bytes.iter_mut().take(2) {
            *byte ^= 0x5a;
        }
        bytes
    }

    /// An answer of the model; `age` seconds of its TTLs have passed, `believed` where the server
    /// sets AD.
    pub(super) fn answer(&self, answer: &Answer, ttls: Ttls, age: u32, authentic: bool) -> Vec<u8> {
        let left = |ttl: u32| ttl.saturating_sub(age);
        let flags = Flags {
            authentic,
            ..Flags::default()
        };
        let (aliases, rcode) = match answer {
            Answer::Records { aliases, .. } | Answer::NoData { aliases, .. } => (aliases, NOERROR),
            Answer::NxDomain { aliases, .. } => (aliases, NXDOMAIN),
            Answer::Failed => return self.bare(SERVFAIL, Flags::default()),
        };
        let mut records = Vec::new();
        let mut owner = self.name.clone();
        for alias in aliases {
            records.push(record(&owner, 5, left(ttls.address), &name(alias)));
            owner.clone_from(alias);
        }
        let mut authority = Vec::new();
        match answer {
            Answer::Records { data, .. } => {
                for data in data {
                    if let Some((number, ttl, rdata)) = rdata(data, ttls) {
                        records.push(record(&owner, number, left(ttl), &rdata));
                    }
                }
            }
            _ => {
                let ttl = left(ttls.negative);
                let mut soa = [name("ns.test"), name("hostmaster.test")].concat();
                for number in [1, 7200, 3600, 86_400, ttls.negative] {
                    soa.extend(number.to_be_bytes());
                }
                authority.push(record("test", 6, ttl, &soa));
            }
        }
        self.message(rcode, flags, &records, &authority)
    }

    /// The answer to the self-test's question: a SOA record.
    pub(super) fn soa(&self, authentic: bool) -> Vec<u8> {
        let flags = Flags {
            authentic,
            ..Flags::default()
        };
        let mut soa = [name("ns.test"), name("hostmaster.test")].concat();
        soa.extend([0; 20]);
        let records = [record(&self.name, 6, 900, &soa)];
        self.message(NOERROR, flags, &records, &[])
    }

    fn message(
        &self,
        rcode: u8,
        flags: Flags,
        records: &[Vec<u8>],
        authority: &[Vec<u8>],
    ) -> Vec<u8> {
        let count = |list: &[Vec<u8>]| u16::try_from(list.len()).unwrap_or(u16::MAX).to_be_bytes();
        let additional = u16::from(flags.bogus);
        let mut bytes = self.id.to_vec();
        bytes.push(0x81 | if flags.truncated { 0x02 } else { 0 });
        bytes.push(0x80 | if flags.authentic { 0x20 } else { 0 } | rcode);
        bytes.extend(1_u16.to_be_bytes());
        bytes.extend(count(records));
        bytes.extend(count(authority));
        bytes.extend(additional.to_be_bytes());
        bytes.extend(&self.question);
        bytes.extend(records.concat());
        bytes.extend(authority.concat());
        if flags.bogus {
            // RFC 8914: extended error 6, DNSSEC bogus.
            bytes.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 6]);
        }
        bytes
    }
}

/// What a message says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// AD.
    pub(super) authentic: bool,
    /// TC.
    pub(super) truncated: bool,
    /// With the extended error that says "bogus".
    pub(super) bogus: bool,
}

fn rdata(data: &Data, ttls: Ttls) -> Option<(u16, u32, Vec<u8>)> {
    Some(match data {
        Data::A => (1, ttls.address, vec![192, 0, 2, 1]),
        Data::Aaaa => {
            let mut address = vec![0x20, 0x01, 0x0d, 0xb8];
            address.extend([0; 12]);
            (28, ttls.address, address)
        }
        Data::Cname(target) => (5, ttls.address, name(target)),
        Data::Mx(preference, exchange) => {
            let mut rdata = preference.to_be_bytes().to_vec();
            rdata.extend(name(exchange));
            (15, ttls.mx, rdata)
        }
        Data::Tlsa(rdata) => (52, ttls.tlsa, rdata.clone()),
        Data::Txt(strings) => {
            let mut rdata = Vec::new();
            for string in strings {
                rdata.push(u8::try_from(string.len()).ok()?);
                rdata.extend(string);
            }
            (16, ttls.txt, rdata)
        }
        Data::Fails(_) => return None,
    })
}

fn record(owner: &str, number: u16, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let mut bytes = name(owner);
    bytes.extend(number.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(rdata.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(rdata);
    bytes
}

fn name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// RFC 1035, 4.1.1.
const HEADER: usize = 12;
pub(super) const NOERROR: u8 = 0;
pub(super) const SERVFAIL: u8 = 2;
pub(super) const NXDOMAIN: u8 = 3;
pub(super) const REFUSED: u8 = 5;
