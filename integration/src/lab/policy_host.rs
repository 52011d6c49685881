//! The policy host: MTA-STS over real HTTPS, and every way of failing at it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::LazyConfigAcceptor;

/// What a policy host does.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// 200 with this policy.
    Policy(String),
    /// A response of this status, type and body.
    Response(&'static str, &'static str, String),
    /// A redirect to a good copy.
    Redirect,
    /// Accepts, and never answers.
    Hang,
    /// 200 and a body without end.
    Endless,
}

/// One policy domain: its certificate and its behaviour.
#[derive(Clone)]
pub struct Site {
    pub tls: Arc<ServerConfig>,
    pub behaviour: Behaviour,
}

/// Sites by policy host name, and how often each was asked.
#[derive(Default)]
pub struct Sites {
    pub sites: Mutex<HashMap<String, Site>>,
    pub asked: Mutex<HashMap<String, usize>>,
    /// Nobody is answered: the network is cut.
    pub cut: AtomicBool,
}

impl Sites {
    /// What a site does from now on.
    pub fn behave(&self, name: &str, behaviour: Behaviour) {
        let mut sites = self.sites.lock().unwrap();
        sites.get_mut(name).unwrap().behaviour = behaviour;
    }

    /// How often all sites together were asked.
    pub fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().values().sum()
    }
}

/// Serves all sites at one address, told apart by SNI.
pub async fn serve(address: SocketAddr, sites: Arc<Sites>) {
    let listener = TcpListener::bind(address)
        .await
        .expect("the policy host's address is free");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        if sites.cut.load(Ordering::Relaxed) {
            continue;
        }
        let sites = Arc::clone(&sites);
        tokio::spawn(async move {
            let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
            let Ok(start) = acceptor.await else { return };
            let name = start
                .client_hello()
                .server_name()
                .unwrap_or_default()
                .to_owned();
            *sites.asked.lock().unwrap().entry(name.clone()).or_default() += 1;
            let Some(site) = sites.sites.lock().unwrap().get(&name).cloned() else {
                return;
            };
            let Ok(mut stream) = start.into_stream(site.tls).await else {
                return;
            };
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = answer(&mut stream, &name, &site.behaviour).await;
            let _ = stream.shutdown().await;
        });
    }
}

async fn answer<S: AsyncWriteExt + Unpin>(
    stream: &mut S,
    name: &str,
    behaviour: &Behaviour,
) -> std::io::Result<()> {
    let text = match behaviour {
        Behaviour::Policy(policy) => response("200 OK", "text/plain; charset=utf-8", policy),
        Behaviour::Response(status, kind, body) => response(status, kind, body),
        Behaviour::Redirect => format!(
            "HTTP/1.1 301 Moved\r\nLocation: https://{name}/copy\r\nContent-Length: 0\r\n\r\n"
        ),
        Behaviour::Hang => {
            tokio::time::sleep(std::time::Duration::from_secs(600)).await;
            return Ok(());
        }
        Behaviour::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                .await?;
            for _ in 0..1000 {
                stream.write_all(&[b'x'; 1024]).await?;
            }
            return Ok(());
        }
    };
    stream.write_all(text.as_bytes()).await
}

fn response(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}
