//! Sockets that systemd hands over (sd_listen_fds(3)): by the name that `[listen]` says, or at the address
//! that it names, so that one configuration serves with and without a `.socket` unit.
#![allow(clippy::disallowed_methods, reason = "serve owns its sockets")]

use std::io::{Error, Result};
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::path::Path;

use tokio::net::{TcpListener, UnixDatagram, UnixListener};

use super::listen::Listener;
use super::sessions::tlsrpt::Datagrams;
use super::sockets::BindError;

/// Sockets that systemd handed over, in the order of their descriptors; none: taken.
pub struct HandedOver(Vec<Option<Held>>);

struct Held {
    name: String,
    socket: Socket,
}

enum Socket {
    Tcp(std::net::TcpListener),
    Unix(unix::UnixListener),
    Datagrams(unix::UnixDatagram),
    /// Nothing that hoplock listens at.
    Other(Error),
}

impl HandedOver {
    /// Takes them from the environment, once.
    #[must_use]
    pub fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut sockets = listenfd::ListenFd::from_env();
        let mut names = names.split(':');
        let held = (0..sockets.len()).map(|index| {
            Some(Held {
                name: names.next().unwrap_or_default().to_owned(),
                socket: Socket::take(&mut sockets, index),
            })
        });
        Self(held.collect())
    }

    /// True where nothing was handed over, or nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// All streams of that name: a .socket unit with two `ListenStream=` lines hands over two.
    pub(super) fn streams(&mut self, name: &str) -> std::result::Result<Vec<Listener>, BindError> {
        self.named(name, Socket::into_stream)
    }

    /// All sockets for datagrams of that name.
    pub(super) fn datagrams(
        &mut self,
        name: &str,
    ) -> std::result::Result<Vec<Datagrams>, BindError> {
        self.named(name, Socket::into_datagrams)
    }

    /// The stream at one of these TCP addresses, which a name may have several of.
    pub(super) fn at_address(&mut self, addresses: &[SocketAddr]) -> Result<Option<Listener>> {
        let own = |socket: &Socket| match socket {
            Socket::Tcp(own) => own.local_addr().is_ok_and(|own| addresses.contains(&own)),
            _ => false,
        };
        self.first(own).map(Socket::into_stream).transpose()
    }

    /// The stream at a path.
    pub(super) fn at_path(&mut self, path: &Path) -> Result<Option<Listener>> {
        let own = |socket: &Socket| match socket {
            Socket::Unix(own) => is_at(own.local_addr(), path),
            _ => false,
        };
        self.first(own).map(Socket::into_stream).transpose()
    }

    /// The socket for datagrams at a path.
    pub(super) fn datagrams_at(&mut self, path: &Path) -> Result<Option<Datagrams>> {
        let own = |socket: &Socket| match socket {
            Socket::Datagrams(own) => is_at(own.local_addr(), path),
            _ => false,
        };
        self.first(own).map(Socket::into_datagrams).transpose()
    }

    /// The names of those that nobody asked for: clients that connect to them wait for ever.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|held| held.name.as_str())
    }

    fn first(&mut self, fits: impl Fn(&Socket) -> bool) -> Option<Socket> {
        let place = self
            .0
            .iter_mut()
            .find(|held| held.as_ref().is_some_and(|held| fits(&held.socket)))?;
        place.take().map(|held| held.socket)
    }

    fn named<T>(
        &mut self,
        name: &str,
        open: impl Fn(Socket) -> Result<T>,
    ) -> std::result::Result<Vec<T>, BindError> {
        let mut taken = Vec::new();
        for place in &mut self.0 {
            if place.as_ref().is_some_and(|held| held.name == name)
                && let Some(held) = place.take()
            {
                let socket = open(held.socket).map_err(|error| broken(name, error))?;
                taken.push(socket);
            }
        }
        if taken.is_empty() {
            return Err(BindError::NoSuchName(name.to_owned()));
        }
        Ok(taken)
    }
}

impl Socket {
    /// Of the kind that the descriptor has.
    fn take(sockets: &mut listenfd::ListenFd, index: usize) -> Self {
        if let Ok(Some(socket)) = sockets.take_unix_listener(index) {
            return Self::Unix(socket);
        }
        if let Ok(Some(socket)) = sockets.take_unix_datagram(index) {
            return Self::Datagrams(socket);
        }
        match sockets.take_tcp_listener(index) {
            Ok(Some(socket)) => Self::Tcp(socket),
            Ok(None) => Self::Other(std::io::ErrorKind::NotFound.into()),
            Err(error) => Self::Other(error),
        }
    }

    fn into_stream(self) -> Result<Listener> {
        match self {
            Self::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket).map(Listener::Tcp)
            }
            Self::Unix(socket) => {
                socket.set_nonblocking(true)?;
                // The path is systemd's, and stays.
                UnixListener::from_std(socket).map(|socket| Listener::Unix(socket, None))
            }
            Self::Datagrams(_) => Err(Error::other("it takes datagrams")),
            Self::Other(error) => Err(error),
        }
    }

    fn into_datagrams(self) -> Result<Datagrams> {
        match self {
            Self::Datagrams(socket) => {
                socket.set_nonblocking(true)?;
                Ok(Datagrams {
                    socket: UnixDatagram::from_std(socket)?,
                    path: None,
                })
            }
            Self::Tcp(_) | Self::Unix(_) => Err(Error::other("it takes streams")),
            Self::Other(error) => Err(error),
        }
    }
}

fn is_at(own: Result<unix::SocketAddr>, path: &Path) -> bool {
    own.is_ok_and(|own| own.as_pathname() == Some(path))
}

fn broken(name: &str, error: Error) -> BindError {
    BindError::HandedOver {
        name: name.to_owned(),
        error,
    }
}
