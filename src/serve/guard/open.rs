//! The sockets of the guard, opened at the start.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::desk::Desk;
use super::{delegation, milter};
use crate::config::{Config, Endpoint};
use crate::serve::admin::Admin;
use crate::serve::connections::Connections;
use crate::serve::handed_over::HandedOver;
use crate::serve::listen::Listener;
use crate::serve::sockets::{BindError, bind};

/// Opens whatever the configuration names; all of it ends when `closing` is cancelled.
///
/// # Errors
/// [`BindError`] where a socket cannot be had.
pub async fn open(
    config: &Config,
    admin: &Admin,
    handed_over: &mut HandedOver,
    closing: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Arc<Desk>, BindError> {
    let answerer = Arc::clone(&admin.engine.answerer);
    let desk = Desk::new(answerer, Arc::clone(&admin.metrics), config.guard.clone());
    let desk = Arc::new(desk);
    let sockets = [
        (Speech::Delegation, &config.listen.policy),
        (Speech::Milter, &config.listen.milter),
    ];
    for (speech, endpoints) in sockets {
        for endpoint in endpoints {
            let listeners = match bind(endpoint, &config.listen, handed_over).await {
                // The mail server need not be there; the others are answered.
                Err(error @ BindError::Folder { .. }) => {
                    tracing::warn!("{error}; this socket is left out");
                    continue;
                }
                bound => bound?,
            };
            for listener in listeners {
                let (desk, closing) = (Arc::clone(&desk), closing.clone());
                let connections = admin.connections.clone();
                let accepting = accept(speech, listener, desk, connections, closing, tasks.clone());
                tasks.spawn(accepting);
            }
            say(speech, endpoint);
        }
    }
    Ok(desk)
}

/// What is spoken on a socket.
#[derive(Clone, Copy)]
enum Speech {
    Delegation,
    Milter,
}

fn say(speech: Speech, endpoint: &Endpoint) {
    match speech {
        Speech::Delegation => tracing::info!(%endpoint, "listening for policy delegation"),
        Speech::Milter => tracing::info!(%endpoint, "listening for milter clients"),
    }
}

/// A client for whom there is no place is hung up on: it does what its configuration says of a service
/// that is away.
async fn accept(
    speech: Speech,
    listener: Listener,
    desk: Arc<Desk>,
    connections: Connections,
    closing: CancellationToken,
    tasks: TaskTracker,
) {
    while let Some(stream) = listener.accept(&closing).await {
        let Some(seat) = connections.seat() else {
            desk.turned_away();
            continue;
        };
        let desk = Arc::clone(&desk);
        match speech {
            Speech::Delegation => tasks.spawn(delegation::converse(stream, desk, seat)),
            Speech::Milter => tasks.spawn(milter::converse(stream, desk, seat)),
        };
    }
}
