//! Data of records that name hosts: MX (RFC 1035, 3.3.9) and SRV (RFC 2782).
//!
//! What cannot be read is a host that can never be reached: left out, it could pass for an absence.

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::BinDecodable as _;
use hoplock_policy::dns::{Exchange, RecordData};

use super::{Raw, domain_name, u16};

impl Raw<'_> {
    /// The name that the data ends with: what stands behind the data is no part of it.
    pub(super) fn name(&mut self) -> Option<Name> {
        let name = Name::read(&mut self.inside).ok()?;
        (self.inside.index() == self.end).then_some(name)
    }

    pub(super) fn mx(&mut self) -> RecordData {
        let preference = self.numbers::<1>();
        let exchange = self.host(preference.is_some());
        let [preference] = preference.unwrap_or([u16::MAX]);
        RecordData::Mx {
            preference,
            exchange,
        }
    }

    pub(super) fn srv(&mut self) -> RecordData {
        let numbers = self.numbers::<3>();
        let target = self.host(numbers.is_some());
        let [priority, _weight, port] = numbers.unwrap_or([u16::MAX, 0, 0]);
        RecordData::Srv {
            priority,
            port,
            target,
        }
    }

    /// The numbers in front of the name, where there is room for all.
    fn numbers<const N: usize>(&mut self) -> Option<[u16; N]> {
        let mut numbers = [0; N];
        if self.data.len() < 2 * N {
            return None;
        }
        for number in &mut numbers {
            *number = u16(&mut self.inside)?;
        }
        Some(numbers)
    }

    fn host(&mut self, stands_behind: bool) -> Exchange {
        let name = stands_behind.then(|| self.name()).flatten();
        match name {
            Some(name) if name.is_root() => Exchange::Null,
            Some(name) => match domain_name(&name) {
                Some(host) => Exchange::Host(host),
                None => Exchange::Malformed(name.to_ascii()),
            },
            None => Exchange::Malformed("unreadable bytes".to_owned()),
        }
    }
}
