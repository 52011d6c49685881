//! The connection: a line, an answer, the end.

use super::*;

struct Line {
    client: DuplexStream,
    served: tokio::task::JoinHandle<()>,
}

fn connect(scene: &Scene, connections: &Connections) -> Line {
    let (client, server) = duplex(64 * 1024);
    let seat = connections.seat().unwrap();
    let served = tokio::spawn(converse(server, Arc::clone(&scene.desk), seat));
    Line { client, served }
}

async fn answer(mut line: Line) -> String {
    let mut answer = String::new();
    line.client.read_to_string(&mut answer).await.unwrap();
    drop(line.client);
    line.served.await.unwrap();
    answer
}

/// EX-01: with a half-close and without, in one piece or in many, with a line feed or without; one
/// answer, and the end.
#[tokio::test(start_paused = true)]
async fn one_line_one_answer() {
    let scene = Scene::new(&[]);
    let connections = Connections::new(10, &CancellationToken::new());
    for (pieces, shuts) in [
        (&["hoplock1 level plain.test\n"][..], true),
        (&["hoplock1 level plain.test\n"], false),
        (&["hoplock1 level plain.test\r\n"], false),
        (&["hoplock1 level plain.test"], true),
        (&["hoplock1 le", "vel plain", ".test", "\n"], false),
        (
            &["hoplock1 level plain.test\nhoplock1 level e.test\n"],
            true,
        ),
    ] {
        let mut line = connect(&scene, &connections);
        for piece in pieces {
            line.client.write_all(piece.as_bytes()).await.unwrap();
        }
        if shuts {
            line.client.shutdown().await.unwrap();
        }
        assert_eq!(answer(line).await, "may", "{pieces:?} {shuts}");
    }
    assert_eq!(connections.count(), 0);
}

/// EX-01, EX-02: garbage, nothing, a request that does not end, a line of two megabytes: an answer that
/// nobody hopes for, and the next connection is served.
#[tokio::test(start_paused = true)]
async fn bad_lines_are_answered() {
    let scene = Scene::new(&[]);
    let connections = Connections::new(10, &CancellationToken::new());
    let long = format!("hoplock1 cert 1 0 {}\n", "a".repeat(2 * 1024 * 1024));
    for (bytes, shuts, beginning) in [
        (&b""[..], true, "defer bad-request: "),
        (b"\n\n", true, "defer bad-request: "),
        (b"\xff\xfe\x00\n", false, "defer bad-request: "),
        (b"GET / HTTP/1.0\r\n\r\n", false, "defer bad-request: "),
        (b"hoplock1 mx e.test", false, "refuse bad-request: "),
        (long.as_bytes(), true, "refuse bad-request: "),
        (long.trim_end().as_bytes(), true, "refuse bad-request: "),
    ] {
        let mut line = connect(&scene, &connections);
        line.client.write_all(bytes).await.unwrap();
        if shuts {
            line.client.shutdown().await.unwrap();
        }
        let answer = answer(line).await;
        assert!(answer.starts_with(beginning), "{answer}");
    }
    let mut line = connect(&scene, &connections);
    line.client
        .write_all(b"hoplock1 level plain.test\n")
        .await
        .unwrap();
    assert_eq!(answer(line).await, "may");
}

/// FT-03: who waits longest makes room, and is told; who finds none is told; a request in hand is
/// answered while the daemon drains.
#[tokio::test(start_paused = true)]
async fn whoever_finds_no_place_is_told() {
    let scene = Scene::new(&[]);
    let closing = CancellationToken::new();
    let connections = Connections::new(1, &closing);
    let mut first = connect(&scene, &connections);
    first.client.write_all(b"hoplock1 mx e.test").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut second = connect(&scene, &connections);
    assert!(answer(first).await.starts_with("refuse busy: "));
    scene
        .world
        .set(name("slow.test"), RecordType::Mx, Scripted::Hangs);
    second
        .client
        .write_all(b"hoplock1 level slow.test\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(connections.seat().is_none());
    let (mut client, server) = duplex(1024);
    let turned = tokio::spawn(turn_away(server));
    client
        .write_all(b"hoplock1 mx e.test mx.e.test\n")
        .await
        .unwrap();
    let mut told = String::new();
    client.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("refuse busy: "), "{told}");
    turned.await.unwrap();
    closing.cancel();
    assert!(answer(second).await.starts_with("defer deadline: "));
}
