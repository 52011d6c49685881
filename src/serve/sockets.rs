//! Binding of sockets: TCP, and unix with mode and group; those that systemd hands over come first.
#![allow(clippy::disallowed_methods, reason = "serve owns its sockets")]

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};

use super::handed_over::HandedOver;
use super::listen::{Listener, OwnedPath};
use super::sessions::tlsrpt::Datagrams;
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
    /// Something else stands at the path of a unix socket.
    #[error(
        "cannot listen at unix:{0}: what stands there is no socket, and is left as it is; move it \
             away, or name another path in [listen]"
    )]
    NoSocket(String),
    /// A socket cannot be given to its owner or group.
    #[error("cannot give {place} to the {to}: {error}{cure}")]
    Given {
        /// Where.
        place: String,
        /// To whom.
        to: String,
        /// Why not.
        error: std::io::Error,
        /// What to do.
        cure: &'static str,
    },
    /// A socket of systemd's cannot be listened at.
    #[error(
        "the socket {name:?} of systemd's cannot be listened at: {error}; it must be a stream \
             (ListenStream=), for [listen] tlsrpt datagrams (ListenDatagram=)"
    )]
    HandedOver {
        /// Its name.
        name: String,
        /// Why not.
        error: std::io::Error,
    },
    /// systemd handed over no socket of that name.
    #[error(
        "systemd handed over no socket named {0:?}; its names are FileDescriptorName= of the .socket units"
    )]
    NoSuchName(String),
}

/// Who may connect to a unix socket.
struct Access<'a> {
    mode: u32,
    owner: Option<&'a str>,
    group: Option<&'a str>,
}

/// Binds one socket, or takes those that systemd has under one name, or at that place.
///
/// # Errors
/// [`BindError`] names the place and the cure.
pub async fn bind(
    endpoint: &Endpoint,
    listen: &Listen,
    handed_over: &mut HandedOver,
) -> Result<Vec<Listener>, BindError> {
    let access = Access {
        mode: listen.mode,
        owner: listen.owner.as_deref(),
        group: listen.group.as_deref(),
    };
    bind_for(endpoint, &access, handed_over).await
}

/// Binds the control socket. It is ours alone, often in a folder for state that is new: the whole path
/// is made. It takes orders, so what `[listen]` says for mail servers does not open it to them.
///
/// # Errors
/// As [`bind`].
pub async fn bind_control(
    endpoint: &Endpoint,
    handed_over: &mut HandedOver,
) -> Result<Vec<Listener>, BindError> {
    if let Endpoint::Unix(path) = endpoint
        && let Some(folder) = path.parent()
    {
        // What fails here fails again, with its cure, in `bind_for`.
        let _ = std::fs::create_dir_all(folder);
    }
    let access = Access {
        mode: CONTROL_MODE,
        owner: None,
        group: None,
    };
    bind_for(endpoint, &access, handed_over).await
}

async fn bind_for(
    endpoint: &Endpoint,
    access: &Access<'_>,
    handed_over: &mut HandedOver,
) -> Result<Vec<Listener>, BindError> {
    match endpoint {
        Endpoint::Systemd(name) => handed_over.streams(name),
        Endpoint::Inet(address) => {
            // A name is resolved only where systemd handed something over.
            let addresses = if handed_over.is_empty() {
                Vec::new()
            } else {
                let found = tokio::net::lookup_host(address.as_str()).await;
                found.map(Iterator::collect).unwrap_or_default()
            };
            let held = handed_over.at_address(&addresses);
            if let Some(listener) = held.map_err(|error| bind_error(endpoint, error))? {
                return Ok(vec![listener]);
            }
            let bound = TcpListener::bind(address.as_str()).await;
            bound
                .map(|listener| vec![Listener::Tcp(listener)])
                .map_err(|error| bind_error(endpoint, error))
        }
        Endpoint::Unix(path) => {
            let held = handed_over.at_path(path);
            if let Some(listener) = held.map_err(|error| bind_error(endpoint, error))? {
                return Ok(vec![listener]);
            }
            make_folder(path).map_err(|error| BindError::Folder {
                place: endpoint.to_string(),
                cure: cure(&error),
                error,
            })?;
            bind_unix(path, access).map(|listener| vec![listener])
        }
    }
}

/// Binds the sockets of a name server: streams and datagrams at one address.
///
/// # Errors
/// [`BindError`] names the place and the cure.
pub async fn bind_name_server(
    endpoint: &Endpoint,
) -> Result<(Listener, UdpSocket, std::net::SocketAddr), BindError> {
    let failed = |error| bind_error(endpoint, error);
    let Endpoint::Inet(address) = endpoint else {
        let words = "name servers are asked at an address and a port";
        return Err(failed(std::io::Error::other(words)));
    };
    let streams = TcpListener::bind(address.as_str()).await.map_err(failed)?;
    // The port may have been chosen just now.
    let address = streams.local_addr().map_err(failed)?;
    let datagrams = UdpSocket::bind(address).await.map_err(failed)?;
    Ok((Listener::Tcp(streams), datagrams, address))
}

/// Binds a socket for datagrams, or takes one from systemd.
///
/// # Errors
/// [`BindError`] names the place and the cure.
pub async fn bind_datagrams(
    endpoint: &Endpoint,
    listen: &Listen,
    handed_over: &mut HandedOver,
) -> Result<Vec<Datagrams>, BindError> {
    let access = Access {
        mode: listen.mode,
        owner: listen.owner.as_deref(),
        group: listen.group.as_deref(),
    };
    match endpoint {
        Endpoint::Systemd(name) => handed_over.datagrams(name),
        Endpoint::Unix(path) => {
            let held = handed_over.datagrams_at(path);
            if let Some(datagrams) = held.map_err(|error| bind_error(endpoint, error))? {
                return Ok(vec![datagrams]);
            }
            make_folder(path).map_err(|error| BindError::Folder {
                place: endpoint.to_string(),
                cure: cure(&error),
                error,
            })?;
            remove_stale(path)?;
            let socket = UnixDatagram::bind(path).map_err(|error| bind_error(endpoint, error))?;
            let path = give(path, &access)?;
            Ok(vec![Datagrams {
                socket,
                path: Some(path),
            }])
        }
        Endpoint::Inet(_) => Err(bind_error(
            endpoint,
            std::io::Error::other("datagrams are taken from unix sockets only"),
        )),
    }
}

/// One level at most: a missing `/var/spool/postfix` means that there is no Postfix, not that it
/// should be made.
fn make_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.exists() => std::fs::create_dir(folder),
        _ => Ok(()),
    }
}

fn bind_unix(path: &Path, access: &Access<'_>) -> Result<Listener, BindError> {
    let place = || format!("unix:{}", path.display());
    let failed = |error: std::io::Error| BindError::Bind {
        place: place(),
        cure: cure(&error),
        error,
    };
    remove_stale(path)?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    let owned = give(path, access)?;
    Ok(Listener::Unix(listener, Some(owned)))
}

/// Gives a socket that was just bound its mode, group and owner; it goes when that fails.
fn give(path: &Path, access: &Access<'_>) -> Result<OwnedPath, BindError> {
    let place = || format!("unix:{}", path.display());
    let failed = |error: std::io::Error| BindError::Bind {
        place: place(),
        cure: cure(&error),
        error,
    };
    let owned = OwnedPath::new(PathBuf::from(path));
    let mode = std::fs::Permissions::from_mode(access.mode);
    std::fs::set_permissions(path, mode).map_err(failed)?;
    let id = |name: Option<&str>, file| name.map(|name| id_of(name, file)).transpose();
    let (owner, group) = (
        id(access.owner, "/etc/passwd").map_err(failed)?,
        id(access.group, "/etc/group").map_err(failed)?,
    );
    let given = |key: &str, name: Option<&str>, id, cure| {
        let Some(name) = name else { return Ok(()) };
        let (owner, group) = id;
        std::os::unix::fs::chown(path, owner, group).map_err(|error| BindError::Given {
            place: place(),
            to: format!("{key} {name}"),
            error,
            cure,
        })
    };
    // The owner last: whoever gives a socket away cannot change its group any more.
    given("group", access.group, (None, group), GROUP_CURE)?;
    given("owner", access.owner, (owner, None), OWNER_CURE)?;
    Ok(owned)
}

/// A socket left by a daemon that was killed is removed; one that somebody answers at is not, nor
/// anything else that stands there: a slip of the pen must not cost a file.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |error: std::io::Error| BindError::Bind {
        place: format!("unix:{}", path.display()),
        cure: cure(&error),
        error,
    };
    let kind = match std::fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !kind.is_socket() {
        return Err(BindError::NoSocket(path.display().to_string()));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(failed(std::io::ErrorKind::AddrInUse.into()));
    }
    std::fs::remove_file(path).map_err(failed)
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

/// For owner and group, always.
const CONTROL_MODE: u32 = 0o660;
const GROUP_CURE: &str = "; this user is not in that group: put it there, or leave [listen] group out \
                          where the folder has the set-group-id bit, which gives the group by itself";
const OWNER_CURE: &str = "; only root may give a socket away: leave [listen] owner out, and give access \
                          by the group";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, "precious").unwrap();
        let error = remove_stale(&path).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        // Nor is what a link leads to.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(remove_stale(&link).is_err());
        // A socket that nobody answers at goes; one that lives does not.
        let socket = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(
            remove_stale(&socket)
                .unwrap_err()
                .to_string()
                .contains("stop it first")
        );
        drop(listener);
        remove_stale(&socket).unwrap();
        assert!(!socket.exists());
        remove_stale(&socket).unwrap();
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_given_has_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let error = BindError::Given {
            place: format!("unix:{}", folder.path().display()),
            to: "group postfix".to_owned(),
            error: std::io::ErrorKind::PermissionDenied.into(),
            cure: GROUP_CURE,
        };
        let words = error.to_string();
        assert!(
            words.contains("group postfix") && words.contains("not in that group"),
            "{words}"
        );
        let mut access = Access {
            mode: 0o600,
            owner: None,
            group: Some("no-such-group"),
        };
        let path = folder.path().join("socket");
        let Err(error) = bind_unix(&path, &access) else {
            panic!("there is no such group");
        };
        assert!(error.to_string().contains("/etc/group knows no"), "{error}");
        assert!(!path.exists(), "what is not used does not stay");
        access.group = None;
        assert!(bind_unix(&path, &access).is_ok());
    }
}
