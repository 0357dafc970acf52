//! SMTP (RFC 5321), over TLS unless the operator says otherwise.

use std::time::Duration;

use domain::Fault;
use domain::mail::{Letter, MailFailure};
use domain::port::Mailer;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};

domain::words! {
    /// How the connection to the mail server is protected.
    pub enum Encryption("encryption of mail") {
        /// TLS from the beginning (RFC 8314), as on port 465.
        Tls = "tls",
        /// TLS after STARTTLS, or no letter (RFC 3207), as on port 587.
        StartTls = "starttls",
        /// Nothing: for a mail server on this machine.
        None = "none",
    }
}

/// Where letters are handed over.
#[derive(Clone)]
pub struct SmtpSettings {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// Name and password, if the server asks for them. Never sent in the clear.
    pub credentials: Option<(String, String)>,
    /// Who writes: an address, or a name with one in angle brackets.
    pub from: String,
    /// How long the server may take for each step.
    pub timeout: Duration,
}

/// A mail server that is spoken to by SMTP.
pub struct Smtp {
    transport: SmtpTransport,
    from: Mailbox,
}

impl Smtp {
    /// Speaks to nobody yet.
    ///
    /// # Errors
    /// A fault when the sender's address cannot be one, TLS cannot be set up, or a password would go in the clear.
    pub fn new(settings: SmtpSettings) -> Result<Self, Fault> {
        let SmtpSettings { host, port, encryption, credentials, from, timeout } = settings;
        let from: Mailbox = from.parse().map_err(|e| Fault::new("reading the sender's address of letters", e))?;
        if encryption == Encryption::None && credentials.is_some() {
            return Err(Fault::broken("a password for the mail server needs tls or starttls"));
        }
        let parameters = || TlsParameters::new(host.clone()).map_err(|e| Fault::new("setting TLS up for the mail server", e));
        let tls = match encryption {
            Encryption::Tls => Tls::Wrapper(parameters()?),
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::None => Tls::None,
        };
        let mut builder = SmtpTransport::builder_dangerous(&host).port(port).tls(tls).timeout(Some(timeout));
        if let Some((name, password)) = credentials {
            builder = builder.credentials(Credentials::new(name, password));
        }
        Ok(Self { transport: builder.build(), from })
    }

    fn message(&self, letter: &Letter) -> Result<Message, MailFailure> {
        // The causes may hold the address: nobody is told them.
        let refused = || MailFailure::Refused(Fault::broken("a letter's address cannot be written to"));
        let to: Mailbox = letter.to.parse().map_err(|_| refused())?;
        let builder = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&letter.subject)
            .date(letter.at.into())
            .message_id(Some(format!("<{}>", letter.id)))
            .header(AutoSubmitted)
            .header(ContentLanguage(letter.language.clone()));
        builder.singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text.clone())).map_err(|_| refused())
    }
}

impl Mailer for Smtp {
    fn send(&self, letter: &Letter) -> Result<(), MailFailure> {
        let message = self.message(letter)?;
        let Err(error) = self.transport.send(&message) else { return Ok(()) };
        // What the server says may repeat the address; its number does not.
        let said = error.status().map_or_else(|| "the mail server could not be spoken to".to_owned(), |code| format!("the mail server answered {code}"));
        let fault = Fault::broken(said);
        Err(if error.is_permanent() { MailFailure::Refused(fault) } else { MailFailure::Later(fault) })
    }
}

/// That no person wrote it, so that no machine answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// In which language it is (RFC 3282).
#[derive(Clone)]
struct ContentLanguage(String);

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }
    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}
