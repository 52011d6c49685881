//! The TLSA records of a mail host, by the numbers of the keys that they name.

use hoplock_model::Data;

use super::session::certificates::{Vouching, issuer_digest, key_digest, of_key, selected};
use super::site::{Form, MailHost, Server, Tlsa};

impl MailHost {
    pub(super) fn records(&self) -> Vec<Data> {
        let end = |key: u8| named(3, Vouching::Private(key), key, self.form);
        match &self.tlsa {
            Tlsa::None => Vec::new(),
            Tlsa::Keys(keys) => keys.iter().map(|key| end(*key)).collect(),
            Tlsa::Anchor(key) => vec![self.anchor(*key)],
            Tlsa::Unusable => unusable(),
            Tlsa::Mixed(key) => {
                let mut records = unusable();
                records.push(end(*key));
                records
            }
            Tlsa::Both(key) => vec![end(*key), self.anchor(*key)],
            Tlsa::Agile(key) => {
                let in_digest = |matching| Form {
                    selector: 1,
                    matching,
                };
                let own = Vouching::Private(*key);
                vec![
                    named(3, own, *key, in_digest(2)),
                    named(3, own, GIVEN_UP, in_digest(1)),
                ]
            }
            Tlsa::Twice(key) => [2, 1]
                .map(|matching| {
                    let form = Form {
                        selector: 1,
                        matching,
                    };
                    named(3, Vouching::Private(*key), *key, form)
                })
                .to_vec(),
            Tlsa::Fails => vec![Data::Fails(hoplock_model::Type::Tlsa)],
        }
    }

    fn anchor(&self, key: u8) -> Data {
        named(2, self.server.issuer(key), key, self.form)
    }
}

impl Server {
    /// Who has issued the certificate that it shows.
    pub(super) fn issuer(self, key: u8) -> Vouching {
        if self.web_pki || self.own_names {
            Vouching::Public(key)
        } else {
            Vouching::Private(key)
        }
    }
}

/// A usable record.
fn named(usage: u8, issuer: Vouching, key: u8, form: Form) -> Data {
    let selector = if usage == 3 { 1 } else { form.selector };
    let mut rdata = vec![usage, selector, form.matching];
    rdata.extend(match usage {
        2 => selected(issuer, form.selector, form.matching),
        _ => of_key(key, form.matching),
    });
    Data::Tlsa(rdata)
}

/// A key that stands only where digest agility leaves it out, and in no host.
pub(super) const GIVEN_UP: u8 = 8;
/// A key that stands only in records that nobody can use, and in no host.
pub(super) const UNUSABLE: u8 = 9;

/// A PKIX usage, a private one, and a digest that is cut short.
fn unusable() -> Vec<Data> {
    let mut short = end_entity(UNUSABLE);
    short.pop();
    vec![
        Data::Tlsa(rdata(1, UNUSABLE)),
        Data::Tlsa(rdata(200, UNUSABLE)),
        Data::Tlsa(short),
    ]
}

/// The DANE-EE record of a key.
#[must_use]
pub(super) fn end_entity(key: u8) -> Vec<u8> {
    rdata(3, key)
}

/// DANE-TA records name whoever has issued the host's certificate; all others name its key.
fn rdata(usage: u8, key: u8) -> Vec<u8> {
    let mut rdata = vec![usage, 1, 1];
    rdata.extend(match usage {
        2 => issuer_digest(key),
        _ => key_digest(key),
    });
    rdata
}
