//! The DNS of the lab: an own root and TLD, signed with real tools; what each destination publishes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use super::certificates::{Authority, Flaw, Identity};
use super::mail_host::Manner;
use super::policy_host::{Behaviour, Site, Sites};

/// NSD.
pub const AUTHORITATIVE: &str = "127.0.0.2";
/// A name server that never answers.
pub const BLACK_HOLE: &str = "127.0.0.66";
/// The policy hosts that answer.
pub const POLICY_HOST: &str = "127.0.2.1";
/// An address where nobody listens.
pub const NOBODY: &str = "127.0.2.9";

/// Zones, parents before children; how each is signed.
const ZONES: [(&str, Signing); 8] = [
    (".", Signing::Nsec),
    ("com", Signing::Nsec),
    ("test", Signing::Nsec),
    ("n3.test", Signing::Nsec3),
    ("plain.test", Signing::None),
    ("bogus.test", Signing::WrongKey),
    // One of the manual's names.
    ("broken.example", Signing::WrongKey),
    // Changes while the lab runs.
    ("roll.test", Signing::Nsec),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    Nsec,
    Nsec3,
    None,
    /// Signed, but the parent vouches for another key.
    WrongKey,
}

/// Everything that the lab publishes and serves.
pub struct Plan {
    pub authority: Authority,
    pub hosts: Vec<MailHost>,
    pub sites: Sites,
    /// What the resolver that does not validate says in place of the truth: lines of a zone file.
    pub forged: Vec<String>,
    lines: BTreeMap<&'static str, String>,
    /// Of each signed zone: the names of its two keys.
    keys: BTreeMap<&'static str, [String; 2]>,
    /// Owner and type of RRsets whose signatures are spoiled.
    spoiled: Vec<(String, &'static str)>,
    octet: u8,
    serial: u32,
}

/// One mail host.
pub struct MailHost {
    pub name: String,
    pub address: Ipv4Addr,
    pub port: u16,
    pub manner: Manner,
    pub identity: Identity,
}

impl Plan {
    pub fn new(authority: Authority) -> Self {
        let mut plan = Self {
            authority,
            hosts: Vec::new(),
            sites: Sites::default(),
            forged: Vec::new(),
            lines: BTreeMap::new(),
            keys: BTreeMap::new(),
            spoiled: Vec::new(),
            octet: 0,
            serial: 1,
        };
        for (zone, _) in ZONES {
            let dotted = dotted(zone);
            plan.record(&format!(
                "{dotted} 300 IN SOA ns.test. hostmaster.test. 1 3600 900 86400 300"
            ));
            plan.record(&format!("{dotted} 300 IN NS ns.test."));
        }
        plan.record(&format!("ns.test. 300 IN A {AUTHORITATIVE}"));
        plan.record("hole.test. 300 IN NS ns.hole.test.");
        plan.record(&format!("ns.hole.test. 300 IN A {BLACK_HOLE}"));
        plan
    }

    /// One line of zone file, in the zone where its owner belongs.
    pub fn record(&mut self, line: &str) {
        let zone = zone_of(line.split(' ').next().unwrap().trim_end_matches('.'));
        let text = self.lines.entry(zone).or_default();
        writeln!(text, "{line}").unwrap();
    }

    pub fn mx(&mut self, domain: &str, preference: u16, host: &str) {
        self.record(&format!("{domain}. 300 IN MX {preference} {host}."));
    }

    /// A mail host with an address and a certificate of its own.
    pub fn host(&mut self, name: &str, manner: Manner, flaw: Flaw) -> Identity {
        self.host_at(name, 25, manner, flaw)
    }

    pub fn host_at(&mut self, name: &str, port: u16, manner: Manner, flaw: Flaw) -> Identity {
        self.octet += 1;
        let address = Ipv4Addr::new(127, 0, 1, self.octet);
        self.record(&format!("{name}. 300 IN A {address}"));
        let identity = self.authority.issue(name, flaw);
        let name = name.to_owned();
        let kept = identity.clone();
        self.hosts.push(MailHost {
            name,
            address,
            port,
            manner,
            identity: kept,
        });
        identity
    }

    pub fn tlsa(&mut self, host: &str, record: &str) {
        self.record(&format!("_25._tcp.{host}. 300 IN TLSA {record}"));
    }

    /// A domain that wants reports on TLS (RFC 8460, 3).
    pub fn asks_for_reports(&mut self, domain: &str) {
        self.record(&format!(
            "_smtp._tls.{domain}. 300 IN TXT \"v=TLSRPTv1; rua=mailto:r@{domain}\""
        ));
    }

    /// An MTA-STS record and a policy host with this behaviour and certificate.
    pub fn sts(&mut self, domain: &str, behaviour: Behaviour, flaw: Flaw) {
        self.sts_at(domain, 300, behaviour, flaw);
    }

    /// The same with records of another TTL.
    pub fn sts_for(&mut self, domain: &str, ttl: u32, behaviour: Behaviour) {
        self.sts_at(domain, ttl, behaviour, Flaw::None);
    }

    fn sts_at(&mut self, domain: &str, ttl: u32, behaviour: Behaviour, flaw: Flaw) {
        self.record(&format!(
            "_mta-sts.{domain}. {ttl} IN TXT \"v=STSv1; id=1;\""
        ));
        self.record(&format!("mta-sts.{domain}. 300 IN A {POLICY_HOST}"));
        let name = format!("mta-sts.{domain}");
        let tls = self.authority.issue(&name, flaw).tls;
        let site = Site { tls, behaviour };
        self.sites.sites.lock().unwrap().insert(name, site);
    }

    /// Writes a zone anew, signed where it was, with the lines that `change` makes of the old ones.
    /// NSD reads it when it is told to.
    pub fn change(&mut self, folder: &Path, zone: &str, change: impl Fn(&str) -> String) {
        self.serial += 1;
        let text = self.lines.get_mut(zone).unwrap();
        let soa = format!("hostmaster.test. {} 3600", self.serial);
        *text = change(text)
            .lines()
            .map(|line| match line.split_once("hostmaster.test. ") {
                Some((front, rest)) => {
                    let rest = rest.split_once(' ').unwrap().1.split_once(' ').unwrap().1;
                    format!("{front}{soa} {rest}\n")
                }
                None => format!("{line}\n"),
            })
            .collect();
        let file = folder.join(file_name(zone));
        match self.keys.get(zone) {
            None => fs::write(signed(&file), text).unwrap(),
            Some(keys) => {
                fs::write(&file, text).unwrap();
                sign(folder, zone, keys);
            }
        }
    }

    /// Spoils the signatures of one RRset.
    pub fn spoil(&mut self, owner: &str, record_type: &'static str) {
        self.spoiled.push((format!("{owner}."), record_type));
    }

    /// Writes and signs all zones; returns the trust anchor of the root.
    pub fn sign(&mut self, folder: &Path) -> String {
        let mut anchors: HashMap<&str, String> = HashMap::new();
        // Children first: their keys go into their parents.
        for (zone, signing) in ZONES.into_iter().rev() {
            let file = folder.join(file_name(zone));
            fs::write(&file, &self.lines[zone]).unwrap();
            if signing == Signing::None {
                fs::rename(&file, signed(&file)).unwrap();
                self.delegate(zone, None);
                continue;
            }
            let zone_key = key(folder, zone, false);
            let signing_key = key(folder, zone, true);
            let vouched = if signing == Signing::WrongKey {
                key(folder, zone, true)
            } else {
                signing_key.clone()
            };
            let ds = output(
                Command::new("ldns-key2ds")
                    .args(["-n", "-2", &format!("{vouched}.key")])
                    .current_dir(folder),
            );
            let keys = [zone_key, signing_key.clone()];
            sign(folder, zone, &keys);
            self.keys.insert(zone, keys);
            self.delegate(zone, Some(ds.trim()));
            anchors.insert(
                zone,
                fs::read_to_string(folder.join(format!("{signing_key}.key"))).unwrap(),
            );
        }
        for (owner, record_type) in &self.spoiled {
            spoil(folder, owner, record_type);
        }
        anchors.remove(".").unwrap()
    }

    /// Tells the parent of a zone about it.
    fn delegate(&mut self, zone: &str, ds: Option<&str>) {
        let parent = match zone {
            "." => return,
            "com" | "test" | "broken.example" => ".",
            _ => "test",
        };
        let text = self.lines.get_mut(parent).unwrap();
        writeln!(text, "{} 300 IN NS ns.test.", dotted(zone)).unwrap();
        if parent == "." && !text.contains("ns.test. 300 IN A") {
            writeln!(text, "ns.test. 300 IN A {AUTHORITATIVE}").unwrap();
        }
        if let Some(ds) = ds {
            writeln!(text, "{ds}").unwrap();
        }
    }

    /// `name zonefile` of each zone, for NSD.
    pub fn zone_files(&self) -> Vec<(String, String)> {
        ZONES
            .iter()
            .map(|(zone, _)| (dotted(zone), format!("{}.signed", file_name(zone))))
            .collect()
    }
}

/// Signs the zone as it is written.
fn sign(folder: &Path, zone: &str, keys: &[String; 2]) {
    let file = folder.join(file_name(zone));
    let mut sign = Command::new("ldns-signzone");
    if ZONES.contains(&(zone, Signing::Nsec3)) {
        sign.args(["-n", "-s", "", "-t", "0"]);
    }
    sign.args(["-o", zone, "-f"]).arg(signed(&file)).arg(&file);
    output(sign.args(keys).current_dir(folder));
}

fn key(folder: &Path, zone: &str, is_signing: bool) -> String {
    let mut command = Command::new("ldns-keygen");
    command.args(["-a", "ECDSAP256SHA256"]).current_dir(folder);
    if is_signing {
        command.arg("-k");
    }
    output(command.arg(zone)).trim().to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The zone to which a name belongs.
fn zone_of(owner: &str) -> &'static str {
    let is_in = |zone: &str| zone == "." || owner == zone || owner.ends_with(&format!(".{zone}"));
    let zones = ZONES.iter().map(|(zone, _)| *zone);
    zones
        .filter(|zone| is_in(zone))
        .max_by_key(|zone| if *zone == "." { 0 } else { zone.len() })
        .unwrap()
}

/// Turns one letter of the signatures of an RRset, so that they fit no more.
fn spoil(folder: &Path, owner: &str, record_type: &str) {
    let zone = zone_of(owner.trim_end_matches('.'));
    let file = signed(&folder.join(file_name(zone)));
    let text = fs::read_to_string(&file).unwrap();
    let mut count = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let hit = words.first() == Some(&owner)
                && words.get(3) == Some(&"RRSIG")
                && words.get(4) == Some(&record_type);
            if !hit {
                return line.to_owned();
            }
            count += 1;
            let at = line.len() - 20;
            let turned = if &line[at..=at] == "A" { "B" } else { "A" };
            format!("{}{turned}{}", &line[..at], &line[at + 1..])
        })
        .collect();
    assert!(count > 0, "no signature over {owner} {record_type}");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
}

fn dotted(zone: &str) -> String {
    if zone == "." {
        ".".to_owned()
    } else {
        format!("{zone}.")
    }
}

fn file_name(zone: &str) -> String {
    if zone == "." {
        "root.zone".to_owned()
    } else {
        format!("{zone}.zone")
    }
}

fn signed(file: &Path) -> std::path::PathBuf {
    file.with_extension("zone.signed")
}
