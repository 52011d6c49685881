//! Recursive resolution without a cache, with the security of the whole path.

use crate::{Data, Name, Signing, Type, World, world::is_within};

plain_data! {
    /// What one question brings. `secure` covers every alias and the end; `aliases` are the names
    /// after the one asked, the last being the owner. Failure is of any kind (RFC 7672, 2.1.1).
    pub enum Answer { Records { secure: bool, data: Vec<Data>, aliases: Vec<Name> }, Failed,
        NoData { secure: bool, aliases: Vec<Name> }, NxDomain { secure: bool, aliases: Vec<Name> } }
}

impl World {
    /// The answer of a validating resolver.
    pub fn lookup(&self, name: &str, record_type: Type) -> Answer {
        self.follow(name, record_type, true, vec![])
    }

    /// The same from within a path; one whose security does not count starts insecure (MX-15).
    pub(crate) fn follow(&self, name: &str, asked: Type, path: bool, mut via: Vec<Name>) -> Answer {
        let mut zones = self.zones.iter().filter(|zone| is_within(name, &zone.apex)).peekable();
        // Where no zone is listed, everything is signed and empty down to the zones below
        let records = zones.peek().map_or(&[][..], |_| &self.records);
        let signing: Vec<Signing> = zones.map(|zone| zone.signing).collect();
        let owned = || records.iter().filter(|at| at.owner == name).map(|at| &at.data);
        let lost = signing.contains(&Signing::Broken) || signing.contains(&Signing::Silent);
        if lost || owned().any(|data| *data == Data::Fails(asked)) {
            return Answer::Failed; // RFC 7672, 2.1.2
        }
        // RFC 4035, 4.3; RFC 7672, 2.1.3; MX-02: one insecure link taints everything after it
        let secure = path && !signing.contains(&Signing::Unsigned);
        let alias = owned().find(|data| is_of(data, Type::Cname) && asked != Type::Cname);
        if let Some(Data::Cname(target)) = alias {
            if via.len() == 16 {
                return Answer::Failed; // MX-11: never an empty answer; circles end here too
            }
            via.push(target.clone());
            return self.follow(target, asked, secure, via);
        }
        let data: Vec<Data> = owned().filter(|data| is_of(data, asked)).cloned().collect();
        // RFC 8020: a name exists where anything at it or below it does
        let exists = self.zones.iter().any(|zone| is_within(&zone.apex, name))
            || records.iter().any(|at| is_within(&at.owner, name));
        match exists {
            _ if !data.is_empty() => Answer::Records { secure, data, aliases: via },
            true => Answer::NoData { secure, aliases: via },
            false => Answer::NxDomain { secure, aliases: via },
        }
    }
}

/// Both enumerations use the same words.
fn is_of(data: &Data, asked: Type) -> bool {
    format!("{data:?}").split('(').next() == Some(&format!("{asked:?}"))
}
