//! Rules as files, and their authorities.

use std::path::PathBuf;

use super::orders::out;
use super::process::{Daemon, ask};

/// A daemon with the folder `rules.d` beside its configuration.
fn daemon(files: &[(&str, &str)], more: &str) -> Daemon {
    Daemon::start_with(more, |command| {
        let config = PathBuf::from(command.get_args().last().unwrap());
        let folder = config.with_file_name("rules.d");
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let text = std::fs::read_to_string(&config).unwrap();
        let text = format!("rules_directory = \"{}\"\n{text}", folder.display());
        std::fs::write(&config, text).unwrap();
    })
}

/// OP-01, OP-08: whatever file a rule stands in, the exact name beats the longer suffix, that the shorter
/// one, and all of them `*`; a folder with one bad file changes nothing, and a good one is taken whole.
#[test]
fn files_of_rules() {
    let rule =
        |pattern: &str, answer: &str| format!("[rules.\"{pattern}\"]\nanswer = \"{answer}\"\n");
    let (first, second) = (
        rule(".test", "may") + &rule("x.e.test", "dane-only"),
        rule(".e.test", "encrypt"),
    );
    let files = [
        ("10-first.toml", first.as_str()),
        ("20-second.toml", second.as_str()),
        ("README", "not a rule"),
    ];
    let own_dane = "[profile.postfix]\nown_dane = \"yes\"\n".to_owned();
    let mut daemon = daemon(&files, &(own_dane + &rule("*", "none")));
    let answers = |daemon: &Daemon| {
        ["x.e.test", "y.e.test", "e.test", "e.example"]
            .map(|name| ask(&mut daemon.connect(), &format!("postfix {name}")))
    };
    let before = ["OK dane-only", "OK encrypt", "OK may", "OK none"];
    assert_eq!(answers(&daemon), before);
    let folder = daemon.folder.path().join("rules.d");
    std::fs::write(folder.join("10-first.toml"), rule("x.e.test", "may")).unwrap();
    std::fs::write(folder.join("20-second.toml"), rule(".e.test", "ecnrypt")).unwrap();
    let (code, words) = out(&daemon, &["config", "check"]);
    assert_eq!(code, Some(2));
    assert!(words.contains("20-second.toml: line 2"), "{words}");
    daemon.signal("-HUP");
    daemon.until(|daemon| daemon.log().contains("reload refused"));
    assert_eq!(answers(&daemon), before);
    std::fs::write(folder.join("20-second.toml"), rule(".e.test", "dane")).unwrap();
    daemon.signal("-HUP");
    daemon.until(|daemon| daemon.log().contains("reloaded"));
    let after = ["OK may", "OK dane", "OK none", "OK none"];
    assert_eq!(answers(&daemon), after);
}

/// OP-05: a rule's authorities are told to Postfix as its trust anchors, from a file of rules and at run
/// time; Sendmail cannot be told, and its mail waits.
#[test]
fn authorities_of_a_rule() {
    let rule = "[rules.\"a.test\"]\nanswer = \"secure\"\nnames = [\"mx.a.test\"]\n\
                ca_file = \"/etc/postfix/partner-ca.pem\"\n";
    let daemon = daemon(&[("partners.toml", rule)], "");
    let mut stream = daemon.connect();
    let said = "OK secure match=mx.a.test servername=hostname tafile=/etc/postfix/partner-ca.pem";
    assert_eq!(ask(&mut stream, "postfix a.test"), said);
    let waits = ask(&mut stream, "sendmail a.test");
    assert!(
        waits.starts_with("TEMP mta-cannot-authenticate: "),
        "{waits}"
    );
    let order = [
        "rule",
        "add",
        "b.test",
        "--answer",
        "verify",
        "--name",
        "mx.b.test",
        "--ca-file",
        "/etc/b.pem",
    ];
    let (code, words) = out(&daemon, &order);
    assert_eq!(code, Some(0), "{words}");
    let said = "OK verify match=mx.b.test servername=hostname tafile=/etc/b.pem";
    assert_eq!(ask(&mut stream, "postfix b.test"), said);
    let (_, page) = out(&daemon, &["rule", "list"]);
    assert!(page.contains("authorities of /etc/b.pem"), "{page}");
    let (_, page) = out(&daemon, &["doctor"]);
    assert!(
        page.contains("/etc/postfix/partner-ca.pem cannot be read"),
        "{page}"
    );
}
