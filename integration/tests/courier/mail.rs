//! Handing mail over: a program played by a shell script, and a server played by a listener.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use hoplock::adapters::courier::{Mailer, ReportCourier};
use hoplock::world::courier::{Courier as _, Undelivered, UndeliveredKind};
use hoplock_policy::name::DomainName;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use super::{courier_with, kind};

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.\r\n..two\r\nb\r\n.c\r\n";

fn courier(mailer: Mailer) -> ReportCourier {
    courier_with(|options| options.mailer = mailer)
}

async fn mailed(courier: &ReportCourier, to: &str) -> Result<(), Undelivered> {
    courier
        .mail("f@sender.test".to_owned(), to.to_owned(), MESSAGE.to_vec())
        .await
}

/// A script in the place of sendmail(8); it finds `$D`, a folder that outlives it.
async fn program(script: &str) -> (Script, Mailer) {
    let turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sendmail");
    let script = format!("#!/bin/sh\nD={}\n{script}\n", folder.path().display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    (
        Script {
            folder,
            _turn: turn,
        },
        Mailer::Program(path),
    )
}

/// A script, one at a time: what another test forks while it is written would keep it from being run.
struct Script {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::const_new(());

/// The program gets its arguments and the message with this machine's line ends.
#[tokio::test]
async fn a_program_takes_the_mail() {
    let script = "printf '%s\\n' \"$@\" > $D/arguments; cat > $D/message";
    let (script, mailer) = program(script).await;
    let outcome = mailed(&courier(mailer), "r+x@a.test").await;
    assert_eq!(outcome, Ok(()));
    let read = |name: &str| std::fs::read(script.folder.path().join(name)).unwrap();
    assert_eq!(
        read("arguments"),
        b"-i\n-f\nf@sender.test\n--\nr+x@a.test\n"
    );
    assert_eq!(read("message"), b"Subject: x\n\n.\n..two\nb\n.c\n");
}

/// Exit codes of sysexits.h, with the first line of what the program says.
#[tokio::test]
async fn exit_codes_of_the_program() {
    use UndeliveredKind::{Refused, Temporary};
    for (script, wanted, words) in [
        (
            "cat >/dev/null; echo busy >&2; echo x >&2; exit 75",
            Temporary,
            "exit code 75: busy",
        ),
        ("cat >/dev/null; exit 71", Temporary, "exit code 71: "),
        (
            "cat >/dev/null; echo 'no \u{1b}[2Jsuch' >&2; exit 67",
            Refused,
            "no \\x1b[2Jsuch",
        ),
        ("exit 1", Refused, "exit code 1: "),
        (
            "exec </dev/null; exit 0",
            Temporary,
            "did not read the whole mail",
        ),
        ("kill -9 $$", Temporary, "signal: 9"),
        // Much more than a pipe holds.
        (
            "cat >/dev/null; head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 65",
            Refused,
            "65: xxx",
        ),
    ] {
        let (_script, mailer) = program(script).await;
        let courier = courier(mailer);
        // More than the pipe holds, so that not to read it is seen.
        let message = b"x\r\n".repeat(100_000);
        let outcome = courier
            .mail("f@sender.test".to_owned(), "r@a.test".to_owned(), message)
            .await;
        assert_eq!(kind(&outcome), Some(wanted), "{script}: {outcome:?}");
        let said = outcome.unwrap_err().words;
        assert!(said.contains(words), "{script}: {said}");
        assert!(
            said.contains("/sendmail: ") || said.contains("did not"),
            "{said}"
        );
        assert!(said.len() < 1_000, "{}", said.len());
    }
}

/// A program that hangs is killed; one that leaves something behind is not waited for.
#[tokio::test]
async fn a_program_that_hangs() {
    let (script, mailer) = program("echo $$ > $D/pid; exec sleep 1000").await;
    let outcome = mailed(&courier(mailer), "r@a.test").await;
    assert_eq!(kind(&outcome), Some(UndeliveredKind::Temporary));
    assert!(
        outcome
            .unwrap_err()
            .words
            .contains("did not end within 2 s")
    );
    let pid = std::fs::read_to_string(script.folder.path().join("pid")).unwrap();
    let proc = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    for _ in 0..100 {
        let gone = std::fs::read_to_string(&proc).map_or(true, |text| text.contains(") Z "));
        if gone {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = std::fs::read_to_string(&proc).unwrap_or_default();
    assert!(text.is_empty() || text.contains(") Z "), "{text}");
    drop(script);
    let (_script, mailer) = program("cat >/dev/null; sleep 5 & exit 0").await;
    assert_eq!(mailed(&courier(mailer), "r@a.test").await, Ok(()));
}

#[tokio::test]
async fn there_is_no_program() {
    let outcome = mailed(
        &courier(Mailer::Program("/nowhere/sendmail".into())),
        "r@a.test",
    )
    .await;
    assert_eq!(kind(&outcome), Some(UndeliveredKind::Refused));
    let words = outcome.unwrap_err().words;
    assert!(
        words.contains("/nowhere/sendmail") && words.contains("install"),
        "{words}"
    );
}

/// No address is taken for an option, for two, or for another command.
#[tokio::test]
async fn odd_addresses_go_nowhere() {
    let (script, mailer) = program("cat >/dev/null; touch $D/ran").await;
    let courier = courier(mailer);
    for address in [
        "-bs@a.test",
        "-f",
        "",
        "a",
        "@a.test",
        "a@",
        "a@b.test>\r\nRSET",
        "a b@c.test",
        "a@b.test,c@d.test",
        "ä@b.test",
        &format!("{}@b.test", "a".repeat(300)),
    ] {
        for (from, to) in [("f@sender.test", address), (address, "r@a.test")] {
            let outcome = courier
                .mail(from.to_owned(), to.to_owned(), MESSAGE.to_vec())
                .await;
            assert_eq!(
                kind(&outcome),
                Some(UndeliveredKind::Refused),
                "{address:?}"
            );
        }
    }
    assert!(!script.folder.path().join("ran").exists());
}

/// A server that answers each step with the next of these, and gives back what it was told.
async fn server(replies: &'static [&'static str]) -> (Mailer, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let told = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut told = String::new();
        for reply in replies {
            if stream.write_all(reply.as_bytes()).await.is_err() {
                break;
            }
            let mut line = String::new();
            let in_data = reply.starts_with("354");
            while stream
                .read_line(&mut line)
                .await
                .is_ok_and(|length| length > 0)
            {
                if !in_data || line.ends_with("\r\n.\r\n") {
                    break;
                }
            }
            told.push_str(&line);
        }
        told
    });
    let helo = DomainName::parse("mx.sender.test").unwrap();
    (Mailer::Server { address, helo }, told)
}

/// The whole dialogue, with dots doubled at the beginning of lines.
#[tokio::test]
async fn a_server_takes_the_mail() {
    let (mailer, told) = server(&[
        "220-mx\r\n220 ready\r\n",
        "250-mx\r\n250 SIZE 9\r\n",
        "250 ok\r\n",
        "251 will forward\r\n",
        "354 go\r\n",
        "250 queued\r\n",
        "221 bye\r\n",
    ])
    .await;
    assert_eq!(mailed(&courier(mailer), "r@a.test").await, Ok(()));
    let expected = "EHLO mx.sender.test\r\n\
        MAIL FROM:<f@sender.test>\r\n\
        RCPT TO:<r@a.test>\r\n\
        DATA\r\n\
        Subject: x\r\n\r\n..\r\n...two\r\nb\r\n..c\r\n.\r\n\
        QUIT\r\n";
    assert_eq!(told.await.unwrap(), expected);
}

/// Each step refused for now or for good, with the server's words; QUIT all the same.
#[tokio::test]
async fn a_server_refuses() {
    use UndeliveredKind::{Refused, Temporary};
    const GOOD: &[&str] = &[
        "220 a\r\n",
        "250 b\r\n",
        "250 c\r\n",
        "250 d\r\n",
        "354 e\r\n",
    ];
    const CASES: &[(&[&str], UndeliveredKind, &str)] = &[
        (&["421 4.3.2 later\r\n"], Temporary, "421 4.3.2 later"),
        (&["554 go away\r\n"], Refused, "554 go away"),
        (
            &["220 a\r\n", "502 no EHLO\r\n"],
            Refused,
            "EHLO mx.sender.test: 502",
        ),
        (
            &["220 a\r\n", "250 b\r\n", "451 4.7.1 greylisted\r\n"],
            Temporary,
            "MAIL FROM:<f@sender.test>: 451",
        ),
        (
            &[
                "220 a\r\n",
                "250 b\r\n",
                "250 c\r\n",
                "550 5.1.1 unknown\r\n",
            ],
            Refused,
            "RCPT TO:<r@a.test>: 550 5.1.1 unknown",
        ),
        (
            &[
                "220 a\r\n",
                "250 b\r\n",
                "250 c\r\n",
                "250 d\r\n",
                "250 what\r\n",
            ],
            Temporary,
            "DATA: 250",
        ),
        (
            &["220 a\r\n", "nonsense\r\n"],
            Temporary,
            "no reply to EHLO",
        ),
        (
            &["220 a\r\n", "250 b\r\n", "250 c\r\n250 d\r\n"],
            Temporary,
            "before it is asked",
        ),
        (&["220 a\r\n"], Temporary, "no reply to EHLO"),
    ];
    for (replies, wanted, words) in CASES {
        let (mailer, _told) = server(replies).await;
        let outcome = mailed(&courier(mailer), "r@a.test").await;
        assert_eq!(kind(&outcome), Some(*wanted), "{replies:?}: {outcome:?}");
        let said = outcome.unwrap_err().words;
        assert!(said.contains(words), "{said}");
        assert!(said.starts_with("mail server 127.0.0.1:"), "{said}");
    }
    let after_data: &[(&'static [&'static str], UndeliveredKind)] = &[
        (
            &[
                "220 a\r\n",
                "250 b\r\n",
                "250 c\r\n",
                "250 d\r\n",
                "354 e\r\n",
                "552 full\r\n",
                "",
            ],
            Refused,
        ),
        (
            &[
                "220 a\r\n",
                "250 b\r\n",
                "250 c\r\n",
                "250 d\r\n",
                "354 e\r\n",
                "452 full\r\n",
                "",
            ],
            Temporary,
        ),
        (GOOD, Temporary),
    ];
    for (replies, wanted) in after_data {
        let (mailer, told) = server(replies).await;
        let outcome = mailed(&courier(mailer), "r@a.test").await;
        assert_eq!(kind(&outcome), Some(*wanted), "{outcome:?}");
        let told = told.await.unwrap();
        assert_eq!(
            told.ends_with("QUIT\r\n"),
            replies.len() > GOOD.len(),
            "{told}"
        );
    }
}

/// A server that says nothing, or is not there, costs its time and no more.
#[tokio::test]
async fn a_server_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let helo = DomainName::parse("mx.sender.test").unwrap();
    let mailer = Mailer::Server {
        address: address.clone(),
        helo: helo.clone(),
    };
    let outcome = mailed(&courier(mailer), "r@a.test").await;
    assert_eq!(kind(&outcome), Some(UndeliveredKind::Temporary));
    drop(listener);
    let outcome = mailed(&courier(Mailer::Server { address, helo }), "r@a.test").await;
    assert_eq!(kind(&outcome), Some(UndeliveredKind::Temporary));
    assert!(outcome.unwrap_err().words.contains("refused"));
}
