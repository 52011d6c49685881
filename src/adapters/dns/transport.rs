//! One query to one server: UDP, and TCP where the reply was cut short.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hoplock_policy::dns::Question;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{self, NotAReply, Outgoing, ServerReply};
use crate::world::Waiting;

/// Carries messages to name servers and back: the network, or a test's.
pub trait Transport: Send + Sync {
    /// Sends one datagram from a fresh port, at which what comes back is read.
    fn datagram(
        &self,
        server: SocketAddr,
        bytes: Vec<u8>,
    ) -> Waiting<'_, io::Result<Box<dyn Datagrams>>>;

    /// Sends one message over a stream of its own, and reads the one that comes back.
    fn stream(&self, server: SocketAddr, bytes: Vec<u8>) -> Waiting<'_, io::Result<Vec<u8>>>;
}

/// What comes back to one port, from one server alone.
pub trait Datagrams: Send {
    /// The next datagram.
    fn next(&mut self) -> Waiting<'_, io::Result<Vec<u8>>>;
}

/// The network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network;

/// Asks one server once: a fresh id and a fresh port each time.
pub(super) async fn exchange(
    transport: &dyn Transport,
    server: SocketAddr,
    question: &Question,
) -> io::Result<ServerReply> {
    let outgoing = message::query(question).map_err(io::Error::other)?;
    let reply = by_datagram(transport, server, &outgoing, question).await?;
    if reply.truncated {
        return by_stream(transport, server, &outgoing, question).await;
    }
    Ok(reply)
}

async fn by_datagram(
    transport: &dyn Transport,
    server: SocketAddr,
    outgoing: &Outgoing,
    question: &Question,
) -> io::Result<ServerReply> {
    let sent = transport.datagram(server, outgoing.bytes.clone());
    let mut datagrams = sent.await?;
    loop {
        let bytes = datagrams.next().await?;
        match message::read(&bytes, outgoing.id, question) {
            Ok(reply) => return Ok(reply),
            Err(NotAReply::Foreign) => {}
            Err(NotAReply::Garbage) => return Err(unreadable()),
        }
    }
}

async fn by_stream(
    transport: &dyn Transport,
    server: SocketAddr,
    outgoing: &Outgoing,
    question: &Question,
) -> io::Result<ServerReply> {
    let bytes = transport.stream(server, outgoing.bytes.clone()).await?;
    match message::read(&bytes, outgoing.id, question) {
        Ok(reply) if !reply.truncated => Ok(reply),
        Ok(_) | Err(_) => Err(unreadable()),
    }
}

impl Transport for Network {
    fn datagram(
        &self,
        server: SocketAddr,
        bytes: Vec<u8>,
    ) -> Waiting<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move {
            let any: SocketAddr = if server.is_ipv4() {
                (Ipv4Addr::UNSPECIFIED, 0).into()
            } else {
                (Ipv6Addr::UNSPECIFIED, 0).into()
            };
            let socket = UdpSocket::bind(any).await?;
            // Connected: only this server's datagrams come through, and a closed port is an error
            // at once.
            socket.connect(server).await?;
            socket.send(&bytes).await?;
            Ok(Box::new(Port { socket }) as Box<dyn Datagrams>)
        })
    }

    fn stream(&self, server: SocketAddr, bytes: Vec<u8>) -> Waiting<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            let mut stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
            let framed = [&length.to_be_bytes()[..], &bytes].concat();
            stream.write_all(&framed).await?;
            let length = stream.read_u16().await?;
            let mut bytes = vec![0; usize::from(length)];
            stream.read_exact(&mut bytes).await?;
            Ok(bytes)
        })
    }
}

/// A port of ours, connected to one server.
struct Port {
    socket: UdpSocket,
}

impl Datagrams for Port {
    fn next(&mut self) -> Waiting<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            let mut buffer = vec![0; LARGEST_DATAGRAM];
            let length = self.socket.recv(&mut buffer).await?;
            buffer.truncate(length);
            Ok(buffer)
        })
    }
}

fn unreadable() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the resolver's reply cannot be read",
    )
}

/// More than the payload that is announced; larger ones come over TCP.
const LARGEST_DATAGRAM: usize = 4096;
