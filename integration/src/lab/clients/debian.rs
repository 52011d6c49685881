//! A Debian in a folder, seen by one mail server alone: its configuration, queue and log are its own.
//!
//! What is mounted here is mounted in the lab's namespace, over a view of the cached folder, which stays
//! as it was made; several mail servers can have the same Debian at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Once};

use crate::lab::servers::must;

/// One view of a Debian.
pub(in crate::lab) struct Debian {
    root: PathBuf,
    home: PathBuf,
    /// The name of the mail server, and of its folder in the lab's.
    pub(in crate::lab) name: String,
}

impl Debian {
    /// Makes a view of the Debian in `source`. `private` are folders in it of which the mail server
    /// gets copies that nobody else writes to.
    pub(in crate::lab) fn enter(source: &Path, lab: &Path, name: &str, private: &[&str]) -> Self {
        // Not in the lab's folder, which is removed in the end with all that is in it: what is mounted
        // there would be emptied.
        VIEWS.call_once(|| {
            must(Command::new("mount").args(["-t", "tmpfs", "views", MOUNTED]));
        });
        let (home, root) = (lab.join(name), Path::new(MOUNTED).join(name));
        fs::create_dir_all(&home).unwrap();
        fs::create_dir_all(&root).unwrap();
        bind(source, &root);
        for folder in private {
            let copy = home.join(folder.replace('/', "-"));
            let inside = root.join(folder);
            must(Command::new("cp").arg("-a").arg(&inside).arg(&copy));
            bind(&copy, &inside);
        }
        bind(lab, &root.join("mnt"));
        bind(&lab.join("resolv.conf"), &root.join("etc/resolv.conf"));
        let hosts = home.join("hosts");
        let own = must(&mut Command::new("hostname"));
        let text = format!("127.0.0.1 {name}.lab.test localhost {own}\n");
        fs::write(&hosts, text).unwrap();
        bind(&hosts, &root.join("etc/hosts"));
        bind(Path::new("/proc"), &root.join("proc"));
        let debian = Self {
            root,
            home,
            name: name.to_owned(),
        };
        debian.devices();
        debian
    }

    /// Few devices, and a log socket of its own.
    fn devices(&self) {
        let devices = self.root.join("dev");
        must(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "mode=755", "devices"])
                .arg(&devices),
        );
        for device in ["null", "zero", "random", "urandom"] {
            let inside = devices.join(device);
            fs::write(&inside, "").unwrap();
            bind(&Path::new("/dev").join(device), &inside);
        }
        symlink(self.inside("syslog"), devices.join("log")).unwrap();
    }

    /// What its programs say to syslog from now on.
    pub(in crate::lab) fn syslog(&self) -> Arc<Mutex<String>> {
        let path = self.outside("syslog");
        let socket = UnixDatagram::bind(&path).unwrap();
        must(Command::new("chmod").arg("666").arg(&path));
        let log = Arc::<Mutex<String>>::default();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut datagram = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut datagram) {
                let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
                let mut log = log.lock().unwrap();
                log.push_str(text.trim_end_matches(['\0', '\n']));
                log.push('\n');
            }
        });
        kept
    }

    /// A program in it, for as long as it wants.
    pub(in crate::lab) fn server(&self, name: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.root).arg(name);
        command
    }

    /// A program in it; it is ended where it takes very long.
    pub(in crate::lab) fn program(&self, name: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["40", "chroot"]).arg(&self.root).arg(name);
        command
    }

    /// A file of the mail server in the lab's folder, as its programs see it.
    pub(in crate::lab) fn inside(&self, file: &str) -> PathBuf {
        Path::new("/mnt").join(&self.name).join(file)
    }

    /// The same as it is seen from outside.
    pub(in crate::lab) fn outside(&self, file: &str) -> PathBuf {
        self.home.join(file)
    }

    /// The name by which the mail server introduces itself.
    pub(in crate::lab) fn hello(&self) -> String {
        format!("{}.lab.test", self.name)
    }
}

/// Where the views are, in the lab's own namespace.
const MOUNTED: &str = "/mnt";
static VIEWS: Once = Once::new();

fn bind(from: &Path, to: &Path) {
    must(Command::new("mount").arg("--bind").arg(from).arg(to));
}
