//! Postfix as a submission server, with `integration/postfix/guard-*.cf`.

use std::path::Path;

use super::{Door, HOME, SASL, SINK, SOCKET, Server};
use crate::lab::postfix::{Instance, Postfix as Process};

/// One Postfix.
pub(in crate::lab::guard) struct Postfix {
    name: &'static str,
    port: u16,
    process: Process,
}

/// The doors of it, in the order of their ports.
const DOORS: [Door; 6] = [
    Door::Policy,
    Door::PolicyDefers,
    Door::Milter,
    Door::MilterByPath,
    Door::MilterPasses,
    Door::Bare,
];

impl Postfix {
    /// Starts it; its doors are at this port and the next ones.
    pub(super) fn start(lab: &Path, name: &'static str, port: u16, root: Option<&Path>) -> Self {
        let instance = Instance {
            root,
            lines: concat!(
                include_str!("../../../../postfix/guard-policy.cf"),
                include_str!("../../../../postfix/guard-milter.cf")
            ),
            more: format!(
                "mydestination = {HOME}\nlocal_recipient_maps =\nrelayhost = [127.0.0.1]:{SINK}\nsmtpd_sasl_auth_enable = yes\n\
                 smtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:127.0.0.1:{SASL}\n"
            ),
            services: DOORS
                .into_iter()
                .zip(port..)
                .map(|(door, port)| service(door, port, lab))
                .collect(),
            // The port with both at once, which nobody knocks at.
            ..Instance::new(name, port + 9, "")
        };
        Self {
            name,
            port,
            process: Process::start(lab, &instance),
        }
    }
}

impl Server for Postfix {
    fn name(&self) -> &str {
        self.name
    }

    fn port(&self, door: Door) -> Option<u16> {
        let found = DOORS.into_iter().zip(self.port..);
        let mut found = found.filter(|(own, _)| *own == door);
        found.next().map(|(_, port)| port)
    }

    fn holds(&self, to: &str) -> bool {
        let queue = self.process.queue();
        let (hold, own) = ("\"queue_name\": \"hold\"", format!("\"address\": \"{to}\""));
        queue
            .lines()
            .any(|line| line.contains(hold) && line.contains(&own))
    }

    fn log(&self) -> String {
        self.process.log()
    }

    fn is_postfix(&self) -> bool {
        true
    }
}

/// A line of master.cf. What main.cf has beside is switched off in it.
fn service(door: Door, port: u16, lab: &Path) -> String {
    let policy = "check_policy_service { inet:127.0.0.1:8428, timeout=10s, \
                  { default_action = 451 4.3.5 the guard is away } }";
    let milter = "{ inet:127.0.0.1:8429, command_timeout=10s, default_action=accept }";
    let unasked = "{ smtpd_recipient_restrictions = permit_mynetworks, reject }";
    let options = match door {
        Door::Policy => "smtpd_milters=".to_owned(),
        Door::PolicyDefers => format!(
            "smtpd_milters= -o {{ smtpd_recipient_restrictions = {policy}, permit_mynetworks, reject }}"
        ),
        Door::Milter => unasked.to_owned(),
        Door::MilterByPath => {
            format!("{unasked} -o smtpd_milters=unix:{}/{SOCKET}", lab.display())
        }
        Door::MilterPasses => format!("{unasked} -o {{ smtpd_milters = {milter} }}"),
        Door::MilterRefuses | Door::Bare => format!("smtpd_milters= -o {unasked}"),
    };
    format!("127.0.0.1:{port} inet n - n - - smtpd -o {options}\n")
}
