//! The same hosts judged by other tools: Postfix's `posttls-finger` and OpenSSL's `s_client`.

use std::process::{Command, Stdio};

use super::{Checked, both};
use crate::lab::servers::must;
use crate::lab::stage::{Lab, Mapped};

/// CM-04, CM-05, SV-03: other tools come to the same verdicts on the same hosts.
pub(super) fn agree(lab: &mut Lab<'_>, mapped: &Mapped) -> usize {
    let hosts = [
        ("dane.test", "mx.dane.test", true),
        ("ee-whole.test", "mx.ee-whole.test", true),
        ("ee-512.test", "mx.ee-512.test", true),
        ("ee-expired.test", "mx.ee-expired.test", true),
        ("ee-wrongname.test", "mx.ee-wrongname.test", true),
        ("ta-whole.test", "mx.ta-whole.test", true),
        ("ta-key.test", "mx.ta-key.test", true),
        ("dane.n3.test", "mx.dane.n3.test", true),
        ("wildcard.test", "mx.wildcard.test", true),
        ("cname-host.test", "mx.target.test", true),
        ("tlsa-cname.test", "mx.tlsa-cname.test", true),
        ("implicit.test", "implicit.test", true),
        ("[mx1.check.test]", "mx1.check.test", true),
        ("[mx2.check.test]", "mx2.check.test", true),
        ("[mx3.check.test]", "mx3.check.test", false),
        ("wrong-key.test", "mx.wrong-key.test", false),
        ("sts-dane.test", "mx.sts-dane.test", false),
        ("strip.test", "mx.strip.test", false),
        ("refuse454.test", "mx.refuse454.test", false),
        ("garbage.test", "mx.garbage.test", false),
    ];
    for (next_hop, base, good) in hosts {
        let checked = Checked::of(lab, &[next_hop]);
        let ours = checked.value["next_hops"][0]["result"] == "kept";
        let finger = finger(mapped, next_hop);
        let openssl = s_client(base);
        let theirs = (
            finger.contains(": Verified TLS connection established to "),
            openssl.contains("Verification: OK") && openssl.contains("\nDANE TLSA "),
        );
        let agree = ours == good && theirs == (good, good);
        lab.report.check(agree, || {
            format!(
                "{next_hop}: hoplock {ours}, posttls-finger and openssl {theirs:?}, expected {good}\n\
                 {}\n{finger}\n{openssl}",
                checked.value
            )
        });
    }
    hosts.len()
}

/// It ends with status 0 whatever it finds: its words count.
fn finger(mapped: &Mapped, next_hop: &str) -> String {
    let mut command = Command::new("posttls-finger");
    command
        .args(["-c", "-l", "dane", "-t", "10", "-T", "10", next_hop])
        .env("MAIL_CONFIG", mapped.postfix.folder());
    both(&command.output().unwrap())
}

/// With the records that stand in the DNS, asked for by another tool.
fn s_client(base: &str) -> String {
    let owner = format!("_25._tcp.{base}");
    let told = must(Command::new("drill").args([&owner, "TLSA"]));
    let mut command = Command::new("timeout");
    command.args(["10", "openssl", "s_client", "-starttls", "smtp", "-connect"]);
    command.arg(format!("{base}:25"));
    command.args(["-dane_ee_no_namechecks", "-dane_tlsa_domain", base]);
    for line in told.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, _, "IN", "TLSA", record @ ..] = words.as_slice()
            && !record.is_empty()
        {
            command.args(["-dane_tlsa_rrdata", &record.join(" ")]);
        }
    }
    command
        .env("OPENSSL_CONF", "/dev/null")
        .stdin(Stdio::null());
    both(&command.output().unwrap())
}
