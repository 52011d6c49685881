//! `hoplock check` and `hoplock tlsa` against hosts good and bad, beside the tools that judge too:
//! Postfix's `posttls-finger` and OpenSSL's `s_client`.

mod others;
mod records;
mod watched;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::certificates::Flaw;
use super::mail_host::{self, Manner, TLS_ALONE};
use super::servers::{must, until};
use super::stage::{Lab, Mapped};
use super::zones::{MailHost, Plan};

/// A domain with four hosts: good, expired though its DANE-EE record matches, of another key than its
/// record, and of TLS 1.1 alone. The first two have IPv6 addresses, one of them one where nobody is.
pub(super) fn plan(plan: &mut Plan) {
    let other = plan.authority.issue("other.test", Flaw::None);
    let hosts = [
        (10, "mx1.check.test", Manner::Good, Flaw::None),
        (20, "mx2.check.test", Manner::Good, Flaw::Expired),
        (30, "mx3.check.test", Manner::Good, Flaw::None),
        (40, "mx4.check.test", Manner::Relay, Flaw::None),
    ];
    for (preference, host, manner, flaw) in hosts {
        plan.mx("check.test", preference, host);
        let own = plan.host(host, manner, flaw);
        let named = if preference == 30 { &other } else { &own };
        plan.tlsa(host, &named.end_entity(1, 1));
    }
    plan.record("mx1.check.test. 300 IN AAAA ::1");
    plan.record("mx2.check.test. 300 IN AAAA fd00::9");
    watched::plan(plan);
}

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>, mapped: &Mapped) {
    let _old = old_server(lab);
    let first = host(lab.plan, "mx1.check.test");
    lab.runtime.spawn(mail_host::serve(
        first.name.clone(),
        SocketAddr::from((Ipv6Addr::LOCALHOST, 25)),
        first.manner,
        Arc::clone(&first.identity.tls),
        Arc::clone(&lab.sessions),
    ));
    four_hosts(lab);
    by_openssl(lab);
    statuses(lab);
    repeated(lab);
    let judged = others::agree(lab, mapped);
    records::compare(lab);
    watched::all(lab);
    println!("check: {judged} hosts judged alike by hoplock, posttls-finger and openssl");
}

/// TLS 1.1 alone, by a program that knows no SMTP.
fn old_server(lab: &Lab<'_>) -> Program {
    let own = host(lab.plan, "mx4.check.test");
    let file = lab.folder.join("old.pem");
    fs::write(&file, &own.identity.pem).unwrap();
    let address = SocketAddr::from((own.address, TLS_ALONE));
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-rev", "-tls1_1"])
        .args(["-cipher", "ALL:@SECLEVEL=0", "-accept"])
        .arg(address.to_string())
        .arg("-cert")
        .arg(&file)
        .arg("-key")
        .arg(&file)
        .env("OPENSSL_CONF", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let program = Program(command.spawn().unwrap());
    until("openssl s_server", Duration::from_secs(10), || {
        TcpStream::connect(address).is_ok()
    });
    program
}

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// CM-05, CM-31, SV-03: the four right verdicts, in JSON and in text.
fn four_hosts(lab: &mut Lab<'_>) {
    let expected = [
        ("mx1.check.test", "kept", "authenticated-dane", "tlsa-match"),
        ("mx2.check.test", "kept", "authenticated-dane", "tlsa-match"),
        ("mx3.check.test", "failed", "failed", "tlsa-no-match"),
        (
            "mx4.check.test",
            "inconclusive",
            "indeterminate",
            "peer-too-old",
        ),
    ];
    let checked = Checked::of(lab, &["check.test"]);
    lab.report.check(checked.status == Some(1), || {
        format!("check.test: status {:?}", checked.status)
    });
    for (host, result, verdict, reason) in expected {
        let address = checked.first_address(host);
        let said = (
            checked.host(host)["result"].as_str(),
            address["verdict"]["verdict"].as_str(),
            address["verdict"]["reason"].as_str(),
        );
        let right = said == (Some(result), Some(verdict), Some(reason));
        lab.report.check(right, || {
            format!("{host}: {said:?}, expected {result} {verdict} {reason}")
        });
        let asked_for = address["sni"].as_str();
        lab.report.check(asked_for == Some(host), || {
            format!("{host}: asked for {asked_for:?}")
        });
    }
    let stages = |host: &str| -> Vec<String> {
        let addresses = checked.host(host)["addresses"].as_array().cloned();
        let stages = addresses.unwrap_or_default();
        stages.iter().map(|own| own["stage"].to_string()).collect()
    };
    let first = stages("mx1.check.test");
    lab.report
        .check(first == ["\"established\"", "\"established\""], || {
            format!("mx1.check.test: both families: {first:?}")
        });
    let second = stages("mx2.check.test");
    lab.report
        .check(second == ["\"established\"", "\"unreachable\""], || {
            format!("mx2.check.test: an address where nobody is: {second:?}")
        });
    let warned = checked.first_address("mx2.check.test")["verdict"]["warnings"].to_string();
    lab.report.check(warned.contains("certificate-dates"), || {
        format!("mx2.check.test: {warned}")
    });
    let output = lab.hoplock.tool(&["check", "check.test"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts = [
        "check.test: of 4 hosts 1 FAILS its duty, 2 keep their duty, 1 is inconclusive.",
        "mx1.check.test, preference 10: keeps its duty",
        "mx3.check.test, preference 30: FAILS its duty",
        "mx4.check.test, preference 40: INCONCLUSIVE",
        "authenticated-dane (tlsa-match)",
        "failed (tlsa-no-match)",
        "indeterminate (peer-too-old)",
        "publish _25._tcp.mx3.check.test. IN TLSA 3 1 1 ",
        "--engine openssl",
        "CN=mx2.check.test, for mx2.check.test, by CN=Lab Root CA, 2015-01-01 to 2016-01-01",
    ];
    let flat: Vec<&str> = text.split_whitespace().collect();
    let flat = flat.join(" ");
    let missing: Vec<&&str> = parts.iter().filter(|part| !flat.contains(**part)).collect();
    lab.report.check(
        missing.is_empty() && output.status.code() == Some(1),
        || format!("check.test lacks {missing:?}, {}:\n{text}", output.status),
    );
}

/// SV-03: the other engine settles what rustls cannot speak, and agrees on the rest.
fn by_openssl(lab: &mut Lab<'_>) {
    let checked = Checked::of(lab, &["check.test", "--engine", "openssl"]);
    let expected = [
        ("mx1.check.test", "authenticated-dane", "tlsa-match", true),
        ("mx2.check.test", "authenticated-dane", "tlsa-match", true),
        ("mx3.check.test", "failed", "tlsa-no-match", false),
        // OpenSSL finds the record to match, and the version too old by RFC 8996 all the same.
        ("mx4.check.test", "failed", "tls-version-too-old", true),
    ];
    for (host, verdict, reason, by_openssl) in expected {
        let address = checked.first_address(host);
        let said = (
            address["verdict"]["verdict"].as_str(),
            address["verdict"]["reason"].as_str(),
            address["engine_verdict"]["authenticated"].as_bool(),
        );
        let right = said == (Some(verdict), Some(reason), Some(by_openssl));
        lab.report.check(right, || {
            format!("{host} by openssl: {said:?}, expected {verdict} {reason}")
        });
    }
    let version = checked.first_address("mx4.check.test")["tls"]["version"].to_string();
    lab.report.check(version == "\"TLSv1.1\"", || {
        format!("mx4.check.test by openssl: {version}")
    });
}

/// One failure wins over all doubt; nobody reached and nobody there is doubt.
fn statuses(lab: &mut Lab<'_>) {
    for (arguments, expected) in [
        (&["[mx1.check.test]"][..], 0),
        (&["[mx2.check.test]"], 0),
        (&["[mx3.check.test]"], 1),
        (&["[mx4.check.test]"], 4),
        (&["[mx4.check.test]", "--engine", "openssl"], 1),
        (&["dane.test", "[mx4.check.test]"], 4),
        (&["dane.test", "[mx4.check.test]", "wrong-key.test"], 1),
        (&["none.test", "plain.test", "dane.test"], 0),
        // MTA-STS, by the lab's own authority.
        (&["sts.test"], 0),
        (&["sts-wrongname.test"], 1),
        (&["sts-unlisted.test"], 1),
        // TLSA records that cannot be used oblige TLS.
        (&["unusable.test"], 0),
        (&["unusable-strip.test"], 1),
        // Whose TLSA records are bogus, and who takes no mail.
        (&["bogus-tlsa.test"], 1),
        (&["nullmx.test"], 4),
        (&["bogus.test"], 4),
        (&["[submit.test]:587"], 0),
        (&["no such name"], 2),
        (&["dane.test", "192.0.2.1"], 2),
    ] {
        let arguments = [&["check"], arguments].concat();
        let output = lab.hoplock.tool(&arguments);
        let status = output.status.code();
        lab.report.check(status == Some(expected), || {
            format!(
                "{arguments:?}: {status:?}, expected {expected}\n{}",
                both(&output)
            )
        });
    }
}

/// `--repeat` prints at once, then only what changes, and ends on Ctrl-C with the status of what it saw.
fn repeated(lab: &mut Lab<'_>) {
    let mut child = Command::new(lab.hoplock.binary())
        .args([
            "check",
            "dane.test",
            "[mx3.check.test]",
            "--repeat",
            "--json",
        ])
        .arg("--config")
        .arg(lab.hoplock.config())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut read = |line: std::io::Result<String>| {
        let line = line.unwrap();
        serde_json::from_str(&line).unwrap_or(Value::String(line))
    };
    let mut objects: Vec<Value> = lines.by_ref().take(2).map(&mut read).collect();
    must(Command::new("kill").args(["-INT", &child.id().to_string()]));
    objects.extend(lines.map(&mut read));
    let status = child.wait().unwrap();
    let results: Vec<&str> = objects
        .iter()
        .filter_map(|line| line["result"].as_str())
        .collect();
    let right = results == ["kept", "failed"] && status.code() == Some(1);
    lab.report
        .check(right, || format!("check --repeat: {results:?}, {status}"));
}

/// What `hoplock check --json` says.
struct Checked {
    value: Value,
    status: Option<i32>,
}

impl Checked {
    fn of(lab: &Lab<'_>, arguments: &[&str]) -> Self {
        let arguments = [&["check", "--json"], arguments].concat();
        let output = lab.hoplock.tool(&arguments);
        let value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", both(&output)));
        Self {
            value,
            status: output.status.code(),
        }
    }

    fn host(&self, name: &str) -> &Value {
        let hosts = self.value["next_hops"][0]["hosts"].as_array();
        let found = hosts.and_then(|hosts| hosts.iter().find(|host| host["host"] == name));
        found.unwrap_or(&Value::Null)
    }

    fn first_address(&self, name: &str) -> &Value {
        &self.host(name)["addresses"][0]
    }
}

fn host<'a>(plan: &'a Plan, name: &str) -> &'a MailHost {
    plan.hosts.iter().find(|host| host.name == name).unwrap()
}

fn both(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}
