//! What each part of the lab is given: the servers that run, and the Postfixes that ask.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use tokio::runtime::Runtime;

use super::hoplock::Hoplock;
use super::mail_host::Sessions;
use super::policy_host::Sites;
use super::postfix::{Instance, Postfix};
use super::report::Report;
use super::run::debian;
use super::servers::{Server, enter};
use super::zones::Plan;

/// Everything that runs.
pub(super) struct Lab<'a> {
    pub folder: &'a Path,
    pub runtime: &'a Runtime,
    pub hoplock: &'a mut Hoplock,
    pub sessions: Sessions,
    pub sites: Arc<Sites>,
    pub plan: &'a mut Plan,
    pub nsd: &'a Server,
    pub report: &'a mut Report,
}

impl Lab<'_> {
    /// The Debian with Postfix 3.10, which sees the lab.
    pub(super) fn trixie(&self) -> PathBuf {
        static ENTERED: Once = Once::new();
        let root = debian("LAB_TRIXIE");
        ENTERED.call_once(|| enter(&root, self.folder));
        root
    }
}

/// A Postfix that asks hoplock.
pub(super) struct Mapped {
    pub postfix: Postfix,
    /// The map's name, which is the profile's.
    pub map: &'static str,
    /// The local part of its recipients.
    pub user: &'static str,
    /// How its answer begins where every host has DANE.
    pub dane: &'static str,
}

impl Mapped {
    /// The Postfix of this machine.
    pub(super) fn start(folder: &Path) -> Self {
        let map = "socketmap:inet:127.0.0.1:8425:postfix";
        Self {
            postfix: Postfix::start(folder, &Instance::new("mapped", 2525, map)),
            map: "postfix",
            user: "u",
            dane: "dane-only",
        }
    }

    /// The Postfix of the Debian in `root`, which sends its reports to `datagrams`.
    pub(super) fn start310(folder: &Path, root: &Path, datagrams: &Path) -> Self {
        let map = "socketmap:inet:127.0.0.1:8425:postfix310";
        let instance = Instance {
            root: Some(root),
            more: format!(
                "smtp_tlsrpt_enable = yes\nsmtp_tlsrpt_socket_name = {}\n",
                datagrams.display()
            ),
            ..Instance::new("mapped310", 2527, map)
        };
        Self {
            postfix: Postfix::start(folder, &instance),
            map: "postfix310",
            user: "w",
            dane: "dane-only",
        }
    }
}
