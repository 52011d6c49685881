//! The policy hosts of the simulated outside, and what the attacker does to connections with them.

use std::time::Duration;

use hoplock::world::{FetchFailure, FetchFailureKind, PolicyFetcher, PolicyResponse, Waiting};
use hoplock_model::World;
use hoplock_policy::name::PolicyDomain;
use tokio::time::sleep;

use super::internet::{Internet, site_of};
use super::plan::{Kind, Millis, Target};

impl PolicyFetcher for Internet {
    fn fetch(&self, domain: PolicyDomain) -> Waiting<'_, Result<PolicyResponse, FetchFailure>> {
        Box::pin(async move {
            self.life.step().await;
            let name = domain.0.as_str().to_owned();
            let number = site_of(&name);
            let attack = self.plan.attack(self.life.now(), |attack| {
                let target = match attack.target {
                    Target::All => true,
                    Target::Site(site) => number == Some(site),
                    Target::SelfTest | Target::NameServer(_) => false,
                };
                target && attack.kind.is_https()
            });
            match attack.map(|attack| attack.kind) {
                Some(Kind::Reset) => return Err(failure(FetchFailureKind::Connection)),
                Some(Kind::WrongCertificate) => return Err(failure(FetchFailureKind::WebPki)),
                Some(Kind::Redirect) => return Ok(redirected()),
                Some(Kind::Slow(by)) if by >= FETCH_TIMEOUT => {
                    sleep(Duration::from_millis(FETCH_TIMEOUT)).await;
                    self.life.step().await;
                    return Err(failure(FetchFailureKind::Timeout));
                }
                Some(Kind::Slow(by)) => sleep(Duration::from_millis(by)).await,
                _ => sleep(Duration::from_millis(5)).await,
            }
            let site = number.and_then(|number| self.plan.site(number, self.life.now()));
            let response = site.map_or(Err(failure(FetchFailureKind::Lookup)), |site| {
                served(&site.published(), &name)
            });
            self.life.step().await;
            response
        })
    }
}

fn served(world: &World, domain: &str) -> Result<PolicyResponse, FetchFailure> {
    let host = world.policy_hosts.iter().find(|host| host.domain == domain);
    let host = host.ok_or_else(|| failure(FetchFailureKind::Lookup))?;
    if !host.certificate_valid {
        return Err(failure(FetchFailureKind::WebPki));
    }
    Ok(PolicyResponse {
        status: host.status,
        media_type: Some(host.media_type.clone()),
        body: host.body.clone(),
        certificate: None,
    })
}

/// A redirection to a page that says what the attacker would like.
fn redirected() -> PolicyResponse {
    PolicyResponse {
        status: 301,
        media_type: Some("text/plain".to_owned()),
        body: b"version: STSv1\nmode: none\nmax_age: 86400\n".to_vec(),
        certificate: None,
    }
}

fn failure(kind: FetchFailureKind) -> FetchFailure {
    FetchFailure {
        kind,
        detail: "says the adversary".to_owned(),
    }
}

/// As the real fetcher.
const FETCH_TIMEOUT: Millis = 60_000;
