//! The Postfix 3.10 of the stage: it sends real mail, tells hoplock of its sessions, and has hoplock's
//! reports to deliver.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::postfix::{Instance, Postfix};
use crate::lab::servers::must;
use crate::lab::sessions::Relay;

/// Postfix, and who listens to its datagrams on their way.
pub(super) struct Office {
    pub(super) postfix: Postfix,
    /// Keeps a copy of each datagram that could be handed on.
    pub(super) relay: Relay,
    /// What is `/usr/sbin/sendmail` on a machine where this Postfix is the one.
    pub(super) sendmail: PathBuf,
}

/// Its SMTP.
pub(super) const PORT: u16 = 2541;

impl Office {
    /// The Postfix of the Debian in `root` asks the hoplock at this port, and its datagrams go to `socket`.
    pub(super) fn start(lab: &Path, root: &Path, port: u16, socket: &Path) -> Self {
        let tapped = lab.join("office-tlsrpt");
        let tap = UnixDatagram::bind(&tapped).unwrap();
        must(Command::new("chmod").arg("666").arg(&tapped));
        let relay = Relay::start(tap, socket);
        let map = format!("socketmap:inet:127.0.0.1:{port}:postfix310");
        let instance = Instance {
            root: Some(root),
            more: format!(
                "smtp_tlsrpt_enable = yes\nsmtp_tlsrpt_socket_name = {}\n",
                tapped.display()
            ),
            ..Instance::new("office", PORT, &map)
        };
        let postfix = Postfix::start(lab, &instance);
        let sendmail = lab.join("sendmail");
        // The program is another Debian's, which has no library for clocks.
        let text = format!(
            "#!/bin/sh\nunset LD_PRELOAD\nexec chroot {} /usr/sbin/sendmail -C {} \"$@\"\n",
            root.display(),
            postfix.folder().display()
        );
        fs::write(&sendmail, text).unwrap();
        fs::set_permissions(&sendmail, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            postfix,
            relay,
            sendmail,
        }
    }
}
