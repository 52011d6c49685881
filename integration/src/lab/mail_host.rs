//! MX hosts: SMTP with STARTTLS, and the ways in which an attacker or a fault spoils it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a mail host does with STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Offers it and does it.
    Good,
    /// Does not offer it.
    Strip,
    /// Offers it and refuses with 454.
    Refuse,
    /// Answers the handshake with garbage.
    Garbage,
    /// Leaves TLS to a server at [`TLS_ALONE`] of the same address: one that is too old for rustls.
    Relay,
}

/// Where a host of [`Manner::Relay`] has its TLS.
pub const TLS_ALONE: u16 = 10025;

/// What a mail host saw of one connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The host's name.
    pub host: String,
    /// The name by which the client introduced itself.
    pub hello: String,
    /// Every command, in clear text or not.
    pub said: String,
    /// A handshake was finished.
    pub tls: bool,
    /// The name that the client asked for.
    pub sni: Option<String>,
    /// What the client said after the handshake.
    pub after_handshake: String,
    /// MAIL was seen, in clear text or not.
    pub mail_from: Option<String>,
    /// RCPT was seen, for these.
    pub rcpt_to: Vec<String>,
    /// Recipients of a message that was taken.
    pub delivered_to: Vec<String>,
    /// The messages, as they were before dots were doubled.
    pub messages: Vec<Vec<u8>>,
}

/// All sessions of all hosts.
pub type Sessions = Arc<Mutex<Vec<Session>>>;

/// Serves one host until the lab ends.
pub async fn serve(
    host: String,
    address: SocketAddr,
    manner: Manner,
    tls: Arc<ServerConfig>,
    sessions: Sessions,
) {
    let listener = TcpListener::bind(address).await.unwrap_or_else(|error| {
        panic!("mail host {host} at {address}: {error}");
    });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (host, tls, sessions) = (host.clone(), Arc::clone(&tls), Arc::clone(&sessions));
        tokio::spawn(async move {
            let mut session = Session {
                host,
                ..Session::default()
            };
            let _ = converse(stream, manner, tls, &mut session).await;
            sessions.lock().unwrap().push(session);
        });
    }
}

async fn converse(
    stream: TcpStream,
    manner: Manner,
    tls: Arc<ServerConfig>,
    session: &mut Session,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 lab ESMTP\r\n").await?;
    if dialogue(&mut stream, manner != Manner::Strip, manner, session).await? == Next::Close {
        return Ok(());
    }
    if manner == Manner::Garbage {
        stream
            .write_all(b"this is no TLS record at all\r\n")
            .await?;
        return Ok(());
    }
    if manner == Manner::Relay {
        let mut stream = stream.into_inner();
        let own = stream.local_addr()?.ip();
        let mut other = TcpStream::connect((own, TLS_ALONE)).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut other).await?;
        return Ok(());
    }
    let secure = TlsAcceptor::from(tls).accept(stream.into_inner()).await?;
    session.tls = true;
    session.sni = secure.get_ref().1.server_name().map(ToOwned::to_owned);
    let mut stream = BufReader::new(secure);
    dialogue(&mut stream, false, manner, session).await?;
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Next {
    Close,
    Handshake,
}

async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    offers_tls: bool,
    manner: Manner,
    session: &mut Session,
) -> std::io::Result<Next> {
    let mut recipients = Vec::new();
    loop {
        let mut line = String::new();
        let length = stream.read_line(&mut line).await?;
        if length == 0 {
            return Ok(Next::Close);
        }
        session.said.push_str(&line);
        if session.tls {
            session.after_handshake.push_str(&line);
        }
        let upper = line.trim_end().to_ascii_uppercase();
        if let Some(name) = upper.strip_prefix("EHLO ") {
            session.hello = name.to_ascii_lowercase();
        }
        let reply: &[u8] = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if offers_tls => b"250-lab\r\n250-STARTTLS\r\n250 8BITMIME\r\n",
            "EHLO" | "HELO" => b"250-lab\r\n250 8BITMIME\r\n",
            "STARTTLS" if manner == Manner::Refuse => b"454 4.7.0 not now\r\n",
            "STARTTLS" if offers_tls => {
                stream.write_all(b"220 go ahead\r\n").await?;
                return Ok(Next::Handshake);
            }
            "MAIL" => {
                session.mail_from = Some(line.trim_end().to_owned());
                b"250 ok\r\n"
            }
            "RCPT" => {
                session.rcpt_to.push(address(&line));
                recipients.push(address(&line));
                b"250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                read_message(stream, session).await?;
                session.delivered_to.append(&mut recipients);
                b"250 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(Next::Close);
            }
            "RSET" | "NOOP" => b"250 ok\r\n",
            _ => b"500 what\r\n",
        };
        stream.write_all(reply).await?;
    }
}

async fn read_message<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    session: &mut Session,
) -> std::io::Result<()> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        let length = stream.read_until(b'\n', &mut line).await?;
        if session.tls {
            session
                .after_handshake
                .push_str(&String::from_utf8_lossy(&line));
        }
        if length == 0 || line == b".\r\n" {
            session.messages.push(message);
            return Ok(());
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn address(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.find('>').unwrap_or(line.len());
    line[start..end].to_ascii_lowercase()
}
