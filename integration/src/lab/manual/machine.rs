//! A machine: a Debian in a folder, or this machine's own files, with a layer above that takes all writing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::lab::servers::must;

/// Where commands run.
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    /// One over the files in `below`, of which nothing changes. It sees the lab's folder, its resolver, and
    /// these authorities besides those that it has.
    pub(super) fn over(below: &Path, layers: &Path, name: &str, lab: &Path) -> Self {
        let place = layers.join(name);
        let folder = |name: &str| {
            let folder = place.join(name);
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        let (upper, work, root) = (folder("upper"), folder("work"), folder("root"));
        // Its own name may have commas, which part the options.
        let own = folder("below");
        bind(below, &own);
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            own.display(),
            upper.display(),
            work.display()
        );
        must(
            Command::new("mount")
                .args(["-t", "overlay", "manual", "-o", &options])
                .arg(&root),
        );
        let machine = Self { root };
        bind(Path::new("/proc"), &machine.inside("proc"));
        machine.devices();
        // What others have left among the temporary files is not there.
        must(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "mode=1777", "temporary"])
                .arg(machine.inside("tmp")),
        );
        let seen = machine.inside(lab.to_str().unwrap());
        fs::create_dir_all(&seen).unwrap();
        bind(lab, &seen);
        machine.write(
            "etc/resolv.conf",
            "nameserver 127.0.0.1\noptions trust-ad\n",
        );
        let hostname = must(&mut Command::new("hostname"));
        let hosts = format!("127.0.0.1 client.lab.test localhost {hostname}\n");
        machine.write("etc/hosts", &hosts);
        machine
    }

    /// Few devices, of its own.
    fn devices(&self) {
        let devices = self.inside("dev");
        must(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "mode=755", "devices"])
                .arg(&devices),
        );
        for device in ["null", "zero", "random", "urandom"] {
            fs::write(devices.join(device), "").unwrap();
            bind(&Path::new("/dev").join(device), &devices.join(device));
        }
        symlink("/proc/self/fd", devices.join("fd")).unwrap();
        let shared = devices.join("shm");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(shared, fs::Permissions::from_mode(0o1777)).unwrap();
    }

    /// A file of it, as it is seen from outside.
    pub(super) fn inside(&self, file: &str) -> PathBuf {
        self.root.join(file.trim_start_matches('/'))
    }

    /// Writes a file in it, and the folders to it.
    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.inside(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // It may be a link to somewhere outside.
        let _ = fs::remove_file(&path);
        fs::write(path, text).unwrap();
    }

    /// Adds to a file in it.
    pub(super) fn add(&self, file: &str, text: &str) {
        let old = fs::read_to_string(self.inside(file)).unwrap_or_default();
        self.write(file, &format!("{old}{text}"));
    }

    /// Has a file from outside at this path in it.
    pub(super) fn share(&self, from: &Path, file: &str) {
        self.write(file, "");
        bind(from, &self.inside(file));
    }

    /// A program in it, begun in the home of root.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new("chroot");
        command
            .arg(&self.root)
            .args(["/usr/bin/env", "-C", "/root", name])
            .env_clear()
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8")
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            );
        command
    }

    /// Runs commands as a shell reads them, and ends them where they take very long.
    pub(super) fn shell(&self, text: &str) -> Output {
        let mut command = self.program("timeout");
        command.args(["60", "bash", "-euo", "pipefail", "-c", text]);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs commands that go on and on, until these words were printed.
    pub(super) fn shell_until(&self, text: &str, words: &str) -> Result<String, String> {
        let mut command = self.program("bash");
        command.args(["-euo", "pipefail", "-c", text]);
        until_printed(&mut command, words, Duration::from_secs(60))
    }
}

/// Runs a command until it has printed `words`, and ends it and what it began.
pub(super) fn until_printed(
    command: &mut Command,
    words: &str,
    patience: Duration,
) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("output");
    let output = fs::File::create(&file).unwrap();
    command.stdin(Stdio::null()).process_group(0);
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    loop {
        let printed = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        let is_over = child.try_wait().unwrap().is_some();
        let is_there = printed.contains(words);
        if is_there || is_over || started.elapsed() > patience {
            end(&mut child);
            return if is_there {
                Ok(printed)
            } else {
                Err(format!("did not print {words:?}:\n{printed}"))
            };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn end(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-TERM", "--", &group]).output();
    let _ = child.wait();
}

fn bind(from: &Path, to: &Path) {
    must(Command::new("mount").arg("--bind").arg(from).arg(to));
}
