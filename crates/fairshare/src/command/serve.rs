//! `fairshare serve`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;

use crate::deployment::Deployment;
use crate::output::note;

/// Serves until interrupted.
pub(crate) async fn serve(listen: SocketAddr, deployment: &Deployment) -> anyhow::Result<ExitCode> {
    deployment.control.audit_checkpoint().await?;
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}; choose another address with --listen"))?;
    note(&format!("serving health checks and the public log on http://{}  (Ctrl-C ends)", listener.local_addr()?));
    let stop = async {
        // Without a signal handler the process just ends, which is as good.
        let _ = tokio::signal::ctrl_c().await;
    };
    server::serve(listener, deployment.control.clone(), deployment.folder.join("log"), stop).await?;
    Ok(ExitCode::SUCCESS)
}
