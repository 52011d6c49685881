//! One destination as its owner publishes it: zones, MX set, hosts, TLSA records, MTA-STS.
//!
//! A site is a readable description; [`Site::published`] turns it into the records that the model and
//! the simulated name servers share. Names tell whose they are: `d7.test` is the domain of site 7,
//! `h7.test` the zone of hosts outside it, `a7.test` the zone that aliases point into.

use hoplock_model::{Data, Name, PolicyHost, Record, Signing, World, Zone};

/// One destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its number, which its names carry.
    pub number: usize,
    /// How `d7.test` is signed.
    pub domain: Signing,
    /// How `h7.test` is.
    pub outside: Signing,
    /// How `a7.test` is.
    pub aliases: Signing,
    /// What stands at the domain for MX.
    pub mx: Mx,
    /// Its mail hosts.
    pub hosts: Vec<MailHost>,
    /// What is published of MTA-STS.
    pub sts: Option<Sts>,
    /// Seconds that answers may be kept.
    pub ttls: Ttls,
}

/// What the MX question for the domain brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mx {
    /// The hosts.
    Listed,
    /// The hosts, behind an alias into `a7.test`.
    Aliased,
    /// No MX: the domain is its own and only host.
    Implicit,
    /// RFC 7505.
    Null,
    /// There is no such domain.
    Missing,
    /// The domain's servers fail at it.
    Fails,
}

/// Seconds that answers may be kept, by what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttls {
    /// MX.
    pub mx: u32,
    /// Addresses and aliases.
    pub address: u32,
    /// TLSA.
    pub tlsa: u32,
    /// The MTA-STS record.
    pub txt: u32,
    /// Denials.
    pub negative: u32,
}

impl Ttls {
    /// The longest of them.
    #[must_use]
    pub fn longest(self) -> u32 {
        [self.mx, self.address, self.tlsa, self.txt, self.negative]
            .into_iter()
            .fold(0, u32::max)
    }
}

/// One mail host.
#[derive(Clone, Debug, PartialEq)]
pub struct MailHost {
    /// The name in the MX record.
    pub name: Name,
    /// MX preference.
    pub preference: u16,
    /// Its addresses.
    pub addresses: Addresses,
    /// Where its name is an alias: to a host in `a7.test`.
    pub alias: Option<Name>,
    /// Its TLSA records.
    pub tlsa: Tlsa,
    /// How those that are usable hold what they name.
    pub form: Form,
    /// Where they stand.
    pub place: Place,
    /// The program that answers there.
    pub server: Server,
}

/// Addresses of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4 and IPv6.
    Both,
    /// IPv4 alone.
    Four,
    /// IPv6 alone.
    Six,
    /// IPv4, and servers that fail when asked for IPv6.
    FourSixFails,
    /// None at all.
    None,
    /// Servers that fail.
    Fail,
}

/// TLSA records of a host, by the number of the key that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tlsa {
    /// None.
    None,
    /// DANE-EE, one record for each key.
    Keys(Vec<u8>),
    /// DANE-TA: whoever issues for the host with this key.
    Anchor(u8),
    /// Only records that nobody can use.
    Unusable,
    /// Those beside a good one.
    Mixed(u8),
    /// DANE-EE, and DANE-TA beside it.
    Both(u8),
    /// DANE-EE in SHA-512, and beside it in SHA-256 a key that is no longer meant to count.
    Agile(u8),
    /// DANE-EE in both digests.
    Twice(u8),
    /// The zone's servers fail when asked.
    Fails,
}

/// Selector and matching type of usable records. DANE-EE records name keys, whatever the selector: a
/// certificate is made anew when the host gets another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// 0 for certificates of authorities, 1 for keys.
    pub selector: u8,
    /// 0 for the whole of it, 1 for SHA-256, 2 for SHA-512.
    pub matching: u8,
}

impl Form {
    /// As most are published.
    pub const USUAL: Self = Self {
        selector: 1,
        matching: 1,
    };
}

/// Where TLSA records of a host with an alias stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below the name in the MX record.
    Original,
    /// Below the name that the alias leads to.
    Expanded,
    /// Below the original name, as an alias into `a7.test`.
    Shared,
}

/// What a session with a host meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// STARTTLS is offered.
    pub tls: bool,
    /// The number of its key.
    pub key: u8,
    /// Its certificate is good for the host's name by the public authorities.
    pub web_pki: bool,
    /// And for the domain's name.
    pub own_names: bool,
}

/// What is published of MTA-STS.
#[derive(Clone, Debug, PartialEq)]
pub struct Sts {
    /// The record's id; none: there is no record.
    pub id: Option<String>,
    /// What the policy says.
    pub mode: &'static str,
    /// Its patterns.
    pub patterns: Vec<Name>,
    /// Seconds.
    pub max_age: u64,
    /// What the policy host does.
    pub host: StsHost,
}

/// What a policy host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StsHost {
    /// It serves the policy.
    Serves,
    /// It is not there.
    Down,
    /// Its certificate is bad.
    BadCertificate,
    /// It has no such page.
    NotFound,
    /// It serves a text that is no policy.
    BadText,
}

impl Site {
    /// The same where its hosts are found by the MX set of an earlier version, which a name server has kept:
    /// what is asked of them then is answered as it is now.
    #[must_use]
    pub(super) fn found_by(&self, earlier: &Self) -> Self {
        let as_now = |host: &MailHost| MailHost {
            preference: host.preference,
            ..self.host(&host.name).unwrap_or(host).clone()
        };
        Self {
            mx: earlier.mx,
            hosts: earlier.hosts.iter().map(as_now).collect(),
            ..self.clone()
        }
    }

    /// The domain.
    #[must_use]
    pub fn domain_name(&self) -> Name {
        format!("d{}.test", self.number)
    }

    /// Everything that is published.
    #[must_use]
    pub fn published(&self) -> World {
        let number = self.number;
        let domain = self.domain_name();
        let zone = |apex: Name, signing| Zone { apex, signing };
        let zones = vec![
            zone("test".to_owned(), Signing::Signed),
            zone(domain.clone(), self.domain),
            zone(format!("h{number}.test"), self.outside),
            zone(format!("a{number}.test"), self.aliases),
        ];
        let mut world = World {
            zones,
            ..World::default()
        };
        if self.mx == Mx::Missing {
            // RFC 5321, 5.1: no such domain, so nothing below it either; a policy host may be left.
            world.zones.remove(1);
        } else {
            self.write_mx(&mut world.records, &domain);
            for host in &self.hosts {
                host.write(&mut world.records, number);
            }
        }
        if let Some(sts) = &self.sts {
            sts.write(&mut world, &domain);
        }
        world
    }

    fn write_mx(&self, records: &mut Vec<Record>, domain: &Name) {
        let owner = match self.mx {
            Mx::Aliased => format!("mail.a{}.test", self.number),
            _ => domain.clone(),
        };
        let mut add = |owner: &Name, data| {
            records.push(Record {
                owner: owner.clone(),
                data,
            });
        };
        match self.mx {
            Mx::Listed => {}
            Mx::Aliased => add(domain, Data::Cname(owner.clone())),
            Mx::Implicit | Mx::Missing => return,
            Mx::Null => return add(domain, Data::Mx(0, Name::new())),
            Mx::Fails => return add(domain, Data::Fails(hoplock_model::Type::Mx)),
        }
        for host in &self.hosts {
            add(&owner, Data::Mx(host.preference, host.name.clone()));
        }
    }

    /// True where lookups fail for everybody.
    #[must_use]
    pub fn fails(&self) -> bool {
        let zones = [self.domain, self.outside, self.aliases];
        let zones = zones
            .iter()
            .any(|zone| matches!(zone, Signing::Broken | Signing::Silent));
        let hosts = self.hosts.iter().any(|host| {
            host.tlsa == Tlsa::Fails
                || matches!(host.addresses, Addresses::Fail | Addresses::FourSixFails)
        });
        zones || hosts || self.mx == Mx::Fails
    }

    /// The host of this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&MailHost> {
        self.hosts.iter().find(|host| host.name == name)
    }
}

impl MailHost {
    fn write(&self, records: &mut Vec<Record>, number: usize) {
        let mut add = |owner: &str, data| {
            records.push(Record {
                owner: owner.to_owned(),
                data,
            });
        };
        let end = self.alias.as_ref().unwrap_or(&self.name);
        if let Some(target) = &self.alias {
            add(&self.name, Data::Cname(target.clone()));
        }
        use hoplock_model::Type;
        match self.addresses {
            Addresses::Both => {
                add(end, Data::A);
                add(end, Data::Aaaa);
            }
            Addresses::Four => add(end, Data::A),
            Addresses::Six => add(end, Data::Aaaa),
            Addresses::FourSixFails => {
                add(end, Data::A);
                add(end, Data::Fails(Type::Aaaa));
            }
            Addresses::None => {}
            Addresses::Fail => {
                add(end, Data::Fails(Type::A));
                add(end, Data::Fails(Type::Aaaa));
            }
        }
        let owner = match self.place {
            Place::Expanded => format!("_25._tcp.{end}"),
            Place::Original => format!("_25._tcp.{}", self.name),
            Place::Shared => {
                let shared = format!("tlsa-{}.a{number}.test", self.name.replace('.', "-"));
                add(
                    &format!("_25._tcp.{}", self.name),
                    Data::Cname(shared.clone()),
                );
                shared
            }
        };
        for data in self.records() {
            add(&owner, data);
        }
    }
}

impl Sts {
    fn write(&self, world: &mut World, domain: &Name) {
        if let Some(id) = &self.id {
            world.records.push(Record {
                owner: format!("_mta-sts.{domain}"),
                data: Data::Txt(vec![format!("v=STSv1; id={id};").into_bytes()]),
            });
        }
        if self.host == StsHost::Down {
            return;
        }
        let body = match self.host {
            StsHost::BadText => "version: STSv1\nmode: maybe\n".to_owned(),
            _ => self.text(),
        };
        world.policy_hosts.push(PolicyHost {
            domain: domain.clone(),
            certificate_valid: self.host != StsHost::BadCertificate,
            status: if self.host == StsHost::NotFound {
                404
            } else {
                200
            },
            media_type: "text/plain".to_owned(),
            body: body.into_bytes(),
        });
    }

    /// The policy's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("version: STSv1\nmode: {}\n", self.mode);
        for pattern in &self.patterns {
            text.push_str(&format!("mx: {pattern}\n"));
        }
        text.push_str(&format!("max_age: {}\n", self.max_age));
        text
    }
}
