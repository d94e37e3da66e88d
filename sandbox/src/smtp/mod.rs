//! Exchange Online's client submission (SMTP AUTH) on port 587: STARTTLS, XOAUTH2, pipelining, chunking.
//! Accepted mail goes to the inbox; nothing is ever relayed.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cloud::Cloud;
use crate::http::accept;

mod access;
mod auth;
mod command;
pub(crate) mod limits;
mod reply;
mod session;
mod sign_in;
mod submission;
pub(crate) mod traffic;
mod transaction;
mod wire;

/// Serves until the task is aborted; its sessions end with it.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<Cloud>) {
    let mut sessions = JoinSet::new();
    loop {
        // Finished sessions are collected here, or the set would grow for ever.
        while sessions.try_join_next().is_some() {}
        let (stream, client) = accept(&listener).await;
        // Replies are small and the client waits for each: Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let cloud = Arc::clone(&cloud);
        let counted = cloud.smtp_traffic.enter();
        sessions.spawn(async move {
            let _counted = counted;
            if let Err(error) = session::Session::new(cloud, stream, client).run().await {
                tracing::trace!(%error, "smtp session ended");
            }
        });
    }
}
