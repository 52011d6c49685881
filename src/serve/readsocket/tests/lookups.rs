//! Lookups in the form of `dnsdb`, and policies in words.

use super::*;

/// EX-01: the text is that of Exim's own `${lookup dnsdb{…}}`.
#[tokio::test(start_paused = true)]
async fn lookups_have_exims_text() {
    let scene = Scene::new(&[vec![3, 1, 1, 0xbe, 0x70], vec![2, 0, 1, 0xf9, 0x93]]);
    let add = |owner: &str, data| scene.world.add(name(owner), SECURE, TTL, data);
    let exchange = |preference, exchange| RecordData::Mx {
        preference,
        exchange,
    };
    add("m.test", exchange(10, Exchange::Host(name("mx1.m.test"))));
    add("m.test", exchange(20, Exchange::Host(name("mx2.m.test"))));
    add("null.test", exchange(0, Exchange::Null));
    let strings = vec![b"part1 ".to_vec(), b"part2".to_vec()];
    add("t.test", RecordData::Txt(strings));
    let evil = vec![b"a\nok\0".to_vec(), vec![0xff]];
    add("evil.test", RecordData::Txt(evil));
    let plain = RecordData::Txt(vec![b"unsigned".to_vec()]);
    scene
        .world
        .add(name("u.test"), SecurityStatus::Insecure, TTL, plain);
    scene.world.set(
        name("bad.test"),
        RecordType::Txt,
        Scripted::Fails(FailureKind::ServFail),
    );
    for (line, answer) in [
        ("tlsa=_25._tcp.mx.e.test", "value 3 1 1 be70\n2 0 1 f993"),
        (
            ">|,; tlsa=_25._tcp.mx.e.test",
            "value 3;1;1;be70|2;0;1;f993",
        ),
        ("mx=m.test", "value 10 mx1.m.test\n20 mx2.m.test"),
        ("mx=M.Test.", "value 10 mx1.m.test\n20 mx2.m.test"),
        (">:,/ mx=m.test", "value 10/mx1.m.test:20/mx2.m.test"),
        ("mxh=m.test", "value mx1.m.test\nmx2.m.test"),
        ("mx=null.test", "value 0 "),
        ("mxh=null.test", "value "),
        ("txt=t.test", "value part1 "),
        (">|,; txt=t.test", "value part1 ;part2"),
        (">|; txt=t.test", "value part1 part2"),
        (">|,; txt=evil.test", "value a?ok?;\u{fffd}"),
        ("txt=u.test", "value unsigned"),
        ("dnssec_lax,txt=u.test", "value unsigned"),
        ("dnssec_strict,txt=t.test", "value part1 "),
        ("txt=nothing.test", "none"),
        ("mxh=t.test", "none"),
        ("dnssec_strict,txt=nothing.plain.test", "none"),
    ] {
        assert_eq!(scene.ask(line).await, answer, "{line}");
    }
    for (line, beginning) in [
        ("dnssec_strict,txt=u.test", "defer dnssec-insecure: "),
        ("txt=bad.test", "defer dns-servfail: "),
        ("txt=..", "defer bad-request: "),
    ] {
        let answer = scene.ask(line).await;
        assert!(answer.starts_with(beginning), "{line}: {answer}");
    }
}

/// EX-01: `policy=` gives the level first, then how it came about and what each host owes.
#[tokio::test(start_paused = true)]
async fn policies_are_rendered() {
    let scene = Scene::new(&[record(3, &Chain::new("mx.e.test").leaf)]);
    let answer = scene.ask("policy=e.test").await;
    let row = "row=DT-06";
    let expected =
        format!("value enforce verdict=dane-only reason=dane-all-hosts {row} dane=mx.e.test");
    assert_eq!(answer, expected);
    let apart = scene.ask(">:,; policy=e.test").await;
    assert_eq!(apart, expected.replace(' ', ";").replacen(';', " ", 1));
    let free = scene.ask("policy=plain.test").await;
    assert!(
        free.starts_with("value may verdict=none reason=no-policy "),
        "{free}"
    );
    let mx = RecordType::Mx;
    let fails = Scripted::Fails(FailureKind::ServFail);
    scene.world.set(name("bad.test"), mx, fails);
    let failed = scene.ask("policy=bad.test").await;
    assert!(failed.starts_with("defer mx-lookup-failed: "), "{failed}");
}
