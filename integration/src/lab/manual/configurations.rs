//! Blocks of configuration, each read by the program that it is for. A warning is an error.

use std::process::Output;

use crate::lab::clients::sendmail::HEAD;
use crate::manual::block::Program;
use crate::manual::mark::Mark;

use super::machine::Machine;
use super::world::World;

/// Whether its program takes a block.
pub(super) fn check(
    world: &World,
    program: Program,
    text: &str,
    mark: Option<&Mark>,
) -> Result<(), String> {
    let place = match mark {
        Some(Mark::Configuration(words)) => words.as_str(),
        _ => "",
    };
    let machine = |name| world.machine(name).unwrap();
    match program {
        Program::Hoplock => hoplock(machine("postfix"), place, text),
        Program::PostfixMain => {
            let newer = place.starts_with("Postfix 3.10");
            let machine = machine(if newer { "postfix310" } else { "postfix" });
            if place == "with the next" {
                *world.earlier.borrow_mut() = text.to_owned();
                return Ok(());
            }
            if place == "one of these" {
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                return lines
                    .into_iter()
                    .try_for_each(|line| main_cf(machine, line));
            }
            main_cf(machine, text)
        }
        Program::PostfixMaster => master_cf(machine("postfix"), &world.earlier.take(), text),
        Program::Exim => exim(machine("exim"), place, text),
        Program::Sendmail => sendmail(machine("sendmail"), place == "kept", text),
        Program::Unbound => unbound(machine("postfix"), text),
        Program::Redis => redis(machine("postfix"), text),
        Program::Prometheus => prometheus(machine("postfix"), text),
        Program::Systemd => systemd(machine("postfix"), text),
    }
}

/// `warns`: it is warned of, and the page says so.
fn hoplock(machine: &Machine, place: &str, text: &str) -> Result<(), String> {
    machine.write("tmp/block.toml", text);
    let check = "hoplock config check --config /tmp/block.toml >/dev/null";
    let output = machine.shell(check);
    if place == "warns" && output.status.success() && !output.stderr.is_empty() {
        return Ok(());
    }
    silent(&output)
}

/// postconf(1) warns of names that nobody uses and of names that come twice.
fn main_cf(machine: &Machine, block: &str) -> Result<(), String> {
    let named: Vec<&str> = block
        .lines()
        .filter(|line| !line.starts_with([' ', '\t', '#']))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
        .collect();
    let main = std::fs::read_to_string(machine.inside("etc/postfix/main.cf")).unwrap();
    let kept = main.lines().filter(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        !named.contains(&name)
    });
    let text: String = kept.map(|line| format!("{line}\n")).collect();
    machine.write("tmp/check/main.cf", &format!("{text}{block}\n"));
    let master = std::fs::read_to_string(machine.inside("etc/postfix/master.cf")).unwrap();
    machine.write("tmp/check/master.cf", &master);
    silent(&machine.shell("postconf -c /tmp/check -n >/dev/null"))
}

/// With what the page wrote into main.cf before.
fn master_cf(machine: &Machine, main: &str, block: &str) -> Result<(), String> {
    main_cf(machine, "")?;
    machine.add("tmp/check/main.cf", main);
    machine.add("tmp/check/master.cf", block);
    silent(
        &machine
            .shell("postconf -c /tmp/check -n >/dev/null; postconf -c /tmp/check -M >/dev/null"),
    )
}

/// `in FILE`: it is written there, and stays; a command of the page has Exim read it. `instead of FILE` and
/// `behind FILE` are tried and taken back.
fn exim(machine: &Machine, place: &str, block: &str) -> Result<(), String> {
    let (word, file) = place.rsplit_once(' ').unwrap_or_default();
    let old = std::fs::read_to_string(machine.inside(file)).unwrap_or_default();
    let new = match word {
        "in" => {
            machine.write(file, block);
            return Ok(());
        }
        "instead of" => block.to_owned(),
        "behind" => format!("{old}{block}"),
        _ => return Err(format!("no place {place:?} in Exim's configuration")),
    };
    machine.write(file, &new);
    let outcome = silent(&machine.shell(
        "update-exim4.conf && exim -bV >/dev/null && exim -bP transport hoplock_smtp >/dev/null",
    ));
    machine.write(file, &old);
    outcome.and_then(|()| silent(&machine.shell("update-exim4.conf")))
}

/// `kept`: it goes into Debian's file, options before the mailers and rulesets behind them; a command of the
/// page makes Sendmail's own of it.
fn sendmail(machine: &Machine, is_kept: bool, block: &str) -> Result<(), String> {
    let (options, rulesets) = match block.find("LOCAL_CONFIG") {
        Some(at) => block.split_at(at),
        None => (block, ""),
    };
    if is_kept {
        let file = "etc/mail/sendmail.mc";
        let old = std::fs::read_to_string(machine.inside(file)).unwrap();
        let mailers = "MAILER_DEFINITIONS\n";
        assert!(old.contains(mailers), "{old}");
        let new = old.replace(mailers, &format!("{options}{mailers}"));
        machine.write(file, &format!("{new}{rulesets}"));
    }
    let whole = format!("{HEAD}{options}MAILER(`smtp')dnl\n{rulesets}");
    machine.write("tmp/check.mc", &whole);
    let output = machine.shell(
        "m4 /tmp/check.mc >/tmp/check.cf; sendmail -C /tmp/check.cf -bt </dev/null >/tmp/check.out; \
         ! grep -iE 'warning|error|line [0-9]+' /tmp/check.out >&2",
    );
    silent(&output)
}

fn unbound(machine: &Machine, block: &str) -> Result<(), String> {
    machine.write("tmp/unbound.conf", block);
    silent(&machine.shell("unbound-checkconf /tmp/unbound.conf >/dev/null"))
}

/// It starts, and answers.
fn redis(machine: &Machine, block: &str) -> Result<(), String> {
    machine.write("tmp/redis.conf", block);
    let output = machine.shell(
        "cd /tmp; redis-server /tmp/redis.conf --port 0 --unixsocket /tmp/redis.sock >/tmp/redis.log 2>&1 & \
         for i in $(seq 50); do [ -S /tmp/redis.sock ] && break; sleep 0.1; done; \
         [ -S /tmp/redis.sock ] || cat /tmp/redis.log >&2; kill %1; wait || true",
    );
    silent(&output)
}

fn prometheus(machine: &Machine, block: &str) -> Result<(), String> {
    machine.write("tmp/prometheus.yml", block);
    let kind = if block.contains("groups:") {
        "rules"
    } else {
        "config"
    };
    silent(&machine.shell(&format!(
        "promtool check {kind} /tmp/prometheus.yml >/dev/null"
    )))
}

/// A part of the unit that the package installs.
fn systemd(machine: &Machine, block: &str) -> Result<(), String> {
    let folder = "etc/systemd/system";
    for (unit, text) in [
        (
            "hoplock.service",
            include_str!("../../../../packaging/systemd/hoplock.service"),
        ),
        (
            "hoplock.socket",
            include_str!("../../../../packaging/systemd/hoplock.socket"),
        ),
    ] {
        machine.write(&format!("{folder}/{unit}"), text);
        machine.shell(&format!("rm -rf /{folder}/{unit}.d"));
    }
    let unit = if block.contains("[Socket]") {
        "hoplock.socket"
    } else {
        "hoplock.service"
    };
    machine.write(&format!("{folder}/{unit}.d/check.conf"), block);
    // The pages are of the package, which these machines do not have.
    silent(&machine.shell(&format!("systemd-analyze verify --man=no /{folder}/{unit}")))
}

fn silent(output: &Output) -> Result<(), String> {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && words.is_empty() {
        return Ok(());
    }
    Err(format!("{}: {words}", output.status))
}
