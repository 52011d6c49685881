//! A socketmap server that does nothing: every request is answered NOTFOUND.
//!
//! usage: bench-empty current_thread|multi_thread PLACE...     PLACE: unix:/PATH or inet:HOST:PORT
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a program of its own")]

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut builder = match arguments.next().as_deref() {
        Some("current_thread") => Builder::new_current_thread(),
        Some("multi_thread") => Builder::new_multi_thread(),
        _ => panic!("usage: bench-empty current_thread|multi_thread PLACE..."),
    };
    builder.enable_io().build().unwrap().block_on(async {
        let mut doors: JoinSet<()> = arguments.map(listen).collect();
        doors.join_next().await.unwrap().unwrap();
    });
}

async fn listen(place: String) {
    if let Some(path) = place.strip_prefix("unix:") {
        let listener = UnixListener::bind(path).unwrap();
        loop {
            tokio::spawn(serve(listener.accept().await.unwrap().0));
        }
    }
    let listener = TcpListener::bind(&place["inet:".len()..]).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    while matches!(stream.read_buf(&mut input).await, Ok(1..)) {
        let mut used = 0;
        while let Some(colon) = input[used..].iter().position(|byte| *byte == b':') {
            let digits = std::str::from_utf8(&input[used..used + colon]).unwrap();
            let end = used + colon + 1 + digits.parse::<usize>().unwrap() + 1;
            if input.len() < end {
                break;
            }
            used = end;
            output.extend_from_slice(b"9:NOTFOUND ,");
        }
        input.drain(..used);
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}
