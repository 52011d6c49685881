//! Who proves users to Postfix: the little of Dovecot's authentication protocol (1.1) that PLAIN needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use super::client::plain;

/// Serves until the lab ends: whoever of these has the right secret is the user that he says he is.
pub(super) fn start(port: u16, users: &'static [&'static str]) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || {
                let _ = converse(&stream, users);
            });
        }
    });
}

fn converse(mut stream: &TcpStream, users: &[&str]) -> std::io::Result<()> {
    stream.write_all(
        b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n\
          COOKIE\t00000000000000000000000000000000\nDONE\n",
    )?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let mut words = line.split('\t');
        let (Some("AUTH"), Some(id)) = (words.next(), words.next()) else {
            continue;
        };
        let proof = words.find_map(|word| word.strip_prefix("resp="));
        let user = users.iter().find(|user| proof == Some(&plain(user)));
        let reply = match user {
            Some(user) => format!("OK\t{id}\tuser={user}\n"),
            None => format!("FAIL\t{id}\n"),
        };
        stream.write_all(reply.as_bytes())?;
    }
    Ok(())
}
