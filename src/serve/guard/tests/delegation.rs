//! Requests as Postfix makes them, over a connection.

use super::super::delegation::converse;
use super::*;

struct Line {
    client: DuplexStream,
}

impl Scene {
    fn postfix(&self) -> Line {
        let (client, server) = duplex(1024 * 1024);
        let seat = self.connections.seat().unwrap();
        tokio::spawn(converse(server, Arc::clone(&self.desk), seat));
        Line { client }
    }
}

impl Line {
    /// The action for one recipient; the attributes are those of a request at RCPT unless they are given.
    async fn ask(&mut self, recipient: &str, more: &str) -> String {
        let request = format!(
            "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=boss@own.test\nrecipient={recipient}\n\
             instance=1.2\n{more}\n\n"
        );
        let mut request = request.replace("\n\n\n", "\n\n");
        if more.starts_with("instance=") {
            request = request.replace("instance=1.2\n", "");
        }
        self.say(&request).await
    }

    async fn say(&mut self, request: &str) -> String {
        self.client.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"\n\n") {
            assert!(
                self.client.read_buf(&mut reply).await.unwrap() > 0,
                "it hung up"
            );
        }
        let text = String::from_utf8(reply).unwrap();
        let action = text.strip_prefix("action=").unwrap().trim_end();
        assert!(!action.is_empty(), "an empty action lets mail go");
        action.to_owned()
    }
}

const RULES: &str = r#"
[guard]
header = "Hoplock-Protection"
[[guard.rules]]
recipient = ["plain.test"]
user = ["anna"]
action = "dunno"
[[guard.rules]]
recipient = ["other.test"]
action = "filter"
text = "smtp:[gateway.test]:25"
[[guard.rules]]
recipient = [".held.test"]
action = "hold"
text = "for the postmaster"
[[guard.rules]]
protection = ["refused"]
action = "reject"
[[guard.rules]]
protection = ["unknown"]
action = "defer"
text = "try again"
[[guard.rules]]
protection = ["opportunistic", "partly"]
sender = ["boss@own.test"]
action = "reject"
text = "the boss writes over authenticated TLS only"
"#;

/// Each recipient gets what the first rule that fits says, and what is let go is marked once for each domain.
#[tokio::test(start_paused = true)]
async fn each_recipient_gets_its_own() {
    let scene = Scene::new(RULES);
    let mut line = scene.postfix();
    for (recipient, more, action) in [
        (
            "r@dane.test",
            "",
            "PREPEND Hoplock-Protection: dane.test; protection=authenticated; answer=dane-only; \
             reason=dane-all-hosts",
        ),
        ("s@dane.test", "", "DUNNO"),
        (
            "r@plain.test",
            "",
            "550 5.7.1 the boss writes over authenticated TLS only",
        ),
        (
            "r@plain.test",
            "sasl_username=anna",
            "PREPEND Hoplock-Protection: plain.test; protection=opportunistic; answer=none; reason=no-policy",
        ),
        (
            "r@some.test",
            "",
            "550 5.7.1 the boss writes over authenticated TLS only",
        ),
        ("r@other.test", "", "FILTER smtp:[gateway.test]:25"),
        ("r@a.held.test", "", "HOLD for the postmaster"),
        ("r@lost.test", "", "DEFER_IF_PERMIT 4.7.1 try again"),
        (
            "r@must.test",
            "",
            "550 5.7.1 mail for must.test would be refused: dane-required: the rule demands DANE, and no host \
             has usable TLSA records",
        ),
        ("postmaster", "", "DUNNO"),
        (
            "r@[192.0.2.1]",
            "",
            "550 5.7.1 the boss writes over authenticated TLS only",
        ),
    ] {
        assert_eq!(
            line.ask(recipient, more).await,
            action,
            "{recipient} {more}"
        );
    }
    // Another message is marked anew.
    let marked = line.ask("r@dane.test", "instance=1.3").await;
    assert!(marked.starts_with("PREPEND"), "{marked}");
}

/// FT-01, PF-04: what is not known in time is let go or refused for now, as the operator says; no request
/// waits past the deadline, and a rule that needs no lookup waits for none.
#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline() {
    for (on_trouble, action) in [
        ("dunno", "DUNNO"),
        (
            "defer",
            "DEFER_IF_PERMIT 4.7.1 deadline: what protects mail for slow.test is not known yet; try again",
        ),
    ] {
        let guard = format!(
            "[guard]\ndeadline = \"3s\"\non_trouble = \"{on_trouble}\"\n[[guard.rules]]\nrecipient = \
             [\"dane.test\"]\naction = \"hold\"\ntext = \"w\"\n[[guard.rules]]\nprotection = \
             [\"refused\"]\naction = \"reject\"\n"
        );
        let scene = Scene::new(&guard);
        let mut line = scene.postfix();
        let got = takes(Duration::from_secs(3), line.ask("r@slow.test", "")).await;
        assert_eq!(got, action);
        let at_once = timeout(Duration::from_millis(1), line.ask("r@dane.test", ""));
        assert_eq!(at_once.await.unwrap(), "HOLD w");
    }
}

/// FT-01: what cannot be read has an answer, and the next request is served.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_answered() {
    for (on_trouble, word) in [
        ("dunno", "DUNNO"),
        ("defer", "DEFER_IF_PERMIT 4.7.1 bad-request:"),
    ] {
        let guard = format!(
            "[guard]\non_trouble = \"{on_trouble}\"\nown_domains = [\"own.test\"]\n[[guard.rules]]\naction = \"hold\"\n"
        );
        let scene = Scene::new(&guard);
        let mut line = scene.postfix();
        for request in [
            "garbage\n\n".to_owned(),
            "request=other\n\n".to_owned(),
            "\n".to_owned(),
            format!(
                "request=smtpd_access_policy\nx={}\n\n",
                "y".repeat(1_000_000)
            ),
            "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=r@\n\n".to_owned(),
            "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=r%plain.test\n\n"
                .to_owned(),
            "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=r%plain.test@own.test\n\n"
                .to_owned(),
            "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=plain.test!r@own.test\n\n"
                .to_owned(),
        ] {
            let action = line.say(&request).await;
            assert!(action.starts_with(word), "{action} for {:.60}", request);
        }
        // Elsewhere such a local part is one like any other.
        for recipient in ["r@dane.test", "r%own.test@dane.test", "a!r@dane.test"] {
            let action = line.ask(recipient, "").await;
            assert!(action.starts_with("HOLD"), "{recipient}: {action}");
        }
        // Behind RCPT nothing is done any more.
        let request = "request=smtpd_access_policy\nprotocol_state=DATA\nrecipient=r@dane.test\n\n";
        assert_eq!(line.say(request).await, "DUNNO");
    }
}

/// OP-08: other rules are in force from the next request on.
#[tokio::test(start_paused = true)]
async fn rules_are_reloaded() {
    let scene = Scene::new("");
    let mut line = scene.postfix();
    assert_eq!(line.ask("r@dane.test", "").await, "DUNNO");
    let text = "[[guard.rules]]\naction = \"hold\"\ntext = \"w\"\n";
    let (config, _) = Config::parse(text, &[]);
    scene.desk.reload(config.unwrap().guard);
    assert_eq!(line.ask("r@dane.test", "").await, "HOLD w");
}
