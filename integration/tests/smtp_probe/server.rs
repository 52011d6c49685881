//! A mail host on loopback that behaves as it is told, well or badly.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_rustls::TlsAcceptor;

/// What a host does, step by step.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) greeting: Greeting,
    /// The reply to EHLO, in clear text and inside TLS.
    pub(crate) ehlo: Vec<u8>,
    /// The reply to STARTTLS, and whatever else shall leave in one packet with it.
    pub(crate) starttls: Vec<u8>,
    pub(crate) tls: Tls,
    /// TLS begins with the connection.
    pub(crate) implicit: bool,
}

#[derive(Clone)]
pub(crate) enum Greeting {
    Says(Vec<u8>),
    Never,
    Drips(Vec<u8>),
    Closes,
}

#[derive(Clone)]
pub(crate) enum Tls {
    Rustls(Arc<ServerConfig>),
    /// The octets go to another server that speaks TLS only.
    Relay(SocketAddr),
    /// These octets in answer to the first that came.
    Says(Vec<u8>),
    Closes,
    Silent,
}

impl Manner {
    pub(crate) fn good(tls: Tls) -> Self {
        Self {
            greeting: Greeting::Says(b"220 mx.e.test ESMTP\r\n".to_vec()),
            ehlo: b"250-mx.e.test\r\n250-SIZE 1000\r\n250-StartTLS\r\n250 8BITMIME\r\n".to_vec(),
            starttls: b"220 go ahead\r\n".to_vec(),
            tls,
            implicit: false,
        }
    }

    pub(crate) fn greets(text: &[u8]) -> Self {
        Self {
            greeting: Greeting::Says(text.to_vec()),
            ..Self::good(Tls::Closes)
        }
    }

    pub(crate) fn extends(text: &[u8]) -> Self {
        Self {
            ehlo: text.to_vec(),
            ..Self::good(Tls::Closes)
        }
    }
}

/// What a host saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// Connections that were open at one time.
    pub(crate) at_once: usize,
    open: usize,
    pub(crate) clear: Vec<String>,
    pub(crate) inside: Vec<String>,
    pub(crate) sni: Option<String>,
    /// The client's end came in order: QUIT, and inside TLS close_notify too.
    pub(crate) good_bye: bool,
}

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Host {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), manner).await
    }

    pub(crate) async fn start_at(ip: IpAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, seen) = (manner.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    {
                        let mut seen = seen.lock().unwrap();
                        seen.connections += 1;
                        seen.open += 1;
                        seen.at_once = seen.at_once.max(seen.open);
                    }
                    let _ = serve(stream, manner, &seen).await;
                    seen.lock().unwrap().open -= 1;
                });
            }
        });
        Self { address, seen }
    }

    /// What it saw by the time at which every connection has ended.
    pub(crate) async fn seen(&self) -> Seen {
        for _ in 0..200 {
            let seen = self.seen.lock().unwrap().clone();
            if seen.open == 0 {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, manner: Manner, seen: &Mutex<Seen>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    if manner.implicit {
        return secure(stream, &manner, seen).await;
    }
    let mut stream = BufReader::new(stream);
    if !greet(&mut stream, &manner.greeting).await? {
        return Ok(());
    }
    while let Some(line) = line(&mut stream).await? {
        seen.lock().unwrap().clear.push(line.clone());
        if line.starts_with("EHLO ") {
            stream.write_all(&manner.ehlo).await?;
        } else if line == "STARTTLS" {
            stream.write_all(&manner.starttls).await?;
            if manner.starttls.starts_with(b"220") {
                return secure(stream.into_inner(), &manner, seen).await;
            }
        } else if line == "QUIT" {
            stream.write_all(b"221 bye\r\n").await?;
            seen.lock().unwrap().good_bye = true;
            return Ok(());
        } else {
            stream.write_all(b"500 what\r\n").await?;
        }
    }
    Ok(())
}

async fn greet<S: AsyncWrite + Unpin>(
    stream: &mut S,
    greeting: &Greeting,
) -> std::io::Result<bool> {
    match greeting {
        Greeting::Says(text) => stream.write_all(text).await?,
        Greeting::Never => tokio::time::sleep(Duration::from_secs(60)).await,
        Greeting::Closes => return Ok(false),
        Greeting::Drips(text) => {
            for octet in text {
                stream.write_all(&[*octet]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    Ok(true)
}

async fn secure(mut stream: TcpStream, manner: &Manner, seen: &Mutex<Seen>) -> std::io::Result<()> {
    match &manner.tls {
        Tls::Closes => Ok(()),
        Tls::Silent => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Tls::Says(text) => {
            // Not ahead of the client, or it would come with the go-ahead.
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await?;
            stream.write_all(text).await
        }
        Tls::Relay(address) => {
            let mut other = TcpStream::connect(address).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut other).await?;
            Ok(())
        }
        Tls::Rustls(config) => {
            let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
            let sni = accepted.get_ref().1.server_name().map(ToOwned::to_owned);
            seen.lock().unwrap().sni = sni;
            talk(accepted, manner, seen).await
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manner: &Manner,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if manner.implicit && !greet(&mut stream, &manner.greeting).await? {
        return Ok(());
    }
    while let Some(line) = line(&mut stream).await? {
        seen.lock().unwrap().inside.push(line.clone());
        if line.starts_with("EHLO ") {
            let ehlo = b"250-mx.e.test\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n";
            stream.write_all(ehlo).await?;
            stream.flush().await?;
        } else if line.eq_ignore_ascii_case("QUIT") {
            stream.write_all(b"221 bye\r\n").await?;
            stream.flush().await?;
            // Without close_notify this is an error.
            let end = line_or_end(&mut stream).await?;
            seen.lock().unwrap().good_bye = end.is_none();
            return stream.shutdown().await;
        }
    }
    Ok(())
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Option<String>> {
    line_or_end(stream).await
}

async fn line_or_end<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await?;
    Ok((length > 0).then(|| line.trim_end().to_owned()))
}

/// `openssl s_server`, which speaks TLS and no SMTP: what it is sent it sends back, each line reversed.
pub(crate) struct Old {
    pub(crate) address: SocketAddr,
    _child: Child,
}

impl Old {
    /// With the key and certificate of a folder, and further arguments.
    pub(crate) async fn start(folder: &std::path::Path, arguments: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev"])
            .args(["-key", "key.pem", "-cert", "certificate.pem"])
            .args(arguments)
            .env("OPENSSL_CONF", "/dev/null")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("these tests need the program openssl");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("s_server {arguments:?} did not start"));
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.parse().unwrap();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            address,
            _child: child,
        }
    }
}
