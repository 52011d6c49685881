//! Mail hosts that show their certificates, and the mail server's directory of trust anchors.

use std::time::Duration;

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::AnchorFile;
use hoplock_policy::verify::{Certificate, TlsVersion};
use tokio::time::sleep;

use super::ScriptedWorld;
use crate::world::Waiting;
use crate::world::anchors::AnchorFiles;
use crate::world::probe::{
    Engine, ProbeTarget, Probed, Prober, Signature, Stage, TlsSeen, UnreachableKind,
};

/// What a mail host does when it is asked for its certificates.
#[derive(Clone, Debug)]
pub enum ScriptedHost {
    /// Shows these, leaf first, after this long.
    Shows(Vec<Certificate>, Duration),
    /// Never answers.
    Hangs,
    /// Comes no further than this.
    Stops(Stage),
}

impl ScriptedWorld {
    /// Says what the host does that is asked for by this name.
    pub fn host(&self, name: DomainName, host: ScriptedHost) {
        self.state().hosts.insert(name, host);
    }

    /// Says whether files of trust anchors can be written.
    pub fn takes_anchors(&self, takes: bool) {
        self.state().takes_anchors = takes;
    }

    /// Takes the names that hosts were probed under since the last time.
    pub fn take_probed(&self) -> Vec<DomainName> {
        std::mem::take(&mut self.state().probed)
    }

    /// The files of trust anchors that were published, with their directories.
    pub fn published(&self) -> Vec<(String, AnchorFile)> {
        self.state().published.clone()
    }
}

impl Prober for ScriptedWorld {
    fn probe(&self, target: ProbeTarget) -> Waiting<'_, Probed> {
        Box::pin(async move {
            let host = {
                let mut state = self.state();
                if state.keeps_record {
                    state.probed.push(target.server_name.clone());
                }
                state.hosts.get(&target.server_name).cloned()
            };
            let mut probed = Probed::nothing(target, Engine::Rustls);
            match host {
                None => {
                    probed.stage = Stage::Unreachable {
                        kind: UnreachableKind::Other,
                        detail: "nobody is there, says the script".to_owned(),
                    };
                }
                Some(ScriptedHost::Hangs) => {
                    sleep(PROBE_TIMEOUT).await;
                    probed.stage = Stage::NoGreeting {
                        detail: "no greeting, says the script".to_owned(),
                    };
                }
                Some(ScriptedHost::Stops(stage)) => probed.stage = stage,
                Some(ScriptedHost::Shows(chain, after)) => {
                    sleep(after).await;
                    probed.stage = Stage::Established;
                    probed.chain = chain;
                    probed.tls = Some(TlsSeen {
                        version: TlsVersion::parse("TLSv1.3"),
                        cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
                        group: None,
                        signature: Signature::Proved,
                    });
                }
            }
            probed
        })
    }
}

impl AnchorFiles for ScriptedWorld {
    fn publish<'a>(
        &'a self,
        directory: &'a str,
        file: AnchorFile,
        _until: Duration,
    ) -> Waiting<'a, Result<(), String>> {
        Box::pin(async move {
            let mut state = self.state();
            if !state.takes_anchors {
                return Err("the directory cannot be written to, says the script".to_owned());
            }
            let published = (directory.to_owned(), file);
            if !state.published.contains(&published) {
                state.published.push(published);
            }
            Ok(())
        })
    }

    fn sweep(&self, _now: Duration) -> Waiting<'_, ()> {
        Box::pin(async {})
    }
}

/// As the real prober.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
