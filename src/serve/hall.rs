//! The sockets of socketmap and HTTP, and who receives what comes in by them.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::{Admin, Guard, router};
use super::connections::Connections;
use super::conversation::{Desk, converse, turn_away};
use super::handed_over::HandedOver;
use super::listen::Listener;
use super::sockets::{BindError, bind, bind_control};
use crate::config::{Config, Endpoint};

/// Where it listens over TCP: a port that was given as 0 has become one that was free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Socketmap.
    pub socketmap: Vec<SocketAddr>,
    /// HTTP.
    pub http: Vec<SocketAddr>,
}

/// Where connections are received.
pub(super) struct Hall<'a> {
    pub(super) desk: &'a Arc<Desk>,
    pub(super) closing: &'a CancellationToken,
    pub(super) tasks: &'a TaskTracker,
}

impl Hall<'_> {
    /// The sockets for socketmap and HTTP.
    pub(super) async fn open_all(
        &self,
        config: &Config,
        admin: &Arc<Admin>,
        handed_over: &mut HandedOver,
    ) -> Result<Addresses, BindError> {
        let mut addresses = Addresses::default();
        for listener in socketmaps(config, handed_over).await? {
            addresses.socketmap.extend(listener.address());
            self.open(listener, &admin.connections);
        }
        for endpoint in &config.listen.http {
            for listener in bind(endpoint, &config.listen, handed_over).await? {
                addresses.http.extend(listener.address());
                self.admin(listener, admin, Role::Http);
            }
            tracing::info!(%endpoint, "listening for HTTP: metrics and JSON");
        }
        Ok(addresses)
    }

    pub(super) async fn control(
        &self,
        endpoint: &Endpoint,
        admin: &Arc<Admin>,
        handed_over: &mut HandedOver,
    ) -> Result<(), BindError> {
        for listener in bind_control(endpoint, handed_over).await? {
            self.admin(listener, admin, Role::Control);
        }
        tracing::info!(%endpoint, "control socket");
        Ok(())
    }

    fn open(&self, listener: Listener, connections: &Connections) {
        let desk = Arc::clone(self.desk);
        let (closing, connections) = (self.closing.clone(), connections.clone());
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            while let Some(stream) = listener.accept(&closing).await {
                match connections.seat() {
                    Some(seat) => {
                        tasks.spawn(converse(stream, Arc::clone(&desk), seat));
                    }
                    None => {
                        desk.metrics.turned_away.inc();
                        tasks.spawn(turn_away(stream));
                    }
                }
            }
        });
    }

    fn admin(&self, listener: Listener, admin: &Arc<Admin>, role: Role) {
        let closed = self.closing.clone().cancelled_owned();
        match listener {
            Listener::Tcp(listener) => {
                let routes = router(Arc::clone(admin), Guard::HostField);
                let served = axum::serve(listener, routes).with_graceful_shutdown(closed);
                self.tasks.spawn(async move { served.await });
            }
            Listener::Unix(listener, path) => {
                let guard = match role {
                    Role::Control => Guard::FilePermissions,
                    Role::Http => Guard::ReadOnly,
                };
                let routes = router(Arc::clone(admin), guard);
                let served = axum::serve(listener, routes).with_graceful_shutdown(closed);
                self.tasks.spawn(async move {
                    let outcome = served.await;
                    drop(path);
                    outcome
                });
            }
        }
    }
}

/// What a socket of the HTTP interface is for.
#[derive(Clone, Copy)]
enum Role {
    /// Metrics and JSON, for whoever may read.
    Http,
    /// Orders too.
    Control,
}

/// The sockets for mail servers. One whose folder is not there is left out, loudly, as long as another
/// is open: the package names one in Postfix's chroot, and Postfix need not be installed.
async fn socketmaps(
    config: &Config,
    handed_over: &mut HandedOver,
) -> Result<Vec<Listener>, BindError> {
    let (mut open, mut left_out) = (Vec::new(), None);
    for endpoint in &config.listen.socketmap {
        match bind(endpoint, &config.listen, handed_over).await {
            Ok(listeners) => {
                tracing::info!(%endpoint, "listening for socketmap requests");
                open.extend(listeners);
            }
            Err(error @ BindError::Folder { .. }) => {
                tracing::warn!("{error}; this socket is left out");
                left_out = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match left_out {
        Some(error) if open.is_empty() => Err(error),
        _ => Ok(open),
    }
}
