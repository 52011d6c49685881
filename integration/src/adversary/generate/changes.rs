//! How what a destination publishes changes in the course of a run, as its owner should do it: keys
//! roll over by the rule of two TTLs (RFC 7671, 8.1), and a host keeps what it promised until nobody
//! can remember the promise.

use fastrand::Rng;
use hoplock_model::{Floor, Signing};

use super::super::plan::Millis;
use super::super::site::{Mx, Site, StsHost, Tlsa};
use super::sites;

/// The versions of a site.
pub(super) fn of(rng: &mut Rng, first: Site, span: Millis, floor: Floor) -> Vec<(Millis, Site)> {
    let mut versions = vec![(0, first)];
    let changes = match rng.u8(..100) {
        0..40 => 0,
        40..85 => 1,
        _ => 2,
    };
    for _ in 0..changes {
        let Some((from, site)) = versions.last().cloned() else {
            break;
        };
        let settled = 2 * u64::from(site.ttls.longest()) * 1000 + 5_000;
        let at = from + settled + rng.u64(..span);
        if at > span {
            break;
        }
        change(rng, &mut versions, site, at, floor);
    }
    versions
}

fn change(
    rng: &mut Rng,
    versions: &mut Vec<(Millis, Site)>,
    mut site: Site,
    at: Millis,
    floor: Floor,
) {
    let settled = 2 * u64::from(site.ttls.longest()) * 1000 + 5_000;
    match rng.u8(..100) {
        0..20 => roll_over(rng, versions, site, at, settled),
        20..32 => {
            for host in &mut site.hosts {
                if host.tlsa == Tlsa::None {
                    host.server.tls = true;
                }
            }
            // The server first, then the promise.
            versions.push((at, site.clone()));
            for host in &mut site.hosts {
                if host.tlsa == Tlsa::None {
                    host.tlsa = Tlsa::Keys(vec![host.server.key]);
                }
            }
            versions.push((at + 1_000, site));
        }
        32..46 => {
            for host in &mut site.hosts {
                host.tlsa = Tlsa::None;
            }
            versions.push((at, site.clone()));
            let plain = site.sts.is_none() && !matches!(floor, Floor::Encrypt | Floor::Secure);
            for host in &mut site.hosts {
                host.server.tls &= !plain;
            }
            versions.push((at + settled, site));
        }
        46..62 => {
            let had = site.sts.is_some();
            for host in &mut site.hosts {
                host.server.web_pki = true;
                host.server.tls = true;
            }
            if !had {
                versions.push((at, site.clone()));
            }
            site.sts = Some(sites::policy(rng, site.number, &site.hosts));
            versions.push((at + 1_000, site));
        }
        62..82 => withdraw(versions, site, at, settled),
        82..92 => {
            let number = site.number;
            let sts = site.sts.is_some();
            if matches!(site.mx, Mx::Listed | Mx::Aliased) {
                // A new host beside the old ones: those stay until nobody knows them any more.
                let next = site.hosts.len() + 10;
                site.hosts
                    .push(sites::mail_host(rng, number, next, floor, sts));
            }
            versions.push((at, site));
        }
        _ if site.mx == Mx::Fails => {}
        _ => {
            site.domain = match site.domain {
                Signing::Signed => Signing::Unsigned,
                _ => Signing::Signed,
            };
            versions.push((at, site));
        }
    }
}

/// RFC 7671, 8.1: the new key's record stands beside the old one for two TTLs before it is used.
fn roll_over(
    rng: &mut Rng,
    versions: &mut Vec<(Millis, Site)>,
    mut site: Site,
    at: Millis,
    settled: Millis,
) {
    let mut pair = |old: u8| (old, old.wrapping_add(1 + rng.u8(..3) * 16).max(1));
    let keys = site.hosts.iter().map(|host| host.server.key);
    let pairs: Vec<(u8, u8)> = keys.map(&mut pair).collect();
    let write = |site: &mut Site, keys: &dyn Fn((u8, u8)) -> Vec<u8>| {
        for (host, pair) in site.hosts.iter_mut().zip(&pairs) {
            if matches!(host.tlsa, Tlsa::Keys(_)) {
                host.tlsa = Tlsa::Keys(keys(*pair));
            }
        }
    };
    write(&mut site, &|(old, new)| vec![old, new]);
    versions.push((at, site.clone()));
    for (host, (_, new)) in site.hosts.iter_mut().zip(&pairs) {
        if matches!(host.tlsa, Tlsa::Keys(_)) {
            host.server.key = *new;
        }
    }
    versions.push((at + settled, site.clone()));
    write(&mut site, &|(_, new)| vec![new]);
    versions.push((at + 2 * settled, site));
}

/// RFC 8461, 8.3: the policy goes; the hosts keep their certificates until it has expired everywhere,
/// and so has every policy before it, which somebody who heard of no later one may still hold.
fn withdraw(versions: &mut Vec<(Millis, Site)>, mut site: Site, at: Millis, settled: Millis) {
    let Some(sts) = site.sts.take() else {
        return;
    };
    let policies = versions.iter().filter_map(|(_, site)| site.sts.as_ref());
    let longest = policies.map(|sts| sts.max_age).max().unwrap_or(sts.max_age);
    let wait = longest * 1000 + settled;
    let by_the_book = sts.host == StsHost::Serves;
    versions.push((at, site.clone()));
    for host in &mut site.hosts {
        host.server.web_pki &= !by_the_book;
    }
    versions.push((at + wait, site));
}
