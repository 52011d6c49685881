//! Something of every kind that is counted, again and again, so that each rate is one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::lab::hoplock::Hoplock;
use crate::lab::servers::until;

/// The lab's hoplock with every door open, one destination that is only observed, two domains that are watched,
/// and a state file of its own: what is remembered is not fetched.
pub(super) fn configuration(plain: &str, folder: &Path) -> String {
    let listen = format!(
        "[listen]\npolicy = [\"inet:127.0.0.1:8428\"]\nsessions = [\"unix:{}/sessions\"]\n",
        folder.display()
    );
    let state = format!("{}/state.db", folder.display());
    let common = format!("{}/state.db", folder.parent().unwrap().display());
    let changed = plain
        .replacen("[listen]\n", &listen, 1)
        .replacen(&common, &state, 1);
    assert!(
        changed.contains(&listen) && changed.contains(&state),
        "{plain}"
    );
    format!(
        "{changed}\n[rules.\"ee-512.test\"]\nmode = \"audit\"\n\
         [watch]\ndomains = [\"dane.test\", \"wrong-key.test\"]\nevery = \"10s\"\n"
    )
}

/// Goes on until that is said.
pub(super) fn until_over(folder: &Path, over: &AtomicBool) {
    let sessions = folder.join("sessions");
    until("the socket for sessions", Duration::from_secs(20), || {
        sessions.exists() && TcpStream::connect("127.0.0.1:8428").is_ok()
    });
    let mut round = 0;
    while !over.load(Ordering::Relaxed) {
        answers(round);
        mail_servers();
        for (destination, starttls) in [
            ("dane.test", "not-offered"),
            ("sts.test", "refused"),
            ("none.test", "not-offered"),
            ("none.test", "used"),
        ] {
            session(&sessions, destination, starttls);
        }
        malformed(&sessions);
        round += 1;
        sleep(Duration::from_millis(300));
    }
}

/// Of several verdicts: from the cache, and in each round one that is not in it.
fn answers(round: usize) {
    let fresh = format!("fresh{round}.wildcard-none.test");
    let gone = format!("gone{round}.bogus.test");
    for key in [
        "dane.test",
        "sts.test",
        "sts-404.test",
        "sts-badcert.test",
        "none.test",
        "unusable.test",
        "bogus.test",
        "ee-512.test",
        "[192.0.2.1]",
        &fresh,
        &gone,
    ] {
        assert!(Hoplock::ask("postfix", key).is_some(), "{key}");
    }
    assert!(Hoplock::ask("pins", "dane.test").is_some());
}

/// Exim, Sendmail's session check, Postfix at submission, and queries for TXT records.
fn mail_servers() {
    let said = say("127.0.0.1:8427", "hoplock1 level dane.test\n");
    assert!(said.starts_with("enforce"), "{said}");
    let said = Hoplock::ask("verifier", "what no Sendmail says").unwrap();
    assert!(said.starts_with("OK bad-request"), "{said}");
    let said = say(
        "127.0.0.1:8428",
        "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=s@own.test\n\
         recipient=r@dane.test\n\n",
    );
    assert!(said.starts_with("action="), "{said}");
    let mut look = Command::new("drill");
    look.args([
        "-p",
        "5354",
        "@127.0.0.1",
        "dane.test.policy.hoplock.internal",
        "TXT",
    ]);
    let output = look.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("rcode: NOERROR"), "{text}");
}

/// One question, and all that is answered.
fn say(server: &str, words: &str) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(words.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// A session as a mail server would report it.
fn session(socket: &Path, destination: &str, starttls: &str) {
    let line = json!({
        "next_hop": destination, "mx_host": format!("mx.{destination}"), "port": 25,
        "starttls": starttls, "tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384",
    });
    let verdict = report(socket, &line.to_string());
    assert!(verdict.contains("\"verdict\""), "{verdict}");
}

fn malformed(socket: &Path) {
    report(socket, "{\"next_hop\":");
}

fn report(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(25)))
        .unwrap();
    writeln!(stream, "{line}").unwrap();
    let mut said = String::new();
    BufReader::new(stream).read_line(&mut said).unwrap();
    said
}
