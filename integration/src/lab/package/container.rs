//! The image of packaging/container, whose file system integration/image.sh has built: run as an engine would,
//! as its user, without rights, read-only but for a volume and what is forgotten.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::lab::servers::{must, until};
use crate::lab::stage::Lab;

/// `image` is the folder of its file system.
pub(super) fn runs(lab: &mut Lab<'_>, image: &Path) {
    let beside = |kind: &str| {
        let file = image.with_extension(kind);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let (user, volume) = (beside("user"), beside("volume"));
    let (environment, entrypoint, health) = (
        beside("environment"),
        beside("entrypoint"),
        beside("health"),
    );
    lab.report.check(user.trim() == "hoplock", || user.clone());
    mounts(lab, image, volume.trim());
    let enter = |words: &str| {
        let mut command = Command::new("chroot");
        command
            .arg(image)
            .args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        command.args(environment.lines());
        command.args([
            "setpriv",
            "--reuid",
            user.trim(),
            "--regid",
            user.trim(),
            "--clear-groups",
        ]);
        command.args(["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
        command.args(words.lines());
        command.stdin(Stdio::null());
        command
    };
    let log = lab.folder.join("container.log");
    let file = fs::File::create(&log).unwrap();
    let mut running = enter(&entrypoint)
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let told = || fs::read_to_string(&log).unwrap();
    let well = || enter(&health).output().unwrap();
    until("a healthy container", Duration::from_secs(30), || {
        well().status.success()
    });
    until("the container's resolver", Duration::from_secs(30), || {
        postmap("dane.test")
            .stdout
            .starts_with(b"fingerprint match=")
    });
    lab.report.check(!told().contains("DANE is off"), told);
    let refused = enter("touch\n/usr/bin/hoplock").output().unwrap();
    lab.report.check(!refused.status.success(), || {
        "the container's file system can be written".to_owned()
    });
    must(Command::new("kill").args(["-TERM", &running.id().to_string()]));
    let ended = running.wait().unwrap().code();
    lab.report.check(ended == Some(0), || {
        format!("ended with {ended:?}: {}", told())
    });
    lab.report.check(!well().status.success(), || {
        "the health check is well without a daemon".to_owned()
    });
    ends_with_its_resolver(lab, &mut enter(&entrypoint), image);
}

/// What an engine starts anew must end: hoplock alone, without its resolver, helps nobody.
fn ends_with_its_resolver(lab: &mut Lab<'_>, entrypoint: &mut Command, image: &Path) {
    let mut running: Child = entrypoint
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", running.id());
    let mut resolver = None;
    until("the container's Unbound", Duration::from_secs(30), || {
        let all = fs::read_to_string(&children).unwrap_or_default();
        resolver = all
            .split_whitespace()
            .find(|own| {
                fs::read_to_string(format!("/proc/{own}/comm"))
                    .is_ok_and(|name| name == "unbound\n")
            })
            .map(ToOwned::to_owned);
        resolver.is_some() && postmap("dane.test").status.success()
    });
    must(Command::new("kill").args(["-KILL", &resolver.unwrap()]));
    let ended = running.wait().unwrap().code();
    lab.report.check(ended != Some(0), || {
        format!(
            "a container whose resolver died ends with {ended:?} in {}",
            image.display()
        )
    });
}

/// Read-only, with the volume and what is forgotten in memory; and the lab's root in place of the Internet's.
fn mounts(lab: &Lab<'_>, image: &Path, volume: &str) {
    let anchor = fs::read_to_string(lab.folder.join("root.key")).unwrap();
    fs::write(image.join("usr/share/dns/root.key"), anchor).unwrap();
    fs::copy(
        lab.folder.join("root.hints"),
        image.join("usr/share/dns/root.hints"),
    )
    .unwrap();
    let own =
        "server:\n  do-not-query-localhost: no\n  do-ip6: no\n  local-zone: \"test.\" nodefault\n";
    fs::write(image.join("etc/hoplock-container/unbound.d/lab.conf"), own).unwrap();
    let owner = must(
        Command::new("chroot")
            .arg(image)
            .args(["id", "-u", "hoplock"]),
    );
    let owner = format!("mode=750,uid={0},gid={0}", owner.trim());
    let mount = |arguments: &[&str], place: &Path| {
        must(Command::new("mount").args(arguments).arg(place));
    };
    mount(&["--bind", &image.display().to_string()], image);
    mount(&["-o", "remount,bind,ro"], image);
    mount(
        &["-t", "tmpfs", "-o", &owner, "tmpfs"],
        &image.join(&volume[1..]),
    );
    for forgotten in ["tmp", "run"] {
        mount(&["-t", "tmpfs", "tmpfs"], &image.join(forgotten));
    }
    for system in ["dev", "proc"] {
        mount(&["--rbind", &format!("/{system}")], &image.join(system));
    }
}

/// As a mail server outside asks.
fn postmap(domain: &str) -> Output {
    Command::new("postmap")
        .args(["-q", domain, "socketmap:inet:127.0.0.1:8425:postfix"])
        .output()
        .unwrap()
}
