//! How Postfix reads replies, and what it does under them (PF-*, PD-17).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

use hoplock_model::{Floor, Level, Outcome, Reply, Seen, State, outcome, parse_reply};

const PIN: &str = "0707070707070707070707070707070707070707070707070707070707070707";

#[test]
fn good_replies() {
    assert_eq!(parse_reply("NOTFOUND "), Ok(Reply::NotFound));
    assert_eq!(parse_reply("TEMP a: b"), Ok(Reply::Temp("a: b".to_owned())));
    let full = "OK secure match=a.test:b.test servername=hostname policy_type=sts \
        policy_domain=d.test mx_host_pattern=a.test { policy_string = mx: a.test, {b} } \
        mx_host_pattern=b.test";
    let Ok(Reply::Level { level, matches, attributes }) = parse_reply(full) else { panic!() };
    assert_eq!((level, matches.len(), attributes.len()), (Level::Secure, 2, 6));
    assert_eq!(attributes[4].1, "mx: a.test, {b}");
    for level in ["may", "encrypt", "dane", "dane-only"] {
        assert!(parse_reply(&format!("OK {level}")).is_ok());
        assert!(parse_reply(&format!("OK {level}, protocols=>=TLSv1.2")).is_ok());
    }
    for good in [
        format!("OK fingerprint match={PIN}"),
        format!("OK fingerprint match={PIN}|{PIN} match={PIN} servername=hostname"),
        "OK verify match=hostname tafile=/x".to_owned(),
        "OK\u{20}secure\tmatch=a.test,match=b.test".to_owned(),
    ] {
        assert!(parse_reply(&good).is_ok(), "{good}");
    }
}

#[test]
fn bad_replies() {
    for bad in [
        "",
        "OK",
        "OK ",
        "ok dane",
        "PERM no",
        "TIMEOUT late",
        "WHAT dane",
        "OK none",
        "OK half-dane",
        "OK danes",
        "OK secure",
        "OK verify",
        "OK fingerprint",
        "OK secure match=",
        "OK secure match=:",
        "OK fingerprint match=|",
        "OK dane match=a.test",
        "OK dane-only match=a.test",
        "OK encrypt match=a.test",
        "OK may match=a.test",
        "OK fingerprint match=aa tafile=/x",
        "OK dane tafile=/x",
        "OK dane unknown=1",
        "OK dane servername",
        "OK dane =x",
        "OK dane servername=",
        "OK dane servername=a..b",
        "OK dane servername=a servername=b",
        "OK dane protocols=a protocols=b",
        "OK dane policy_domain=d.test",
        "OK dane policy_string=x",
        "OK dane mx_host_pattern=x",
        "OK dane policy_type=tlsa",
        "OK dane policy_type=sts policy_type=sts",
        "OK dane policy_type=sts policy_ttl=1",
        "OK dane policy_type=sts policy_failure=validation-failure",
        "OK dane policy_type=sts { policy_string = x",
        "OK dane policy_type=sts { policy_string = {x }",
        "OK dane policy_type=sts { policy_string = x } }",
        "OK dane policy_type=sts { policy_string = x }y",
        "OK dane connection_reuse=maybe",
    ] {
        assert!(parse_reply(bad).is_err(), "{bad}");
    }
    let long = |size: usize| parse_reply(&format!("TEMP {}", "x".repeat(size - 5)));
    assert!(long(100_000).is_ok() && long(100_001).is_err());
}

fn under(payload: &str, floor: Floor, mx_secure: bool, state: &State) -> Outcome {
    let seen = Seen { name: "m.b.test", mx_secure, state: state.clone() };
    outcome(&parse_reply(payload).unwrap(), floor, &seen)
}

/// The law's second table, with half-DANE and the own levels.
#[test]
fn outcomes() {
    use Outcome::{Clear, Dane, Encrypt, OwnNames, Skip, WebPki};
    let states = [
        State::Usable(vec![(3, 1, 1, vec![7; 32])]),
        State::Unusable,
        State::NoneSecure,
        State::NoneInsecure,
        State::Failed,
        State::AddressFailed,
        State::Unreachable,
    ];
    let pinned = format!("OK fingerprint match={}:07", &PIN[2..]);
    for (payload, floor, mx_secure, reached) in [
        ("OK dane-only", Floor::May, true, [Dane, Skip, Skip, Skip, Skip]),
        ("OK dane-only", Floor::May, false, [Skip; 5]),
        ("OK dane", Floor::May, true, [Dane, Encrypt, Clear, Clear, Skip]),
        ("OK dane", Floor::May, false, [Dane, Encrypt, Clear, Clear, Skip]),
        ("OK encrypt", Floor::May, true, [Encrypt; 5]),
        ("OK may", Floor::Encrypt, true, [Clear; 5]),
        ("TEMP x", Floor::May, true, [Skip; 5]),
        ("NOTFOUND ", Floor::May, true, [Clear; 5]),
        ("NOTFOUND ", Floor::Dane, true, [Dane, Encrypt, Clear, Clear, Skip]),
        ("NOTFOUND ", Floor::Encrypt, true, [Encrypt; 5]),
        ("NOTFOUND ", Floor::Secure, true, [OwnNames; 5]),
        ("OK secure match=a.test:m.b.test", Floor::May, true, [WebPki; 5]),
        ("OK secure match=M.b.test", Floor::May, false, [WebPki; 5]),
        ("OK secure match=hostname", Floor::May, true, [WebPki; 5]),
        ("OK secure match=.test", Floor::May, true, [WebPki; 5]),
        ("OK secure match=.m.b.test", Floor::May, true, [Skip; 5]),
        ("OK secure match=*.b.test", Floor::May, true, [Skip; 5]),
        ("OK secure match=b.test", Floor::May, true, [Skip; 5]),
        ("OK secure match=m.b.test:nexthop", Floor::May, true, [OwnNames; 5]),
        (pinned.as_str(), Floor::May, false, [Dane, Skip, Skip, Skip, Skip]),
        ("OK fingerprint match=07", Floor::May, true, [Skip; 5]),
    ] {
        for (state, outcome) in states.iter().zip(reached.into_iter().chain([Skip, Skip])) {
            assert_eq!(under(payload, floor, mx_secure, state), outcome, "{payload} {state:?}");
        }
    }
}
