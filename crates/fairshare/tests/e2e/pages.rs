//! From a link to a receipt: the real server, spoken to over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::command::{Deployment, repository};

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(d: &Deployment) -> Self {
        let mut child = d.command(&["serve", "--listen", "127.0.0.1:0", "--public-url", "https://consent.town.example"]).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).find(|line| line.contains("http://")).unwrap();
        let address = said.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        Self { child, address }
    }

    /// Sends a request; gives the status line, headers and body.
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: consent.town.example\r\nConnection: close\r\nAccept-Language: de\r\nSec-Fetch-Site: same-origin\r\n\
             Origin: https://consent.town.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn from_a_signed_link_to_a_receipt_that_anybody_verifies() {
    let d = Deployment::new().with_partner("1");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let who = ["--legal-name", "Town Council", "--address", "1 Market Square", "--country", "DE", "--email", "privacy@town.example"];
    let link = ["consent", "link", "--subject", "1", "--notice", "asked", "--public-url", "https://consent.town.example"];
    d.ok(&[&["controller", "describe"][..], &who].concat());
    d.ok(&[&["partner", "describe", "acme"][..], &who].concat());
    let text = d.path().join("asked.txt");
    std::fs::write(&text, "May Acme count you?").unwrap();
    let publish = ["notice", "publish", "asked", "--text", text.to_str().unwrap(), "--purpose", "aggregate_statistics", "--partner", "acme"];
    let told = ["--storage", "DE", "--jurisdiction", "DE", "--rights-url", "https://town.example/rights", "--withdrawal-url", "https://town.example/choices"];
    let sentences = ["--ask", "aggregate_statistics=Acme may count me.", "--ask-explicitly", "aggregate_statistics=Also by what I write about."];
    d.ok(&[&publish[..], &told, &sentences].concat());
    let sentences = ["--ask", "aggregate_statistics=Acme darf mich mitzählen.", "--ask-explicitly", "aggregate_statistics=Auch danach, worüber ich schreibe."];
    let translate = ["notice", "translate", "asked", "--text", text.to_str().unwrap(), "--language", "de", "--title", "Darf Acme Sie mitzählen?"];
    d.ok(&[&translate[..], &sentences].concat());
    let url = d.ok(&link)["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("https://consent.town.example").unwrap();
    let server = Server::start(&d);
    let page = server.request("GET", path, "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Darf Acme Sie mitzählen?") && page.contains("lang=\"de\""), "{page}");
    assert!(server.request("GET", "/consent/forged", "").starts_with("HTTP/1.1 4"));
    let form = "version=1&language=de&choice.aggregate_statistics.acme=yes&explicit.aggregate_statistics.acme=yes";
    let answered = server.request("POST", path, form);
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    let decided = d.ok(&["decide", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics"]);
    assert_eq!(decided["decision"], "permit", "{decided}");
    let seen = d.ok(&["notice", "seen", "asked"]);
    assert_eq!((&seen["seen"][0]["subject"], &seen["seen"][0]["language"]), (&json!(1), &json!("de")), "{seen}");
    let receipt = d.ok(&["consent", "receipt", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics"]);
    let file = d.path().join("receipt");
    std::fs::write(&file, receipt["note"].as_str().unwrap()).unwrap();
    let key = server.request("GET", "/log/receipts-key", "");
    let key = key.split("\r\n\r\n").nth(1).unwrap().trim();
    let file = file.to_str().unwrap();
    assert_eq!(d.run(&["consent", "verify", file, "--key", key]).status.code(), Some(0));
    std::fs::write(file, receipt["note"].as_str().unwrap().replace("Town Council", "Town Hall")).unwrap();
    assert!(d.fails(6, &["consent", "verify", file, "--key", key]).contains("NOT VERIFIED"));
    drop(server);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}
