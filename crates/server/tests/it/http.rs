//! A browser without a screen: requests, answers, and the forms in them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use scraper::{ElementRef, Html, Selector};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Sends a request, with these headers besides the necessary ones.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if method == "POST" {
        head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// Fields as a form sends them.
pub(crate) fn encoded(fields: &[(String, String)]) -> String {
    let plain = |text: &str| {
        let byte = |b: u8| if b.is_ascii_alphanumeric() || b"-_.".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") };
        text.bytes().map(byte).collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{}={}", plain(name), plain(value))).collect::<Vec<_>>().join("&")
}

pub(crate) fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

pub(crate) fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Answer {
    /// The page, which must be HTML without a single error of its syntax.
    pub(crate) fn page(&self) -> Html {
        let page = Html::parse_document(&self.body);
        assert!(page.errors.is_empty(), "{:?} in\n{}", page.errors, self.body);
        page
    }

    /// The text of the first element that a selector finds.
    pub(crate) fn text(&self, selector: &str) -> String {
        let page = self.page();
        let found = page.select(&select(selector)).next();
        found.map(text_of).unwrap_or_default()
    }

    /// The texts of all of them.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        self.page().select(&select(selector)).map(text_of).collect()
    }

    /// What the first form of the page would send if nothing were touched: hidden fields, and what is ticked.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let page = self.page();
        let Some(form) = page.select(&select("form")).next() else { return Vec::new() };
        let sent = |input: &ElementRef<'_>| match input.attr("type").unwrap() {
            "radio" | "checkbox" => input.attr("checked").is_some(),
            _ => true,
        };
        form.select(&select("input")).filter(sent).map(|i| (i.attr("name").unwrap().to_owned(), i.attr("value").unwrap_or_default().to_owned())).collect()
    }
}
