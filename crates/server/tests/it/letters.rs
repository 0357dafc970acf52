//! Letters through a real mail server on this machine: aiosmtpd, from PyPI.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use domain::mail::{Contact, ContactSource, Letter, MailFailure};
use domain::port::Mailer;
use domain::{Fault, Purpose, SubjectId};
use server::{Delivered, Encryption, Smtp, SmtpSettings, deliver};

use crate::world::{ADULT, OTHER, World};

/// A server that takes every letter and prints it, until it is dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    lines: Receiver<String>,
}

impl Server {
    /// Starts one; says so, or fails, when it is not installed.
    #[expect(clippy::disallowed_methods, reason = "tests are told where tools are; a server needs real time to start")]
    pub(crate) fn start() -> Option<Self> {
        let named = std::env::var("FAIRSHARE_SMTPD").unwrap_or_else(|_| "aiosmtpd".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(named);
        command.args(["-n", "-l", &format!("127.0.0.1:{port}"), "-c", "aiosmtpd.handlers.Debugging", "stdout"]).env("PYTHONUNBUFFERED", "1");
        let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
            assert!(std::env::var("FAIRSHARE_REQUIRE_ALL").map_or(true, |v| v != "1"), "aiosmtpd is required: pip install aiosmtpd, FAIRSHARE_SMTPD=path of aiosmtpd");
            // Past the capture of test output, so that it is seen.
            let _ = writeln!(std::io::stderr(), "skipped: there is no aiosmtpd; pip install aiosmtpd or name it in FAIRSHARE_SMTPD");
            return None;
        };
        let (sender, lines) = channel();
        let printed = child.stdout.take().unwrap();
        std::thread::spawn(move || BufReader::new(printed).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let server = Self { child, port, lines };
        let mut tries = 0;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            tries += 1;
            assert!(tries < 300, "aiosmtpd does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(server)
    }

    pub(crate) fn mailer(&self) -> Arc<dyn Mailer> {
        let settings = SmtpSettings {
            host: "127.0.0.1".into(),
            port: self.port,
            encryption: Encryption::None,
            credentials: None,
            from: "Town & Sons <noreply@town.example>".into(),
            timeout: Duration::from_secs(10),
        };
        Arc::new(Smtp::new(settings).unwrap())
    }

    /// The next letter as it came over the wire: headers and text, decoded.
    pub(crate) fn letter(&self) -> (String, String) {
        let mut raw = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).unwrap();
            match line.as_str() {
                "---------- MESSAGE FOLLOWS ----------" => raw.clear(),
                "------------ END MESSAGE ------------" => break,
                _ => raw.push(line),
            }
        }
        let raw = raw.join("\n");
        let (head, body) = raw.split_once("\n\n").unwrap();
        let body = if head.contains("quoted-printable") { quoted_printable(body) } else { body.to_owned() };
        (head.to_owned(), body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        if first == b'=' && after.len() >= 2 {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The path of the page whose address stands in a letter.
pub(crate) fn path_in(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("/consent/")).unwrap();
    format!("/consent/{}", line.rsplit('/').next().unwrap())
}

/// A mail server that always says the same.
struct Scripted {
    refuse: bool,
    letters: Mutex<Vec<Letter>>,
}

impl Mailer for Scripted {
    fn send(&self, letter: &Letter) -> Result<(), MailFailure> {
        self.letters.lock().unwrap().push(letter.clone());
        let fault = Fault::broken("it said no");
        Err(if self.refuse { MailFailure::Refused(fault) } else { MailFailure::Later(fault) })
    }
}

async fn changed(world: &World) {
    for subject in [ADULT, OTHER] {
        let fields = [("choice.aggregate_statistics.acme", "yes"), ("explicit.aggregate_statistics.acme", "yes"), ("choice.sale_or_sharing.acme", "no")];
        assert_eq!(world.fill_in(&world.path(subject).await, &fields).await.status, 200);
    }
    let contact = Contact { email: "anna@town.example".into(), language: Some("de".into()) };
    world.control.subject_contact_set(SubjectId(ADULT), Some(&contact), ContactSource::Subject).await.unwrap();
    world.publish(&[Purpose::AggregateStatistics], true).await;
    let notified = world.control.notice_notify(&"town".parse().unwrap()).await.unwrap();
    assert_eq!((notified.queued, notified.unreachable), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_agreed_to_an_earlier_text_is_written_to_and_answers_by_the_link() {
    let Some(mail) = Server::start() else { return };
    let world = World::new().await;
    changed(&world).await;
    assert!(!world.permits(ADULT, Purpose::AggregateStatistics).await, "paused until they answer");
    let delivered = deliver(&world.control, &world.pages, &mail.mailer()).await.unwrap();
    assert_eq!(delivered, Delivered { sent: 1, ..Delivered::default() }, "{:?}", world.faults.lock().unwrap());
    let (head, text) = mail.letter();
    for header in
        ["To: anna@town.example", "Auto-Submitted: auto-generated", "Content-Language: de", "Message-ID: <fairshare-1@127.0.0.1>", "Date: Wed, 25 Nov 2026 10:00:00 +0000"]
    {
        assert!(head.contains(header), "{header} in\n{head}");
    }
    assert!(text.starts_with("Ihre Daten\n") && text.contains("Town & Sons"), "{text}");
    assert!(!text.contains("Person"), "a letter tells nothing of whom it is about");
    let path = path_in(&text);
    let page = world.get(&path, &[("Accept-Language", "de")]).await;
    assert!(page.text("#q0s").contains("früheren Text"), "{}", page.text("#q0s"));
    let done = world.fill_in(&path, &[("choice.aggregate_statistics.acme", "yes"), ("explicit.aggregate_statistics.acme", "yes")]).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(world.permits(ADULT, Purpose::AggregateStatistics).await);
    assert_eq!(deliver(&world.control, &world.pages, &mail.mailer()).await.unwrap(), Delivered::default(), "once");
    world.verified().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_tried_again_later() {
    let world = World::new().await;
    changed(&world).await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = SmtpSettings { host: "127.0.0.1".into(), port, encryption: Encryption::None, credentials: None, from: "a@town.example".into(), timeout: Duration::from_secs(2) };
    let mailer: Arc<dyn Mailer> = Arc::new(Smtp::new(settings.clone()).unwrap());
    assert_eq!(deliver(&world.control, &world.pages, &mailer).await.unwrap(), Delivered { later: 1, ..Delivered::default() });
    assert_eq!(deliver(&world.control, &world.pages, &mailer).await.unwrap(), Delivered::default(), "not before its time");
    world.clock.forward(TimeDelta::minutes(2));
    let scripted = Arc::new(Scripted { refuse: true, letters: Mutex::default() });
    assert_eq!(deliver(&world.control, &world.pages, &(scripted.clone() as Arc<dyn Mailer>)).await.unwrap(), Delivered { failed: 1, ..Delivered::default() });
    assert_eq!(scripted.letters.lock().unwrap()[0].id, "fairshare-1@127.0.0.1", "the same letter");
    assert!(!world.faults.lock().unwrap().iter().any(|fault| fault.contains("anna")), "no address in what the operator is told");
    // A password never goes in the clear.
    let clear = SmtpSettings { credentials: Some(("name".into(), "password".into())), ..settings };
    assert!(Smtp::new(clear).is_err());
}
