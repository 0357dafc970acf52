//! HTTP: health checks, the public log and consent pages; and letters by SMTP. It knows the control plane and has
//! never heard of SQL or the engine.

mod consent;
mod mail;
mod pages;

use std::future::Future;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use control_plane::ControlPlane;
use tokio::net::TcpListener;

pub use mail::{Delivered, Encryption, Smtp, SmtpSettings, deliver, deliver_until};
pub use pages::Pages;

pub(crate) struct App {
    pub(crate) control: ControlPlane,
    pub(crate) pages: Pages,
    log: PathBuf,
}

/// Serves until `stop` is done.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, control: ControlPlane, log: PathBuf, pages: Pages, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    axum::serve(listener, router(control, log, pages)).with_graceful_shutdown(stop).await
}

/// All routes: `/livez`, `/readyz`, `/consent/TOKEN`, `/.well-known/gpc.json` and, below `/log/`, the checkpoint, key
/// and tiles of C2SP tlog-tiles as they lie in the folder `log`.
pub fn router(control: ControlPlane, log: PathBuf, pages: Pages) -> Router {
    let app = Arc::new(App { control, pages, log });
    let health = Router::new().route("/livez", get(async || "ok\n")).route("/readyz", get(ready));
    health.route("/log/{*path}", get(log_file)).merge(consent::routes()).with_state(app)
}

/// Ready when the control store answers.
async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.control.snapshot_head().await {
        Ok(_) => (StatusCode::OK, "ready\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the control store does not answer\n").into_response(),
    }
}

/// A published file of the log. Nothing else lies in that folder, and no path leads out of it.
async fn log_file(State(app): State<Arc<App>>, UrlPath(path): UrlPath<String>) -> Response {
    let inside = Path::new(&path).components().all(|c| matches!(c, Component::Normal(_)));
    let bytes = if inside { tokio::fs::read(app.log.join(&path)).await } else { Err(io::ErrorKind::NotFound.into()) };
    match bytes {
        Ok(bytes) => {
            let kind = if path.starts_with("tile/") { "application/octet-stream" } else { "text/plain; charset=utf-8" };
            ([(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], bytes).into_response()
        }
        Err(_) => (StatusCode::NOT_FOUND, "there is no such file in the log\n").into_response(),
    }
}
