//! One query to one server: UDP, and TCP where the reply was cut short.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hoplock_policy::dns::Question;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{self, NotAReply, Outgoing, ServerReply};

/// Asks one server once: a fresh id and a fresh port each time.
pub(super) async fn exchange(server: SocketAddr, question: &Question) -> io::Result<ServerReply> {
    let outgoing = message::query(question).map_err(io::Error::other)?;
    let reply = udp(server, &outgoing, question).await?;
    if reply.truncated {
        return tcp(server, &outgoing, question).await;
    }
    Ok(reply)
}

async fn udp(
    server: SocketAddr,
    outgoing: &Outgoing,
    question: &Question,
) -> io::Result<ServerReply> {
    let any: SocketAddr = if server.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected: only this server's datagrams come through, and a closed port is an error at once.
    socket.connect(server).await?;
    socket.send(&outgoing.bytes).await?;
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let bytes = buffer.get(..length).unwrap_or_default();
        match message::read(bytes, outgoing.id, question) {
            Ok(reply) => return Ok(reply),
            Err(NotAReply::Foreign) => {}
            Err(NotAReply::Garbage) => return Err(unreadable()),
        }
    }
}

async fn tcp(
    server: SocketAddr,
    outgoing: &Outgoing,
    question: &Question,
) -> io::Result<ServerReply> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let length = u16::try_from(outgoing.bytes.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes()[..], &outgoing.bytes].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    match message::read(&bytes, outgoing.id, question) {
        Ok(reply) if !reply.truncated => Ok(reply),
        Ok(_) | Err(_) => Err(unreadable()),
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
