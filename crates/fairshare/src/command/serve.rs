//! `fairshare serve`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use domain::port::Mailer;
use server::{Encryption, Pages, Smtp, SmtpSettings};

use crate::cli::{MailSettings, PageSettings, Serve};
use crate::deployment::{Deployment, tell_operator};
use crate::failure::Usage;
use crate::output::note;

/// How often letters are looked for.
const LETTERS: Duration = Duration::from_secs(15);

/// How long a mail server may take for each step.
const SMTP_STEP: Duration = Duration::from_secs(30);

impl Serve {
    /// On this machine alone, without letters.
    pub(crate) fn local() -> anyhow::Result<Self> {
        let (listen, url) = ("127.0.0.1:8420", "http://127.0.0.1:8420");
        let pages = PageSettings { public_url: url.to_owned(), allow_origin: Vec::new() };
        let mail = MailSettings { smtp_host: None, smtp_port: 0, smtp_encryption: String::new(), smtp_user: None, mail_from: String::new() };
        Ok(Self { listen: listen.parse()?, pages, mail })
    }
}

/// Serves until interrupted.
pub(crate) async fn serve(args: Serve, deployment: &Deployment) -> anyhow::Result<ExitCode> {
    let Serve { listen, pages: settings, mail } = args;
    deployment.control.audit_checkpoint().await?;
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}; choose another address with --listen"))?;
    let pages = pages(settings, deployment)?;
    note(&format!("serving consent pages, health checks and the public log on http://{}  (Ctrl-C ends)", listener.local_addr()?));
    let letters = match mailer(mail)? {
        Some(mailer) => Some(tokio::spawn(server::deliver_until(deployment.control.clone(), pages.clone(), mailer, LETTERS, interrupted()))),
        None => {
            note("letters wait: no mail server was named (--smtp-host)");
            None
        }
    };
    server::serve(listener, deployment.control.clone(), deployment.folder.join("log"), pages, interrupted()).await?;
    if let Some(letters) = letters {
        letters.await.context("sending letters")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn interrupted() {
    // Without a signal handler the process just ends, which is as good.
    let _ = tokio::signal::ctrl_c().await;
}

/// Where people reach the pages, and who is told of faults.
pub(super) fn pages(settings: PageSettings, deployment: &Deployment) -> anyhow::Result<Pages> {
    let PageSettings { public_url, allow_origin } = settings;
    if domain::link::Origin::of(&public_url).is_none() {
        return Err(Usage(format!("--public-url `{public_url}` is not an address; write https://HOST, below a path if a proxy puts it there")).into());
    }
    let folder = deployment.folder.clone();
    let report = Arc::new(move |fault: &domain::Fault| {
        if let Err(error) = tell_operator(&folder, fault) {
            note(&format!("a fault could not be written down: {error}"));
        }
    });
    Ok(Pages { public_url: public_url.trim_end_matches('/').to_owned(), allowed: allow_origin, report })
}

#[expect(clippy::disallowed_methods, reason = "the place where the product reads the password of the mail server")]
fn mailer(settings: MailSettings) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let MailSettings { smtp_host, smtp_port, smtp_encryption, smtp_user, mail_from } = settings;
    let Some(host) = smtp_host else { return Ok(None) };
    let encryption = match smtp_encryption.as_str() {
        "tls" => Encryption::Tls,
        "starttls" => Encryption::StartTls,
        "none" => Encryption::None,
        other => return Err(Usage(format!("--smtp-encryption is tls, starttls or none, not `{other}`")).into()),
    };
    let password = || std::env::var("FAIRSHARE_SMTP_PASSWORD").map_err(|_| Usage("--smtp-user needs its password in FAIRSHARE_SMTP_PASSWORD".to_owned()));
    let credentials = smtp_user.map(|user| Ok::<_, Usage>((user, password()?))).transpose()?;
    Ok(Some(Arc::new(Smtp::new(SmtpSettings { host, port: smtp_port, encryption, credentials, from: mail_from, timeout: SMTP_STEP })?)))
}
