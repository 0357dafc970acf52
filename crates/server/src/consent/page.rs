//! Pages as HTML: no script, no picture, nothing from elsewhere. A yes and a no are the same element with the same
//! classes; nothing is ticked that the person did not tick.

use control_plane::{Answer, Answers, Asking, NoticePage, Receipt};
use domain::Timestamp;
use domain::consent::{ConsentState, DataScope, Recipient};
use domain::link::{Link, LinkKind};
use domain::notice::{NoticeText, Sentence};
use domain::party::Party;
use maud::{DOCTYPE, Markup, html};

use super::form::{Filled, choice_field, explicit_field, is_answered, questions};
use super::words::Words;

/// What a page is made of besides what it says.
pub(super) struct View<'a> {
    pub(super) words: &'static Words,
    pub(super) text: &'a NoticeText,
    pub(super) page: &'a NoticePage,
    pub(super) link: &'a Link,
    /// Whether the browser sent Global Privacy Control, and it was honoured.
    pub(super) gpc: bool,
}

/// A whole document. Addresses are relative, so that a proxy may put pages below any path.
fn document(words: &Words, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href="../assets/page.css";
            }
            body { (main) }
        }
    }
}

/// A page that says one thing.
pub(super) fn plain(words: &Words, title: &str, text: &str) -> Markup {
    document(words, title, &html! { main { h1 { (title) } p { (text) } } })
}

fn date(at: Timestamp) -> Markup {
    let day = at.date_naive().to_string();
    html! { time datetime=(day) { (day) } }
}

/// Paragraphs of a plain text: empty lines part them, other line breaks stay.
fn paragraphs(text: &str) -> Markup {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    html! {
        @for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
            p { (lines(block)) }
        }
    }
}

fn lines(text: &str) -> Markup {
    html! { @for (n, line) in text.lines().enumerate() { @if n > 0 { br; } (line) } }
}

impl View<'_> {
    fn sentence(&self, asking: &Asking) -> Option<&Sentence> {
        self.text.wording.sentences.get(&asking.purpose)
    }

    /// The heading, the text, and in which other languages it can be read.
    fn notice(&self) -> Markup {
        let language = &self.text.wording.language;
        html! {
            a.skip href="#choices" { (self.words.skip) }
            p.quiet dir="auto" { (self.page.controller.legal_name) }
            article lang=(language) dir="auto" {
                h1 { (self.text.wording.title) }
                (paragraphs(&self.text.wording.text))
            }
            @if !self.page.notice.translations.is_empty() {
                nav aria-label=(self.words.languages) {
                    @for other in self.page.notice.texts().filter(|text| text.wording.language != *language) {
                        @let tag = &other.wording.language;
                        a href={ "?lang=" (tag) } lang=(tag) hreflang=(tag) { (tag) ": " (other.wording.title) }
                    }
                }
            }
            @if self.gpc { p.box role="status" { (self.words.gpc) } }
        }
    }

    /// The page with its questions; with `filled` what was wrong with the form, and what stood in it.
    pub(super) fn questions(&self, filled: &Filled, said: Option<&str>) -> Markup {
        let (words, kind) = (self.words, self.link.kind);
        let asked: Vec<&Asking> = questions(self.page, kind).collect();
        let main = html! {
            main {
                (self.notice())
                @if let Some(said) = said { p.box role="status" { (said) } }
                @if kind == LinkKind::Parent { p.box { (words.parent_page) } }
                (self.mistakes(filled, &asked))
                h2 id="choices" { (words.choices) }
                @if kind == LinkKind::Parent && asked.is_empty() { p { (words.parent_nothing) } }
                @if !asked.is_empty() {
                    p.quiet { (words.how) }
                    form method="post" accept-charset="utf-8" {
                        (self.shown())
                        @for (n, asking) in asked.iter().enumerate() { (self.question(n, asking, filled)) }
                        @if kind == LinkKind::Parent && asked.iter().any(|asking| asking.barred.is_none()) { (self.declaration(filled)) }
                        p { button type="submit" { (words.save) } }
                    }
                }
                @if kind == LinkKind::Choose {
                    @for asking in self.page.asked.iter().filter(|asking| asking.barred.is_some() && !asking.has_yes()) { (self.not_asked(asking)) }
                }
                (self.about())
            }
        };
        document(words, &self.text.wording.title, &main)
    }

    /// Which text is on the page.
    fn shown(&self) -> Markup {
        html! {
            input type="hidden" name="version" value=(self.page.notice.version);
            input type="hidden" name="language" value=(self.text.wording.language);
        }
    }

    /// What is wrong, with links to where it is (WCAG 3.3.1).
    fn mistakes(&self, filled: &Filled, asked: &[&Asking]) -> Markup {
        let place = |field: &str| {
            let of = |n: usize, asking: &Asking| {
                if choice_field(asking) == field {
                    Some(format!("q{n}"))
                } else if explicit_field(asking) == field {
                    Some(format!("q{n}e"))
                } else {
                    None
                }
            };
            if field == "declaration" { Some("declaration".to_owned()) } else { asked.iter().enumerate().find_map(|(n, asking)| of(n, asking)) }
        };
        html! {
            @if !filled.wrong.is_empty() {
                div.box role="alert" {
                    h2 { (self.words.wrong_title) }
                    ul {
                        @for (field, why) in &filled.wrong {
                            li { @if let Some(id) = place(field) { a href={ "#" (id) } { (why) } } @else { (why) } }
                        }
                    }
                }
            }
        }
    }

    fn question(&self, n: usize, asking: &Asking, filled: &Filled) -> Markup {
        let (words, field, id) = (self.words, choice_field(asking), format!("q{n}"));
        let answers: &[(&str, &str)] = if asking.barred.is_some() {
            &[("no", words.no)]
        } else if is_answered(asking) {
            &[("yes", words.yes), ("no", words.no)]
        } else {
            &[("yes", words.yes), ("no", words.no), ("later", words.later)]
        };
        html! {
            fieldset id=(id) aria-describedby={ (id) "s" } {
                legend { (self.asks(asking)) }
                p { (words.receives) ": " (recipient(asking, words)) }
                p.quiet id={ (id) "s" } { @if asking.barred.is_some() { (words.barred_yes) } @else { (self.stands(asking)) } }
                @if !asking.barred_by.is_empty() { (self.barred_by(asking)) }
                (mistake(filled, &field))
                (radios(&field, answers, filled))
                @if asking.needs.parental && asking.barred.is_none() && self.link.kind == LinkKind::Choose { p { (words.needs_parent) } }
                @if asking.needs.explicit && asking.barred.is_none() {
                    fieldset id={ (id) "e" } {
                        legend { (self.asks_explicitly(asking)) }
                        (mistake(filled, &explicit_field(asking)))
                        (radios(&explicit_field(asking), &[("yes", words.yes), ("no", words.no)], filled))
                    }
                }
            }
        }
    }

    /// What is asked, in the notice's words if it has them.
    fn asks(&self, asking: &Asking) -> Markup {
        match self.sentence(asking) {
            Some(sentence) => html! { span lang=(self.text.wording.language) dir="auto" { (lines(&sentence.ask)) } },
            None => html! { (name(asking)) ": " (self.words.purpose(asking.purpose)) },
        }
    }

    fn asks_explicitly(&self, asking: &Asking) -> Markup {
        match self.sentence(asking).and_then(|sentence| sentence.explicit.as_deref()) {
            Some(explicit) => html! { span lang=(self.text.wording.language) dir="auto" { (lines(explicit)) } },
            None => html! { (self.words.explicit) },
        }
    }

    /// Where it stands.
    fn stands(&self, asking: &Asking) -> Markup {
        let words = self.words;
        let said = match asking.state {
            _ if asking.changed => words.has_changed,
            ConsentState::Given | ConsentState::Renewed => words.said_yes,
            ConsentState::Refused | ConsentState::Withdrawn => words.said_no,
            ConsentState::Deferred => words.put_off,
            ConsentState::Unknown | ConsentState::Requested | ConsentState::Revoked | ConsentState::Expired | ConsentState::Invalidated => words.not_said,
        };
        html! {
            (said)
            @if let Some(since) = asking.since.filter(|_| !asking.changed) { " (" (date(since)) ")" }
            @if asking.limited { " " (words.limited) }
        }
    }

    fn not_asked(&self, asking: &Asking) -> Markup {
        html! { p { strong { (self.asks(asking)) } " " (self.words.barred) } }
    }

    /// Which rules close it, in the words of their pack.
    fn barred_by(&self, asking: &Asking) -> Markup {
        html! {
            p.quiet { (self.words.barred_by) ":" }
            ul { @for rule in &asking.barred_by { li.quiet dir="auto" { (rule.text) " (" (rule.source) ")" } } }
        }
    }

    fn declaration(&self, filled: &Filled) -> Markup {
        let ticked = filled.values.get("declaration").is_some_and(|value| value == "yes");
        html! {
            (mistake(filled, "declaration"))
            label.choice { input id="declaration" type="checkbox" name="declaration" value="yes" checked[ticked]; (self.words.declaration) }
        }
    }

    /// What must be told besides (GDPR Art. 13).
    fn about(&self) -> Markup {
        let Self { words, text, page, .. } = self;
        let (wording, particulars, controller) = (&text.wording, &page.notice.particulars, &page.controller);
        let scopes = if page.notice.terms.scopes.contains(&DataScope::Everything) { &[DataScope::Everything][..] } else { &page.notice.terms.scopes };
        html! {
            h2 { (words.about) }
            dl {
                dt { (words.controller) }
                dd dir="auto" {
                    (controller.legal_name) br; (lines(&controller.address))
                    @if let Some(country) = &controller.country { br; (country) }
                    @if let Some(email) = &controller.email { br; (email) }
                    @if let Some(url) = &controller.url { br; (outside(url)) }
                }
                @if let Some(officer) = &controller.officer { dt { (words.officer) } dd dir="auto" { (lines(officer)) } }
                dt { (words.data) }
                @for scope in scopes { dd { (words.scope(*scope)) } }
                dt { (words.retention) }
                dd { (own_or(wording.retention.as_deref(), &wording.language, words.retention_default)) }
                @if !particulars.storage.is_empty() { dt { (words.storage) } dd { (particulars.storage.join(", ")) } }
                dt { (words.withdrawal) }
                dd { (words.withdrawal_default) }
                @if let Some(withdrawal) = &wording.withdrawal { dd lang=(wording.language) dir="auto" { (lines(withdrawal)) } }
                @if let Some(url) = &particulars.withdrawal_url { dd { (outside(url)) } }
                dt { (words.rights) }
                dd { (words.rights_text) @if let Some(url) = &particulars.rights_url { br; (outside(url)) } }
                @if let Some(authority) = &controller.authority { dt { (words.authority) } dd dir="auto" { (lines(authority)) } }
                dt { (words.version) }
                dd { (page.notice.version) ", " (date(page.notice.published_at)) }
            }
        }
    }

    /// The second step: the same answers again, with what confirms them.
    pub(super) fn confirm(&self, given: &Answers, confirmation: &str, filled: &Filled) -> Markup {
        let words = self.words;
        let main = html! {
            main {
                h1 { (words.confirm_title) }
                p { (words.confirm_text) }
                ul {
                    @for answered in &given.answers {
                        @if let Some(asking) = self.page.asking(answered.purpose, &answered.recipient) {
                            li { (self.asks(asking)) " " strong { (answer(words, answered.answer)) } }
                        }
                    }
                }
                form method="post" accept-charset="utf-8" {
                    @for (field, value) in filled.values.iter().filter(|(field, _)| *field != "confirmation") {
                        input type="hidden" name=(field) value=(value);
                    }
                    input type="hidden" name="confirmation" value=(confirmation);
                    p { button type="submit" { (words.confirm) } }
                }
                p { a href="" { (words.change) } }
            }
        };
        document(words, words.confirm_title, &main)
    }

    /// What was recorded, and what can be done next.
    pub(super) fn recorded(&self, receipts: &[Receipt], needs_parent: bool) -> Markup {
        let words = self.words;
        let title = if receipts.is_empty() { words.unchanged } else { words.recorded };
        let main = html! {
            main {
                h1 { (title) }
                @if self.gpc { p.box role="status" { (words.gpc) } }
                @if !receipts.is_empty() {
                    ul {
                        @for receipt in receipts {
                            li {
                                @let key = &receipt.event.key;
                                @if let Some(asking) = self.page.asking(key.purpose, &key.recipient) { (self.asks(asking)) " – " (recipient(asking, words)) }
                                ": " strong { (state(words, receipt.state)) } " "
                                span.quiet { (words.receipt) " " (receipt.event.seq) " / " (receipt.entry) ", " (date(receipt.event.order.at)) }
                            }
                        }
                    }
                }
                @if needs_parent { (self.offer_parent(None)) }
                p { a href="" { (words.change) } }
                @if let Some(url) = &self.link.return_to { p { a href=(url) rel="noreferrer" { (words.back) } } }
            }
        };
        document(words, title, &main)
    }

    /// Where a parent is reached; with what was wrong with it.
    fn offer_parent(&self, wrong: Option<&str>) -> Markup {
        let words = self.words;
        html! {
            h2 { (words.parent_title) }
            p { (words.parent_offer) }
            form method="post" accept-charset="utf-8" {
                p { label for="parent" { (words.parent_email) } }
                @if let Some(wrong) = wrong { p.error id="parent-error" { (wrong) } }
                p {
                    input id="parent" type="email" name="parent_email" autocomplete="off" required aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "parent-error")];
                }
                p { button type="submit" { (words.parent_send) } }
            }
        }
    }

    /// The same as a page of its own, when the address was wrong. What was typed is not shown back: it may be
    /// somebody else's.
    pub(super) fn parent_again(&self) -> Markup {
        document(self.words, self.words.parent_title, &html! { main { h1 { (self.words.wrong_title) } (self.offer_parent(Some(self.words.wrong_email))) } })
    }

    /// That a letter to a parent is on its way.
    pub(super) fn parent_asked(&self) -> Markup {
        let words = self.words;
        let main = html! {
            main {
                h1 { (words.parent_title) }
                p role="status" { (words.parent_sent) }
                p { a href="" { (words.change) } }
                @if let Some(url) = &self.link.return_to { p { a href=(url) rel="noreferrer" { (words.back) } } }
            }
        };
        document(words, words.parent_title, &main)
    }
}

fn radios(field: &str, answers: &[(&str, &str)], filled: &Filled) -> Markup {
    let chosen = filled.values.get(field).map(String::as_str);
    html! {
        @for (value, label) in answers {
            label.choice { input type="radio" name=(field) value=(value) checked[chosen == Some(value)]; (label) }
        }
    }
}

fn mistake(filled: &Filled, field: &str) -> Markup {
    html! { @if let Some(why) = filled.wrong.get(field) { p.error { (why) } } }
}

/// The recipient's name.
fn name(asking: &Asking) -> Markup {
    match (&asking.party, &asking.recipient) {
        (Some(party), _) => html! { bdi { (party.legal_name) } },
        (None, recipient) => html! { (recipient) },
    }
}

/// The recipient as people are told of it.
fn recipient(asking: &Asking, words: &Words) -> Markup {
    match (&asking.party, &asking.recipient) {
        (Some(Party { legal_name, address, .. }), _) => html! { bdi { (legal_name) @if !address.is_empty() { ", " (address.lines().collect::<Vec<_>>().join(", ")) } } },
        (None, Recipient::Class(class)) => html! { (class) " (" (words.class) ")" },
        (None, Recipient::Partner(partner)) => html! { (partner) },
    }
}

fn outside(url: &str) -> Markup {
    html! { a href=(url) rel="noreferrer" { (url) } }
}

fn own_or(own: Option<&str>, language: &str, default: &str) -> Markup {
    match own {
        Some(text) => html! { span lang=(language) dir="auto" { (lines(text)) } },
        None => html! { (default) },
    }
}

const fn answer(words: &Words, answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => words.yes,
        Answer::No => words.no,
        Answer::Later => words.later,
    }
}

const fn state(words: &Words, state: ConsentState) -> &'static str {
    match state {
        ConsentState::Given | ConsentState::Renewed => words.yes,
        ConsentState::Refused | ConsentState::Withdrawn => words.no,
        ConsentState::Unknown | ConsentState::Requested | ConsentState::Deferred | ConsentState::Revoked | ConsentState::Expired | ConsentState::Invalidated => words.later,
    }
}
