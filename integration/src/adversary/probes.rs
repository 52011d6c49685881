//! The asking of mail hosts for their certificates, and what the attacker does to it.

use std::time::Duration;

use hoplock::world::Waiting;
use hoplock::world::probe::{Engine, ProbeTarget, Probed, Prober};
use tokio::time::sleep;

use super::internet::{ATTACKER, Internet, site_of};
use super::pins::PROBE;
use super::plan::{Kind, Millis, Plan, Target};
use super::session::Shows;
use super::session::certificates::{Leaf, Vouching};
use super::session::happened::{attackers, own};
use super::site::MailHost;

impl Prober for Internet {
    fn probe(&self, target: ProbeTarget) -> Waiting<'_, Probed> {
        Box::pin(async move {
            self.life.step().await;
            let name = target.server_name.as_str().to_owned();
            let mut seen = Probed::nothing(target, Engine::Rustls);
            let number = site_of(&name);
            let attack = self.plan.attack(self.life.now(), |attack| {
                let target = match attack.target {
                    Target::All => true,
                    Target::Site(site) => number == Some(site),
                    Target::SelfTest | Target::NameServer(_) => false,
                };
                let leads_away = attack.kind == Kind::ForgeAddress;
                target && (attack.kind.is_on_probes() || leads_away)
            });
            let latency = match attack.map(|attack| attack.kind) {
                Some(Kind::ProbeLost) => {
                    sleep(Duration::from_millis(PROBE)).await;
                    self.life.step().await;
                    return seen;
                }
                Some(Kind::ProbeLate(by)) => by,
                _ => 30,
            };
            sleep(Duration::from_millis(latency)).await;
            self.life.step().await;
            let host = found(&self.plan, &name, self.life.now());
            let own = host.filter(|host| host.server.tls).map(own);
            let met = attack.map(|attack| attack.kind);
            let shown: Vec<Leaf> = match met {
                Some(Kind::ForgeAddress) => vec![attackers()],
                Some(Kind::ProbeMet(shows)) => answered(shows, own),
                _ if name == ATTACKER => vec![attackers()],
                _ => own.into_iter().collect(),
            };
            let chains = shown.iter().map(Leaf::chain);
            seen.chain = chains.flat_map(|chain| chain.to_vec()).collect();
            seen
        })
    }
}

/// What the attacker shows in the place of a host.
fn answered(shows: Shows, own: Option<Leaf>) -> Vec<Leaf> {
    let Some(own) = own else {
        return Vec::new();
    };
    let impostor = Leaf {
        issuer: Vouching::Impostor(own.key),
        key: super::internet::ATTACKERS_KEY,
        ..own.clone()
    };
    match shows {
        Shows::Impostor => vec![impostor],
        Shows::Padded => vec![impostor, own],
        _ => vec![attackers()],
    }
}

/// The host that answers to this server name.
fn found<'a>(plan: &'a Plan, name: &str, at: Millis) -> Option<&'a MailHost> {
    let site = plan.site(site_of(name)?, at)?;
    let is_it = |host: &&MailHost| host.name == name || host.alias.as_deref() == Some(name);
    site.hosts.iter().find(is_it)
}
