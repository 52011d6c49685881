//! A Debian in a folder that runs under its own systemd, as a machine would, in the lab's network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::lab::servers::{must, until};

/// The machine; it ends when this is dropped.
pub(super) struct Machine {
    root: PathBuf,
    around: Child,
    /// Its process 1, as this lab numbers it.
    first: String,
}

impl Machine {
    /// Starts a copy of the Debian in `base`, which stays as it is; `furnish` puts into it what it has
    /// before its first start.
    pub(super) fn start(base: &Path, folder: &Path, furnish: impl FnOnce(&Path)) -> Self {
        let place = |name: &str| folder.join(name);
        for name in ["lower", "upper", "work", "root"] {
            fs::create_dir_all(place(name)).unwrap();
        }
        // Its name has commas, which would part the options below.
        must(
            Command::new("mount")
                .arg("--bind")
                .arg(base)
                .arg(place("lower")),
        );
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            place("lower").display(),
            place("upper").display(),
            place("work").display()
        );
        let root = place("root");
        must(
            Command::new("mount")
                .args(["-t", "overlay", "overlay", "-o", &layers])
                .arg(&root),
        );
        furnish(&root);
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let console = fs::File::create(place("console")).unwrap();
        let around = Command::new(here.join("machine.sh"))
            .arg(&root)
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", around.id());
        let mut machine = Self {
            root,
            around,
            first: String::new(),
        };
        until("a systemd", Duration::from_secs(60), || {
            machine.first = fs::read_to_string(&children).unwrap_or_default();
            machine.first = machine.first.trim().to_owned();
            // Degraded is what it is without a kernel of its own.
            !machine.first.is_empty() && {
                let state = machine.run("systemctl is-system-running").stdout;
                state == b"running\n" || state == b"degraded\n"
            }
        });
        machine
    }

    /// Its files, from outside.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Runs lines of a shell as its root, in root's home.
    pub(super) fn run(&self, lines: &str) -> Output {
        self.shell(lines).output().unwrap()
    }

    /// The command that [`run`](Self::run) runs.
    pub(super) fn shell(&self, lines: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first]);
        command.args(["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root"]);
        command.args(["env", "-i", "HOME=/root", "LANG=C.UTF-8"]);
        command.args([
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        command.args(["sh", "-ec", &format!("cd /root; {lines}")]);
        command.stdin(Stdio::null());
        command
    }

    /// What lines that must end well print.
    pub(super) fn told(&self, lines: &str) -> String {
        must(&mut self.shell(lines)).trim().to_owned()
    }

    /// Whether lines end well.
    pub(super) fn is(&self, lines: &str) -> bool {
        self.run(lines).status.success()
    }

    /// Waits until lines end well.
    pub(super) fn until(&self, words: &str, lines: &str) {
        until(words, Duration::from_secs(60), || self.is(lines));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // systemd heeds no SIGTERM here; what it started dies with it.
        let _ = Command::new("kill").args(["-KILL", &self.first]).status();
        let _ = self.around.wait();
    }
}
