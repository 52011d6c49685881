//! Binding of sockets: TCP, unix with mode and group, or those that systemd hands over.
#![allow(clippy::disallowed_methods, reason = "serve owns its sockets")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use super::listen::{Listener, OwnedPath};
use crate::config::{Endpoint, Listen};

/// A socket that cannot be bound; names the place and the cure.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, or not of this host.
    #[error("cannot listen at {place}: {error}{cure}")]
    Bind {
        /// Where.
        place: String,
        /// Why not.
        error: std::io::Error,
        /// What to do.
        cure: &'static str,
    },
    /// The folder of a unix socket is not there and cannot be made.
    #[error("cannot listen at {place}: its folder is not there and cannot be made: {error}{cure}")]
    Folder {
        /// Where.
        place: String,
        /// Why not.
        error: std::io::Error,
        /// What to do.
        cure: &'static str,
    },
    /// systemd handed over no socket of that name.
    #[error(
        "systemd handed over no socket named {0:?}; its names are FileDescriptorName= of the .socket units"
    )]
    NoSuchName(String),
}

/// Sockets that systemd handed over, by name.
pub struct HandedOver {
    sockets: listenfd::ListenFd,
    names: Vec<String>,
}

impl HandedOver {
    /// Takes them from the environment, once.
    #[must_use]
    pub fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names
            .split(':')
            .filter(|name| !name.is_empty())
            .map(ToOwned::to_owned);
        Self {
            names: names.collect(),
            sockets: listenfd::ListenFd::from_env(),
        }
    }

    fn take(&mut self, name: &str) -> Result<Listener, BindError> {
        let missing = || BindError::NoSuchName(name.to_owned());
        let index = self
            .names
            .iter()
            .position(|own| own == name)
            .ok_or_else(missing)?;
        if let Ok(Some(listener)) = self.sockets.take_unix_listener(index) {
            listener.set_nonblocking(true).map_err(|_| missing())?;
            let listener = UnixListener::from_std(listener).map_err(|_| missing())?;
            return Ok(Listener::Unix(listener, None));
        }
        match self.sockets.take_tcp_listener(index) {
            Ok(Some(listener)) => {
                listener.set_nonblocking(true).map_err(|_| missing())?;
                TcpListener::from_std(listener)
                    .map(Listener::Tcp)
                    .map_err(|_| missing())
            }
            _ => Err(missing()),
        }
    }
}

/// Binds one socket.
///
/// # Errors
/// [`BindError`] names the place and the cure.
pub async fn bind(
    endpoint: &Endpoint,
    listen: &Listen,
    handed_over: &mut HandedOver,
) -> Result<Listener, BindError> {
    match endpoint {
        Endpoint::Systemd(name) => handed_over.take(name),
        Endpoint::Inet(address) => {
            let bound = TcpListener::bind(address.as_str()).await;
            bound
                .map(Listener::Tcp)
                .map_err(|error| bind_error(endpoint, error))
        }
        Endpoint::Unix(path) => {
            make_folder(path).map_err(|error| BindError::Folder {
                place: endpoint.to_string(),
                cure: cure(&error),
                error,
            })?;
            bind_unix(path, listen).map_err(|error| bind_error(endpoint, error))
        }
    }
}

/// Binds the control socket. It is ours alone, often in a folder for state that is new: the whole path
/// is made.
///
/// # Errors
/// As [`bind`].
pub async fn bind_control(
    endpoint: &Endpoint,
    listen: &Listen,
    handed_over: &mut HandedOver,
) -> Result<Listener, BindError> {
    if let Endpoint::Unix(path) = endpoint
        && let Some(folder) = path.parent()
    {
        // What fails here fails again, with its cure, in `bind`.
        let _ = std::fs::create_dir_all(folder);
    }
    bind(endpoint, listen, handed_over).await
}

/// One level at most: a missing `/var/spool/postfix` means that there is no Postfix, not that it
/// should be made.
fn make_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.exists() => std::fs::create_dir(folder),
        _ => Ok(()),
    }
}

/// A file left by a daemon that was killed is removed; one that somebody answers at is not.
fn bind_unix(path: &Path, listen: &Listen) -> std::io::Result<Listener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(std::io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let owned = OwnedPath::new(PathBuf::from(path));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(listen.mode))?;
    let id =
        |text: &Option<String>, file| text.as_deref().map(|name| id_of(name, file)).transpose();
    let (owner, group) = (
        id(&listen.owner, "/etc/passwd")?,
        id(&listen.group, "/etc/group")?,
    );
    if owner.is_some() || group.is_some() {
        std::os::unix::fs::chown(path, owner, group)?;
    }
    Ok(Listener::Unix(listener, Some(owned)))
}

/// The number of a user or group, from the files that every system has.
fn id_of(name: &str, file: &str) -> std::io::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = std::fs::read_to_string(file)?;
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(name));
    let number = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    number.ok_or_else(|| std::io::Error::other(format!("{file} knows no {name}")))
}

fn bind_error(endpoint: &Endpoint, error: std::io::Error) -> BindError {
    BindError::Bind {
        place: endpoint.to_string(),
        cure: cure(&error),
        error,
    }
}

fn cure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "; another daemon listens there: stop it first",
        std::io::ErrorKind::PermissionDenied => "; choose a place that this user may write",
        std::io::ErrorKind::ReadOnlyFilesystem => {
            "; its folder must be there before the start, and in ReadWritePaths= of the unit"
        }
        std::io::ErrorKind::AddrNotAvailable => "; the address is not one of this host",
        std::io::ErrorKind::NotFound => "; is the program installed that the folder belongs to?",
        _ => "",
    }
}
