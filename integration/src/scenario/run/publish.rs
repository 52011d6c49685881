//! What the world publishes: the lines of `[dns]` and `[https]`.

use std::time::Duration;

use hoplock::world::scripted::{Scripted, ScriptedPolicy, Zone};
use hoplock::world::{FetchFailureKind, PolicyResponse};
use hoplock_policy::dns::SecurityStatus;

use super::super::words::{domain, failure, policy, record, status_of, type_of};
use super::Stage;

impl Stage {
    /// `zone NAME STATUS [negative SECONDS]` or `[STATUS] NAME [TTL] TYPE DATA`.
    pub(super) fn dns(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["zone", name, status, rest @ ..] = words.as_slice() {
            let negative = match rest {
                [] => Duration::from_secs(300),
                ["negative", seconds] => {
                    Duration::from_secs(seconds.parse().map_err(|_| "a bad TTL")?)
                }
                _ => return Err("write zone NAME STATUS negative SECONDS".to_owned()),
            };
            let (name, status) = (domain(name)?, status_of(status).ok_or("a bad status")?);
            self.world.zone(Zone {
                name,
                status,
                negative,
            });
            return Ok(());
        }
        if let [from, "DNAME", to] = words.as_slice() {
            self.world.redirect(domain(from)?, domain(to)?);
            return Ok(());
        }
        let (status, words) = match words.split_first() {
            Some((first, rest)) => match status_of(first) {
                Some(status) => (status, rest),
                None => (SecurityStatus::Secure, words.as_slice()),
            },
            None => return Err("an empty line".to_owned()),
        };
        let (name, words) = words.split_first().ok_or("no name")?;
        let name = domain(name)?;
        let (ttl, words) = match words.split_first() {
            Some((first, rest)) if first.bytes().all(|byte| byte.is_ascii_digit()) => (
                Duration::from_secs(first.parse().map_err(|_| "a bad TTL")?),
                rest,
            ),
            _ => (Duration::from_secs(300), words),
        };
        let (kind, data) = words.split_first().ok_or("no type")?;
        let record_type = type_of(kind)?;
        let place = (name.clone(), record_type);
        if !self.written.contains(&place) {
            self.world.clear(&name, record_type);
            self.written.push(place);
        }
        let scripted = match data {
            ["NODATA"] => Some(Scripted::NoData(status, ttl)),
            ["NXDOMAIN"] => Some(Scripted::NxDomain(status, ttl)),
            ["HANGS"] => Some(Scripted::Hangs),
            ["PANICS"] => Some(Scripted::Panics),
            [word] => failure(word).map(Scripted::Fails),
            _ => None,
        };
        match scripted {
            Some(scripted) => self.world.set(name, record_type, scripted),
            None => self
                .world
                .add(name, status, ttl, record(record_type, data)?),
        }
        Ok(())
    }

    /// `DOMAIN MODE max_age=N mx=P mx=P…`, `DOMAIN says STATUS TYPE BODY`, or a fault.
    pub(super) fn https(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(' ').ok_or("write DOMAIN WHAT")?;
        let name = domain(name)?;
        let response = |status, kind: &str, body: &str| PolicyResponse {
            status,
            media_type: Some(kind.to_owned()),
            body: body.replace("\\n", "\n").replace("\\r", "\r").into_bytes(),
            certificate: None,
        };
        let fault = |kind| ScriptedPolicy::Fails(kind);
        let policy = match rest {
            "HANGS" => ScriptedPolicy::Hangs,
            "WEBPKI" => fault(FetchFailureKind::WebPki),
            "REFUSED" => fault(FetchFailureKind::Connection),
            "TIMEOUT" => fault(FetchFailureKind::Timeout),
            "TOO-LARGE" => fault(FetchFailureKind::TooLarge),
            "LOOKUP" => fault(FetchFailureKind::Lookup),
            _ => {
                if let Some(said) = rest.strip_prefix("says ") {
                    let mut words = said.splitn(3, ' ');
                    let status = words.next().unwrap().parse().map_err(|_| "a bad status")?;
                    let kind = words.next().unwrap_or("text/plain");
                    let body = words.next().unwrap_or_default();
                    ScriptedPolicy::Responds(response(status, kind, body), Duration::ZERO)
                } else {
                    policy(rest, response)?
                }
            }
        };
        self.world.policy(name, policy);
        Ok(())
    }
}
