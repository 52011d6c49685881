//! A case in octets, as both verifiers get it, and the press that makes it from a plan.

use std::collections::HashMap;
use std::rc::Rc;

use super::certificate::Certificate;
use super::keys::Signatory;
use super::plan::Plan;
use super::with_rcgen;

/// What a host shows and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Leaf first.
    pub chain: Vec<Rc<Octets>>,
    /// RDATA of TLSA records.
    pub records: Vec<Vec<u8>>,
    /// Reference names.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub now: i64,
}

/// A certificate in octets, and the key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Octets {
    pub der: Vec<u8>,
    pub key: Vec<u8>,
}

/// Makes certificates, each once: a mutant shares with its parent whatever it did not change, to the
/// octet.
#[derive(Debug)]
pub struct Press {
    pub signatory: Signatory,
    lasting: HashMap<Certificate, Rc<Octets>>,
    fresh: HashMap<Certificate, Rc<Octets>>,
}

impl Press {
    pub fn new(signatory: Signatory) -> Self {
        Self {
            signatory,
            lasting: HashMap::new(),
            fresh: HashMap::new(),
        }
    }

    /// Forgets what was made, except what is to last.
    pub fn forget(&mut self) {
        self.fresh.clear();
    }

    /// Makes a certificate that will be asked for again and again.
    pub fn keep(&mut self, certificate: &Certificate) {
        let made = self.make(certificate);
        self.lasting.insert(certificate.clone(), made);
    }

    /// The octets of a plan.
    pub fn print(&mut self, plan: &Plan) -> Case {
        let chain = plan
            .shown
            .iter()
            .map(|place| self.certificate(&plan.certificates[*place]))
            .collect();
        let records = plan
            .records
            .iter()
            .map(|record| record.rdata(|place| self.certificate(&plan.certificates[place])))
            .collect();
        Case {
            chain,
            records,
            names: plan.names.clone(),
            now: plan.now,
        }
    }

    fn certificate(&mut self, certificate: &Certificate) -> Rc<Octets> {
        let known = self
            .lasting
            .get(certificate)
            .or_else(|| self.fresh.get(certificate));
        if let Some(made) = known {
            return Rc::clone(made);
        }
        let made = self.make(certificate);
        self.fresh.insert(certificate.clone(), Rc::clone(&made));
        made
    }

    fn make(&mut self, certificate: &Certificate) -> Rc<Octets> {
        let der = with_rcgen::write(certificate, &mut self.signatory)
            .unwrap_or_else(|| certificate.write(&mut self.signatory));
        let key = certificate.key_info(self.signatory.pool.public(certificate.key));
        Rc::new(Octets { der, key })
    }
}
