//! Does the DNSSEC of a Postfix on this machine work? Its settings are read, its resolvers asked
//! (PD-11): only where both were seen to be well may it be told to do DANE by itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hoplock_policy::dns::{Question, RecordType};
use hoplock_policy::findings::Validation;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::OwnDaneSeen;
use tokio::time::sleep;

use super::Settings;
use crate::adapters::dns::observed::Observed;
use crate::adapters::dns::self_test::probe_once;
use crate::adapters::dns::system;
use crate::world::Mta;

/// What is known of Postfix's own DANE.
pub struct OwnDaneProbe {
    /// A signed name that its resolvers are asked for; none: nothing can be seen.
    signed: Option<DomainName>,
    seen: ArcSwap<OwnDaneSeen>,
    servers: Mutex<HashMap<SocketAddr, Observed>>,
}

/// One resolver of Postfix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostfixResolver {
    /// The file that names it.
    pub file: PathBuf,
    /// Where it is.
    pub address: SocketAddr,
}

impl OwnDaneProbe {
    /// Nothing seen yet; `signed` is the name of the self-test.
    #[must_use]
    pub fn new(signed: Option<DomainName>) -> Arc<Self> {
        Arc::new(Self {
            signed,
            seen: ArcSwap::from_pointee(OwnDaneSeen::ResolverUnknown),
            servers: Mutex::default(),
        })
    }

    /// Looks once.
    pub async fn look(&self) {
        let settings = tokio::task::spawn_blocking(Settings::read).await;
        let seen = match settings {
            Ok(Ok(settings)) => self.judge(&settings).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "Postfix's settings cannot be read");
                OwnDaneSeen::NotFound
            }
            Err(_) => OwnDaneSeen::NotFound,
        };
        self.seen.store(Arc::new(seen));
    }

    /// Looks again and again; never ends.
    pub async fn watch(self: Arc<Self>, told: impl Fn(OwnDaneSeen, OwnDaneSeen)) {
        let mut pause = SOON;
        loop {
            let before = self.own_dane();
            sleep(match before {
                OwnDaneSeen::Works => WHEN_WELL,
                _ => pause,
            })
            .await;
            self.look().await;
            let after = self.own_dane();
            if before != after {
                told(before, after);
            }
            pause = match after {
                OwnDaneSeen::Works => SOON,
                _ => (pause * 2).min(WHEN_NOT),
            };
        }
    }

    async fn judge(&self, settings: &Settings) -> OwnDaneSeen {
        let against = settings.against_dane();
        if !against.is_empty() {
            tracing::debug!(?against, "Postfix does no DANE");
            return OwnDaneSeen::LookupsOff;
        }
        let Some(name) = self.signed.clone() else {
            return OwnDaneSeen::ResolverUnknown;
        };
        let question = Question::new(name, RecordType::Soa);
        let resolvers = PostfixResolver::of(settings);
        if resolvers.is_empty() {
            return OwnDaneSeen::ResolverUnknown;
        }
        let mut worst = OwnDaneSeen::Works;
        // Postfix asks any of them, so each must validate.
        for resolver in resolvers {
            let seen = match self.test(resolver.address, &question).await {
                Validation::Validating => continue,
                Validation::NotValidating => OwnDaneSeen::ResolverDoesNotValidate,
                Validation::Unknown => OwnDaneSeen::ResolverUnknown,
            };
            if worst != OwnDaneSeen::ResolverDoesNotValidate {
                worst = seen;
            }
        }
        worst
    }

    /// As often as it takes to be sure; what is known of a server outlives a silent moment.
    async fn test(&self, server: SocketAddr, question: &Question) -> Validation {
        let mut observed = {
            let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            servers.get(&server).copied().unwrap_or_default()
        };
        for _ in 0..Observed::CONVICTION {
            let observation = probe_once(server, question).await;
            observed = observed.after(observation);
            if !observation.is_plain() {
                break;
            }
        }
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.insert(server, observed);
        observed.validation()
    }
}

impl Mta for OwnDaneProbe {
    fn own_dane(&self) -> OwnDaneSeen {
        **self.seen.load()
    }
}

impl PostfixResolver {
    /// The resolvers that the delivering client asks: those of its own root's resolv.conf, which
    /// Debian copies into the chroot when Postfix starts, and those of the system, which the next
    /// start will copy.
    #[must_use]
    pub fn of(settings: &Settings) -> Vec<Self> {
        let mut files = vec![PathBuf::from(RESOLV_CONF)];
        let own = settings.as_seen(RESOLV_CONF);
        if own != Path::new(RESOLV_CONF) && own.exists() {
            files.push(own);
        }
        let mut resolvers: Vec<Self> = Vec::new();
        for file in files {
            let addresses = system::servers_of(&file).unwrap_or_default();
            for address in addresses {
                let file = file.clone();
                if !resolvers.iter().any(|known| known.address == address) {
                    resolvers.push(Self { file, address });
                }
            }
        }
        resolvers
    }
}

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How often a Postfix is looked at that is well.
const WHEN_WELL: Duration = Duration::from_secs(600);
/// The first look after one that went badly: when a machine starts, all comes up within seconds, and
/// an answer that makes mail wait costs Postfix five minutes.
const SOON: Duration = Duration::from_secs(1);
/// How often one is looked at that is not well for long: a change of its settings shows soon.
const WHEN_NOT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// PD-11: each setting for which Postfix takes `dane` for `may` counts, not the one that says so.
    #[tokio::test]
    async fn settings_that_end_dane() {
        let probe = OwnDaneProbe::new(None);
        let well = "smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n";
        for line in [
            "smtp_dns_support_level = enabled",
            "smtp_host_lookup = native",
            "ignore_mx_lookup_error = yes",
            "smtp_dns_resolver_options = res_dnsrch",
        ] {
            let settings = Settings::of(&format!("{well}{line}\n"), "", "");
            let seen = probe.judge(&settings).await;
            assert_eq!(seen, OwnDaneSeen::LookupsOff, "{line}");
        }
        // Without a name to test with nothing more is known.
        let seen = probe.judge(&Settings::of(well, "", "")).await;
        assert_eq!(seen, OwnDaneSeen::ResolverUnknown);
    }
}
