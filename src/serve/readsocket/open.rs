//! The sockets that Exim asks at, opened at the start.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conversation::{converse, turn_away};
use super::desk::Desk;
use crate::config::Config;
use crate::serve::admin::Admin;
use crate::serve::connections::Connections;
use crate::serve::handed_over::HandedOver;
use crate::serve::listen::Listener;
use crate::serve::sessions::Intake;
use crate::serve::sockets::{BindError, bind};

/// Opens whatever the configuration names; all of it ends when `closing` is cancelled.
///
/// # Errors
/// [`BindError`] where a socket cannot be had.
pub async fn open(
    config: &Config,
    admin: &Admin,
    intake: &Arc<Intake>,
    handed_over: &mut HandedOver,
    closing: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), BindError> {
    let answerer = Arc::clone(&admin.engine.answerer);
    let desk = Desk::new(answerer, Arc::clone(intake), Arc::clone(&admin.metrics));
    let desk = Arc::new(desk);
    for endpoint in &config.listen.readsocket {
        for listener in bind(endpoint, &config.listen, handed_over).await? {
            let (desk, closing) = (Arc::clone(&desk), closing.clone());
            let connections = admin.connections.clone();
            tasks.spawn(accept(listener, desk, connections, closing, tasks.clone()));
        }
        tracing::info!(%endpoint, "listening for Exim's readsocket");
    }
    Ok(())
}

async fn accept(
    listener: Listener,
    desk: Arc<Desk>,
    connections: Connections,
    closing: CancellationToken,
    tasks: TaskTracker,
) {
    while let Some(stream) = listener.accept(&closing).await {
        match connections.seat() {
            Some(seat) => tasks.spawn(converse(stream, Arc::clone(&desk), seat)),
            None => {
                desk.turned_away();
                tasks.spawn(turn_away(stream))
            }
        };
    }
}
