//! Looks a destination up, and speaks to every address of every host of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hoplock_policy::findings::{AddressFinding, Findings, HostFinding, StsFinding, Validation};
use hoplock_policy::law::Answer;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::sts::StsMode;
use hoplock_policy::tlsa::{TlsaRecord, TlsaUsage};
use hoplock_policy::verify::{Demand, Owed, Refused, SessionVerdict};

use super::judge::{Bar, CheckedAddress, Standing};
use crate::adapters::smtp::openssl::OpensslProber;
use crate::adapters::smtp::{ProbeOptions, SmtpProber, own_name};
use crate::answer::Answered;
use crate::config::Config;
use crate::serve::engine::{self, Memory};
use crate::serve::sessions::{JudgeOptions, judge_options};
use crate::world::probe::{Engine, ProbeTarget, Prober};

/// Everything that checks.
pub(super) struct Checker {
    engine: engine::Engine,
    prober: Arc<dyn Prober>,
    profile: Profile,
    options: JudgeOptions,
}

/// One next hop, looked up and spoken to.
pub(super) struct Checked {
    pub(super) asked: String,
    pub(super) answered: Arc<Answered>,
    /// Whether what DNSSEC proves was seen.
    pub(super) validation: Validation,
    /// When it was over.
    pub(super) time: Timestamp,
    /// Best preference first.
    pub(super) hosts: Vec<CheckedHost>,
}

/// One host.
pub(super) struct CheckedHost {
    pub(super) host: DomainName,
    pub(super) preference: u16,
    pub(super) state: Option<HostState>,
    pub(super) duty: Option<Duty>,
    pub(super) demand: Demand,
    /// The mode of an MTA-STS policy that does not permit this host.
    pub(super) barred_by: Option<StsMode>,
    pub(super) tlsa: Option<Tlsa>,
    pub(super) addresses: Vec<CheckedAddress>,
    /// The verdict where there is no address to judge.
    pub(super) verdict: Option<SessionVerdict>,
    pub(super) notes: Vec<String>,
}

/// The TLSA records of a host.
pub(super) struct Tlsa {
    pub(super) owner: Option<DomainName>,
    pub(super) usable: Vec<TlsaRecord>,
    /// As published, and why they cannot be used.
    pub(super) unusable: Vec<(Vec<u8>, String)>,
}

impl Checked {
    /// The worst of its hosts; where it has none, whether that is known.
    pub(super) fn standing(&self) -> Standing {
        let worst = self.hosts.iter().map(CheckedHost::standing).max();
        worst.unwrap_or(match self.answered.verdict.answer {
            Answer::Temp => Standing::Inconclusive,
            _ => Standing::Unreachable,
        })
    }
}

impl CheckedHost {
    /// The worst of its addresses.
    pub(super) fn standing(&self) -> Standing {
        let worst = self.addresses.iter().map(|own| own.standing).max();
        worst.unwrap_or(match self.verdict {
            Some(_) => Standing::Inconclusive,
            None => Standing::Unreachable,
        })
    }
}

impl Checker {
    /// Starts what resolves and what probes.
    pub(super) async fn start(
        config: &Config,
        tls: Engine,
        helo: Option<DomainName>,
    ) -> Result<Self, String> {
        let prober = prober(tls, helo).await?;
        let engine = engine::Engine::start(config, &Memory::InProcess)
            .await
            .map_err(|error| error.to_string())?;
        let profile = engine.answerer.profile(PROFILE);
        let profile = profile.ok_or_else(|| format!("there is no profile {PROFILE:?}"))?;
        Ok(Self {
            profile: Profile {
                deadline: DEADLINE,
                ..(*profile).clone()
            },
            engine,
            prober,
            options: judge_options(config),
        })
    }

    /// What resolves.
    pub(super) fn engine(&self) -> &engine::Engine {
        &self.engine
    }

    /// The name of the profile by which it judges.
    pub(super) fn profile(&self) -> &str {
        &self.profile.name
    }

    /// Looks one next hop up and speaks to all its hosts.
    pub(super) async fn check(&self, asked: &str) -> Checked {
        let answered = self.answered(asked).await;
        let hosts = match answered.findings.as_deref() {
            Some(findings) => self.hosts(&answered, findings).await,
            None => Vec::new(),
        };
        Checked {
            asked: asked.to_owned(),
            validation: self.engine.resolver().validation(),
            time: self.now().wall,
            answered,
            hosts,
        }
    }

    /// A rule that needs no lookups leaves them out; who speaks to hosts needs them.
    async fn answered(&self, asked: &str) -> Arc<Answered> {
        let answerer = &self.engine.answerer;
        let answered = answerer.answer(asked, &self.profile).await;
        if answered.findings.is_some() || answered.verdict.rule.is_none() {
            return answered;
        }
        let looked = answerer.look_again(&answered.next_hop, &self.profile).await;
        looked.unwrap_or(answered)
    }

    async fn hosts(&self, answered: &Answered, findings: &Findings) -> Vec<CheckedHost> {
        let mut hosts: Vec<(usize, &HostFinding)> = findings.hosts.iter().enumerate().collect();
        hosts.sort_by(|(_, a), (_, b)| (a.preference, &a.host).cmp(&(b.preference, &b.host)));
        // A host that is listed twice is one host, used at its better preference.
        let mut seen = BTreeSet::new();
        hosts.retain(|(_, host)| seen.insert(&host.host));
        let hosts = hosts.into_iter();
        join_all(hosts.map(|(index, host)| self.host(answered, findings, index, host))).await
    }

    async fn host(
        &self,
        answered: &Answered,
        findings: &Findings,
        index: usize,
        host: &HostFinding,
    ) -> CheckedHost {
        let judged = answered.verdict.hosts.iter();
        let state = judged
            .clone()
            .find(|judged| judged.index == index)
            .map(|judged| judged.state);
        let bar = Bar {
            next_hop: &answered.next_hop,
            host,
            state,
            owed: self.owed(answered, findings, host),
            options: &self.options.verify,
        };
        let name = &host.host.0;
        let mut notes = notes(host);
        let barred_by = barred_by(findings, name, self.now());
        notes.extend(barred_by.map(|mode| {
            let mode = match mode {
                StsMode::Enforce => "enforced",
                StsMode::Testing | StsMode::None => "tested",
            };
            format!("the MTA-STS policy, which is {mode}, does not permit this host")
        }));
        let mut addresses = findings.addresses_of(name);
        if addresses.len() > ADDRESSES {
            let more = addresses.len() - ADDRESSES;
            notes.push(format!("{more} more addresses are not looked at"));
            addresses.truncate(ADDRESSES);
        }
        let port = findings.port_of(&host.host).unwrap_or(SMTP);
        let probes = addresses.into_iter().map(|address| {
            let address = SocketAddr::new(address, port);
            self.prober.probe(target(address, name, &bar))
        });
        let probed = join_all(probes).await;
        let now = self.now().wall;
        let addresses: Vec<CheckedAddress> = probed
            .into_iter()
            .map(|probed| bar.judge(probed, now))
            .collect();
        let verdict = match addresses.as_slice() {
            [] => bar.without_address(),
            _ => None,
        };
        let owed = bar.owed.ok();
        CheckedHost {
            host: name.clone(),
            preference: host.preference,
            state,
            duty: owed.as_ref().map(|owed| owed.duty),
            tlsa: owed.as_ref().and_then(|owed| tlsa(owed, port)),
            barred_by,
            demand: owed.map_or(Demand::Nothing, |owed| owed.demand),
            addresses,
            verdict,
            notes,
        }
    }

    fn owed<'a>(
        &'a self,
        answered: &'a Answered,
        findings: &'a Findings,
        host: &HostFinding,
    ) -> Result<Owed<'a>, Refused> {
        let verdict = &answered.verdict;
        if verdict.answer == Answer::Temp && verdict.hosts.is_empty() && verdict.rule.is_none() {
            return Err(Refused::new(verdict.reason, verdict.detail.clone()));
        }
        let owed = Owed::under(
            verdict,
            Some(findings),
            &host.host.0,
            &self.options.tlsa,
            &self.engine.authorities,
            self.now(),
            self.profile.floor,
        );
        let owed = owed.map_err(|_| {
            let words = "what it owes is not known";
            Refused::new(Reason::PolicyUnknown, words)
        })?;
        match verdict.open_policy(owed.duty, Some(findings)) {
            Some((reason, words)) => Err(Refused::new(reason, words)),
            None => Ok(owed),
        }
    }

    fn now(&self) -> Moment {
        self.engine.clock.now()
    }
}

/// Makes what probes. `helo` is said in EHLO; none: what this machine says.
pub(in crate::cli) async fn prober(
    tls: Engine,
    helo: Option<DomainName>,
) -> Result<Arc<dyn Prober>, String> {
    let Some(helo) = helo.or_else(own_name) else {
        return Err("this machine has no name to say in EHLO: --helo NAME".to_owned());
    };
    let options = ProbeOptions::new(helo);
    Ok(match tls {
        Engine::Rustls => Arc::new(SmtpProber::new(options)),
        Engine::Openssl => {
            let prober = OpensslProber::find(options).await;
            Arc::new(prober.map_err(|error| error.to_string())?)
        }
    })
}

/// Under DANE the TLSA base domain is asked for (RFC 7672, 8.1), else the host (RFC 8461, 4.3).
fn target(address: SocketAddr, host: &DomainName, bar: &Bar<'_>) -> ProbeTarget {
    let owed = bar.owed.as_ref().ok();
    let usable = owed.filter(|owed| !matches!(owed.duty, Duty::WebPki | Duty::OwnWebPki));
    let usable = usable.and_then(|owed| owed.dane.as_ref());
    let Some(dane) = usable.filter(|dane| dane.records.is_usable()) else {
        return ProbeTarget::of(bar.next_hop, address, host.clone());
    };
    let name = dane.base.as_ref().map_or(host, |base| &base.0);
    let records = dane.records.usable.iter().map(|own| TlsaRecord {
        usage: match own.usage {
            TlsaUsage::TrustAnchor => 2,
            TlsaUsage::EndEntity => 3,
        },
        ..own.record.clone()
    });
    ProbeTarget {
        records: records.collect(),
        ..ProbeTarget::of(bar.next_hop, address, name.clone())
    }
}

fn tlsa(owed: &Owed<'_>, port: u16) -> Option<Tlsa> {
    let dane = owed.dane.as_ref()?;
    let usable = dane.records.usable.iter().map(|own| own.record.clone());
    let unusable = dane.records.unusable.iter();
    Some(Tlsa {
        owner: dane.base.as_ref().and_then(|base| base.owner(port)),
        usable: usable.collect(),
        unusable: unusable
            .map(|(rdata, why)| (rdata.clone(), why.to_string()))
            .collect(),
    })
}

fn barred_by(findings: &Findings, host: &DomainName, now: Moment) -> Option<StsMode> {
    let StsFinding::Policy { remembered, .. } = &findings.sts else {
        return None;
    };
    let policy = &remembered.policy;
    let binds = policy.mode != StsMode::None && !remembered.remaining(now).is_zero();
    (binds && !policy.permits(host)).then_some(policy.mode)
}

fn notes(host: &HostFinding) -> Vec<String> {
    let mut notes = Vec::new();
    if host.aliased {
        notes.push("the MX record points at an alias".to_owned());
    }
    for (family, finding) in [("IPv4", &host.ipv4), ("IPv6", &host.ipv6)] {
        if let AddressFinding::Failed(failure) = finding {
            notes.push(format!(
                "its {family} addresses could not be looked up ({}): {}",
                failure.kind.word(),
                failure.detail
            ));
        }
    }
    notes
}

/// By whose rules and floor it is judged, as sessions are that somebody reports.
const PROFILE: &str = "postfix";
/// A person waits, not a mail server: long enough for a policy host that takes its minute
/// (RFC 8461, 3.3), of which an answer waits for three fifths of this.
const DEADLINE: Duration = Duration::from_secs(110);
/// Addresses of one host: mail servers try five or so; a host that lists hundreds makes scanners of
/// those who check it.
pub(in crate::cli) const ADDRESSES: usize = 32;
/// Where a next hop has no port of its own.
const SMTP: u16 = 25;
