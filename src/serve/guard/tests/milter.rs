//! Messages as a mail server shows them to a milter, over a connection.

use hoplock_wire::milter::{
    Actions, Command, Envelope, Header, Macros, Offer, Received, Steps, decode_reply, packet,
};

use super::super::milter::converse;
use super::*;

struct Line {
    client: DuplexStream,
    input: Vec<u8>,
}

/// What became of a message: a reply for each recipient, and those at its end.
#[derive(Debug, PartialEq, Eq)]
struct Became {
    recipients: Vec<String>,
    end: Vec<String>,
}

impl Scene {
    async fn mail_server(&self, actions: Actions) -> Line {
        let (client, server) = duplex(1024 * 1024);
        let seat = self.connections.seat().unwrap();
        tokio::spawn(converse(server, Arc::clone(&self.desk), seat));
        let input = Vec::new();
        let mut line = Line { client, input };
        let steps = Steps::all();
        let offer = Offer {
            version: 6,
            actions,
            steps,
        };
        line.say(&Command::Negotiate(offer)).await;
        line.reply().await;
        line
    }
}

impl Line {
    async fn say(&mut self, command: &Command<'_>) {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        self.client.write_all(&bytes).await.unwrap();
    }

    /// The next reply, as text.
    async fn reply(&mut self) -> String {
        loop {
            if let Some(frame) = packet::decode(&self.input).unwrap() {
                let text = told(&decode_reply(frame.packet).unwrap());
                let consumed = frame.consumed;
                self.input.drain(..consumed);
                return text;
            }
            let read = self.client.read_buf(&mut self.input).await.unwrap();
            assert!(read > 0, "it hung up");
        }
    }

    /// Shows a message from `boss@own.test`, whose recipients must be answered where `at_rcpt`.
    async fn message(&mut self, at_rcpt: bool, shown: &Shown<'_>) -> Became {
        if let Some(user) = shown.user {
            let macros = [b"M{auth_authen}\0", user.as_bytes(), b"\0"].concat();
            self.say(&Command::Macros(Macros::parse(&macros).unwrap()))
                .await;
        } else {
            self.say(&Command::Macros(Macros::parse(b"Mi\0x\0").unwrap()))
                .await;
        }
        let mail = format!("<boss@own.test>\0{}", shown.arguments);
        self.say(&Command::Mail(Envelope::parse(mail.as_bytes()).unwrap()))
            .await;
        let mut recipients = Vec::new();
        for recipient in shown.recipients {
            if let Some(macros) = shown.route {
                self.say(&Command::Macros(Macros::parse(macros).unwrap()))
                    .await;
            }
            let rcpt = format!("<{recipient}>\0");
            self.say(&Command::Rcpt(Envelope::parse(rcpt.as_bytes()).unwrap()))
                .await;
            if at_rcpt {
                recipients.push(self.reply().await);
            }
        }
        for (name, value) in shown.fields {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            self.say(&Command::Header(Header { name, value })).await;
        }
        self.say(&Command::EndOfBody(b"")).await;
        let mut end = Vec::new();
        loop {
            let reply = self.reply().await;
            let is_last = ["continue", "refuse", "tempfail"]
                .iter()
                .any(|word| reply.starts_with(word));
            end.push(reply);
            if is_last {
                return Became { recipients, end };
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Shown<'a> {
    user: Option<&'a str>,
    arguments: &'a str,
    /// The macros before each recipient.
    route: Option<&'a [u8]>,
    recipients: &'a [&'a str],
    fields: &'a [(&'a str, &'a str)],
}

fn told(reply: &Received<'_>) -> String {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    match reply {
        Received::Continue => "continue".to_owned(),
        Received::TempFail => "tempfail".to_owned(),
        Received::Refuse(words) => format!("refuse {}", text(words)),
        Received::Quarantine(words) => format!("quarantine {}", text(words)),
        Received::InsertHeader(place, name, value) => {
            format!("insert {place} {}:{}", text(name), text(value))
        }
        Received::ChangeHeader(place, name, value) => {
            format!("change {place} {}:{}", text(name), text(value))
        }
        Received::Negotiate(..) => "negotiated".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn became(recipients: &[&str], end: &[&str]) -> Became {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Became {
        recipients: owned(recipients),
        end: owned(end),
    }
}

const RULES: &str = r#"
[guard]
header = "Hoplock-Protection"
[[guard.rules]]
user = ["anna"]
action = "dunno"
[[guard.rules]]
recipient = ["dane.test"]
action = "prepend"
text = "X-Way: safe"
[[guard.rules]]
recipient = ["some.test"]
action = "hold"
text = "some hosts only"
[[guard.rules]]
protection = ["refused", "opportunistic"]
action = "reject"
text = "not safe"
"#;

/// Two recipients of one message get what each is due; the fields of those that stay come once, above all
/// others, and copies of ours that came with it are taken away.
#[tokio::test(start_paused = true)]
async fn each_recipient_gets_its_own() {
    let scene = Scene::new(RULES);
    let mut line = scene.mail_server(Actions::all()).await;
    let shown = Shown {
        recipients: &["r@dane.test", "r@plain.test", "s@dane.test", "postmaster"],
        fields: &[("hoplock-protection", " forged"), ("Subject", " s")],
        ..Shown::default()
    };
    let record = "insert 0 Hoplock-Protection: dane.test; protection=authenticated; answer=dane-only; \
                  reason=dane-all-hosts";
    let expected = became(
        &[
            "continue",
            "refuse 550 5.7.1 not safe",
            "continue",
            "continue",
        ],
        &[
            "change 1 hoplock-protection:",
            "insert 0 X-Way: safe",
            record,
            "continue",
        ],
    );
    let got = line.message(true, &shown).await;
    // The name of a deleted field is in our own letters.
    let got = Became {
        end: got
            .end
            .into_iter()
            .map(|reply| {
                reply.replace("change 1 Hoplock-Protection", "change 1 hoplock-protection")
            })
            .collect(),
        ..got
    };
    assert_eq!(got, expected);
    // The next message on the connection begins anew; somebody else is let go on.
    let shown = Shown {
        user: Some("anna"),
        recipients: &["r@plain.test"],
        ..Shown::default()
    };
    let record = "insert 0 Hoplock-Protection: plain.test; protection=opportunistic; answer=none; \
                  reason=no-policy";
    let expected = became(&["continue"], &[record, "continue"]);
    assert_eq!(line.message(true, &shown).await, expected);
    let shown = Shown {
        recipients: &["r@some.test"],
        ..Shown::default()
    };
    let record = "insert 0 Hoplock-Protection: some.test; protection=partly; answer=dane; \
                  reason=dane-some-hosts";
    let expected = became(
        &["continue"],
        &[record, "quarantine some hosts only", "continue"],
    );
    assert_eq!(line.message(true, &shown).await, expected);
}

/// RQ-03, RQ-04, RQ-05: REQUIRETLS, as a parameter of MAIL or as the field that Postfix hands it on by, is
/// refused for good where the destination cannot keep it, refused for now where nobody knows, and counts more
/// than `TLS-Required: No`.
#[tokio::test(start_paused = true)]
async fn requiretls() {
    let scene = Scene::new("");
    let mut line = scene.mail_server(Actions::all()).await;
    let lacks = "refuse 550 5.7.30 REQUIRETLS cannot be kept for plain.test: no host of the destination can be \
                 authenticated";
    let unknown = "refuse 450 4.7.30 REQUIRETLS for lost.test: mx-lookup-failed: ";
    let all = ["r@dane.test", "r@plain.test", "r@lost.test"];
    let no = [("TLS-Required", " No")];
    for fields in [&no[..], &[]] {
        let shown = Shown {
            arguments: "SIZE=1\0requiretls\0",
            recipients: &all,
            fields,
            ..Shown::default()
        };
        let got = line.message(true, &shown).await;
        assert_eq!(
            got.recipients[..2],
            ["continue".to_owned(), lacks.to_owned()]
        );
        assert!(got.recipients[2].starts_with(unknown), "{got:?}");
        assert_eq!(got.end, ["continue"]);
    }
    for (field, value, recipient, end) in [
        ("Require-TLS-ESMTP", " yes", "r@plain.test", lacks),
        ("require-tls-esmtp", " YES", "r@plain.test", lacks),
        ("Require-TLS-ESMTP", " yes", "r@dane.test", "continue"),
        ("Require-TLS-ESMTP", " no", "r@plain.test", "continue"),
        ("TLS-Required", " No", "r@plain.test", "continue"),
    ] {
        let shown = Shown {
            recipients: &[recipient],
            fields: &[(field, value)],
            ..Shown::default()
        };
        let expected = became(&["continue"], &[end]);
        assert_eq!(
            line.message(true, &shown).await,
            expected,
            "{field} {value}"
        );
    }
    for (word, code) in [("defer", "450 4.7.30"), ("ignore", "")] {
        let scene = Scene::new(&format!("[guard]\nrequiretls = \"{word}\"\n"));
        let mut line = scene.mail_server(Actions::all()).await;
        let shown = Shown {
            arguments: "REQUIRETLS\0",
            recipients: &["r@plain.test"],
            ..Shown::default()
        };
        let got = line.message(true, &shown).await;
        let refused = got.recipients[0].strip_prefix("refuse ");
        match refused {
            Some(words) => assert!(
                !code.is_empty() && words.starts_with(code),
                "{word} {got:?}"
            ),
            None => assert!(code.is_empty(), "{word} {got:?}"),
        }
    }
}

/// RQ-03: decided at the end, a message that says `TLS-Required: No`, and says so once, is judged as it will go:
/// what its destination demands holds it up no more, what the operator demands does. All recipients share one
/// fate.
#[tokio::test(start_paused = true)]
async fn decided_at_the_end() {
    let guard = r#"
[profile.sendmail]
own_dane = "no"
[guard]
profile = "sendmail"
decide_at = "end"
header = "Hoplock-Protection"
[[guard.rules]]
protection = ["refused"]
action = "reject"
text = "not safe"
[[guard.rules]]
recipient = ["plain.test"]
protection = ["opportunistic"]
action = "reject"
text = "not there"
"#;
    let scene = Scene::new(guard);
    let mut line = scene.mail_server(Actions::all()).await;
    let refused = "refuse 550 5.7.1 not safe";
    let record = "insert 0 Hoplock-Protection: dane.test; protection=opportunistic; answer=may; \
                  reason=tls-required-no";
    for (fields, end) in [
        (&[][..], &[refused][..]),
        (&[("TLS-Required", " No")], &[record, "continue"]),
        (&[("tls-required", "no ")], &[record, "continue"]),
        (&[("TLS-Required", " Yes")], &[refused]),
        (
            &[("TLS-Required", " No"), ("TLS-Required", " No")],
            &[refused],
        ),
        (
            &[("TLS-Required", " No"), ("TLS-Required", " x")],
            &[refused],
        ),
        (&[("X-TLS-Required", " No")], &[refused]),
    ] {
        let shown = Shown {
            recipients: &["r@dane.test"],
            fields,
            ..Shown::default()
        };
        assert_eq!(
            line.message(false, &shown).await,
            became(&[], end),
            "{fields:?}"
        );
    }
    for (recipients, end) in [
        (&["r@plain.test"][..], "refuse 550 5.7.1 not there"),
        (&["r@must.test"], refused),
        (
            &["r@dane.test", "r@plain.test"],
            "refuse 550 5.7.1 not there",
        ),
    ] {
        let shown = Shown {
            recipients,
            fields: &[("TLS-Required", " No")],
            ..Shown::default()
        };
        assert_eq!(
            line.message(false, &shown).await,
            became(&[], &[end]),
            "{recipients:?}"
        );
    }
}

/// Mail that stays here is let go, whatever is found of its domain; mail that leaves by a relay is judged by the
/// relay, under the rules for its recipient.
#[tokio::test(start_paused = true)]
async fn the_way_that_the_mail_server_takes() {
    let by_next_hop = RULES.replacen("[guard]\n", "[guard]\nby_next_hop = true\n", 1);
    let scene = Scene::new(&by_next_hop);
    let mut line = scene.mail_server(Actions::all()).await;
    let refused = "refuse 550 5.7.1 not safe";
    let record = "insert 0 Hoplock-Protection: plain.test; protection=authenticated; answer=dane-only; \
                  reason=dane-all-hosts";
    for (macros, recipient, at_rcpt, end) in [
        (
            &b"R{rcpt_mailer}\0local\0{rcpt_host}\0plain.test\0"[..],
            "r@plain.test",
            "continue",
            &["continue"][..],
        ),
        (
            b"R{rcpt_mailer}\0smtp\0{rcpt_host}\0plain.test\0",
            "r@plain.test",
            refused,
            &["continue"],
        ),
        (
            b"R{rcpt_mailer}\0smtp\0{rcpt_host}\0[a.dane.test]:25\0",
            "r@plain.test",
            "continue",
            &[record, "continue"],
        ),
        (
            b"R{rcpt_mailer}\0relay\0{rcpt_host}\0plain.test.\0",
            "r@dane.test",
            "continue",
            &[
                "insert 0 X-Way: safe",
                "insert 0 Hoplock-Protection: dane.test; protection=opportunistic; answer=none; reason=no-policy",
                "continue",
            ],
        ),
        // An address that is none is where the mail server sends it.
        (
            b"R{rcpt_mailer}\0esmtp\0{rcpt_host}\0plain.test\0",
            "r@plain.test(x)",
            refused,
            &["continue"],
        ),
    ] {
        let shown = Shown {
            route: Some(macros),
            recipients: &[recipient],
            ..Shown::default()
        };
        let got = line.message(true, &shown).await;
        assert_eq!(got, became(&[at_rcpt], end), "{recipient}");
    }
    // Unless the operator says so, the recipient's domain is judged; an address that is none is where it goes.
    let scene = Scene::new(RULES);
    let mut line = scene.mail_server(Actions::all()).await;
    for (recipient, at_rcpt) in [("r@plain.test", refused), ("r@plain.test(x)", "continue")] {
        let shown = Shown {
            route: Some(b"R{rcpt_mailer}\0smtp\0{rcpt_host}\0[a.dane.test]:25\0"),
            recipients: &[recipient],
            ..Shown::default()
        };
        let got = line.message(true, &shown).await;
        assert_eq!(got.recipients, [at_rcpt], "{recipient}");
    }
    // Whom a rule is for does not depend on how he is written.
    for written in [
        "r@plain.test(x)",
        "r%plain.test",
        "plain.test!r",
        "r%plain.test@own.test",
    ] {
        let shown = Shown {
            route: Some(
                b"R{rcpt_mailer}\0smtp\0{rcpt_host}\0[a.dane.test]:25\0{rcpt_addr}\0r@plain.test\0",
            ),
            recipients: &[written],
            ..Shown::default()
        };
        let got = line.message(true, &shown).await;
        assert_eq!(got.recipients, [refused], "{written}");
    }
    let own = RULES.replacen("[guard]\n", "[guard]\nown_domains = [\"plain.test\"]\n", 1);
    let scene = Scene::new(&own);
    let mut line = scene.mail_server(Actions::all()).await;
    let shown = Shown {
        recipients: &["r@plain.test"],
        ..Shown::default()
    };
    assert_eq!(
        line.message(true, &shown).await,
        became(&["continue"], &["continue"])
    );
}

/// FT-01: what is refused for good is so for what was found, and not because nobody knows.
#[tokio::test(start_paused = true)]
async fn the_rest_is_refused_for_now_where_nobody_knows() {
    let guard = "[[guard.rules]]\nprotection = [\"authenticated\"]\naction = \
                 \"dunno\"\n[[guard.rules]]\naction = \"reject\"\ntext = \"w\"\n";
    let scene = Scene::new(guard);
    let mut line = scene.mail_server(Actions::all()).await;
    let shown = Shown {
        recipients: &["r@dane.test", "r@plain.test", "r@lost.test", "r@slow.test"],
        ..Shown::default()
    };
    let expected = became(
        &[
            "continue",
            "refuse 550 5.7.1 w",
            "refuse 450 4.7.1 w",
            "refuse 450 4.7.1 w",
        ],
        &["continue"],
    );
    assert_eq!(line.message(true, &shown).await, expected);
}

/// OP-08: a daemon that ends lets a message under way come to its end, and hangs up between messages.
#[tokio::test(start_paused = true)]
async fn a_message_comes_to_its_end() {
    let closing = CancellationToken::new();
    let mut scene = Scene::new(RULES);
    scene.connections = Connections::new(100, &closing);
    let mut line = scene.mail_server(Actions::all()).await;
    let mail = Envelope::parse(b"<boss@own.test>\0").unwrap();
    line.say(&Command::Mail(mail)).await;
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    closing.cancel();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let rcpt = Envelope::parse(b"<r@plain.test>\0").unwrap();
    line.say(&Command::Rcpt(rcpt)).await;
    assert_eq!(line.reply().await, "refuse 550 5.7.1 not safe");
    line.say(&Command::EndOfBody(b"")).await;
    assert_eq!(line.reply().await, "continue");
    let mut rest = Vec::new();
    assert_eq!(line.client.read_to_end(&mut rest).await.unwrap(), 0);
}

/// FT-01, PF-04: nobody waits past the deadline, at RCPT or at the end.
#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline() {
    for (at_rcpt, decide_at) in [(true, "rcpt"), (false, "end")] {
        for (on_trouble, word) in [
            ("dunno", "continue"),
            ("defer", "refuse 450 4.7.1 deadline:"),
        ] {
            let scene = Scene::new(&format!(
                "[guard]\ndeadline = \"3s\"\non_trouble = \"{on_trouble}\"\ndecide_at = \
                 \"{decide_at}\"\n[[guard.rules]]\nprotection = [\"refused\"]\naction = \"reject\"\n"
            ));
            let mut line = scene.mail_server(Actions::all()).await;
            let shown = Shown {
                recipients: &["r@slow.test"],
                ..Shown::default()
            };
            let got = takes(Duration::from_secs(3), line.message(at_rcpt, &shown)).await;
            let said = if at_rcpt {
                &got.recipients[0]
            } else {
                &got.end[0]
            };
            assert!(said.starts_with(word), "{got:?}");
        }
    }
}

/// A mail server that does not let a message be changed: what must be changed waits, the rest goes on.
#[tokio::test(start_paused = true)]
async fn changes_that_are_not_granted() {
    let scene = Scene::new(RULES);
    let mut line = scene.mail_server(Actions::default()).await;
    for (recipient, end) in [("r@dane.test", "tempfail"), ("postmaster", "continue")] {
        let shown = Shown {
            recipients: &[recipient],
            ..Shown::default()
        };
        let expected = became(&["continue"], &[end]);
        assert_eq!(line.message(true, &shown).await, expected, "{recipient}");
    }
}

/// FT-01: what cannot be read ends the connection, on which the mail server does what its configuration says;
/// an address that is none is let go or refused for now.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read() {
    for (on_trouble, word) in [
        ("dunno", "continue"),
        ("defer", "refuse 450 4.7.1 bad-request:"),
    ] {
        let scene = Scene::new(&format!("[guard]\non_trouble = \"{on_trouble}\"\n"));
        let mut line = scene.mail_server(Actions::all()).await;
        let shown = Shown {
            recipients: &["r@"],
            ..Shown::default()
        };
        let got = line.message(true, &shown).await;
        assert!(got.recipients[0].starts_with(word), "{got:?}");
        line.client.write_all(&[0, 0, 0, 1, b'!']).await.unwrap();
        let mut rest = Vec::new();
        assert_eq!(line.client.read_to_end(&mut rest).await.unwrap(), 0);
    }
}

/// OP-08: a connection keeps the rules that it began with, since what is seen of messages was agreed on by
/// them; the next one has the new ones.
#[tokio::test(start_paused = true)]
async fn rules_are_reloaded_between_connections() {
    let scene = Scene::new(RULES);
    let mut line = scene.mail_server(Actions::all()).await;
    let (config, _) = Config::parse("[guard]\ndecide_at = \"end\"\n", &[]);
    scene.desk.reload(config.unwrap().guard);
    let shown = Shown {
        recipients: &["r@plain.test"],
        ..Shown::default()
    };
    let refused = became(&["refuse 550 5.7.1 not safe"], &["continue"]);
    assert_eq!(line.message(true, &shown).await, refused);
    let mut next = scene.mail_server(Actions::all()).await;
    assert_eq!(
        next.message(false, &shown).await,
        became(&[], &["continue"])
    );
}
