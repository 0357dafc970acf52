//! Consent pages: a notice behind a signed link, with one question per purpose and recipient.
//!
//! ```text
//! GET  /consent/TOKEN[?lang=de]    the notice, where each choice stands, and the form to change it
//! POST /consent/TOKEN              records choices: from this page, or from a platform's own (see `form`)
//! ```

mod form;
mod guard;
mod page;
pub(crate) mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use control_plane::{Answer, Error, Limit, NoticePage, Outcome, Serving};
use domain::consent::{Actor, LimitAct, LimitKey, LimitKind, LimitSource};
use domain::link::{Link, LinkKind, Origin};
use domain::notice::ServedBy;
use domain::{Purpose, RefusalCode, SubjectId};

use crate::App;
use form::{Fields, Filled};
use guard::From;
use page::View;
use words::Words;

/// Longest form that is read, in bytes: a notice with every purpose for a hundred recipients fits.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// When it was said last that Global Privacy Control is honoured here.
const GPC_SINCE: &str = "2026-11-25";

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/consent/{token}", get(show).post(choose))
        .route(
            "/assets/page.css",
            get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], include_str!("../../assets/page.css"))),
        )
        .route("/.well-known/gpc.json", get(gpc_support))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

async fn gpc_support() -> impl IntoResponse {
    axum::Json(signal::gpc::Support { gpc: true, last_update: Some(GPC_SINCE.to_owned()) })
}

/// What the address says besides the token.
type Named = Vec<(String, String)>;

/// A request about one person.
struct Visit<'a> {
    app: &'a App,
    link: Link,
    accepted: String,
    words: &'static Words,
    gpc: bool,
}

async fn show(State(app): State<Arc<App>>, Path(token): Path<String>, Query(named): Query<Named>, method: Method, headers: HeaderMap) -> Response {
    let visit = match visit(&app, &token, &named, &headers).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let seen = method == Method::GET && !guard::is_prefetch(&headers);
    visit.answer(visit.show(seen).await)
}

async fn choose(State(app): State<Arc<App>>, Path(token): Path<String>, Query(named): Query<Named>, headers: HeaderMap, form: Result<Form<Fields>, FormRejection>) -> Response {
    let from = guard::from(&headers, app.pages.own_origin().as_ref(), &app.pages.allowed);
    if from == From::Elsewhere {
        let words = Words::of(&guard::languages(&headers, None));
        return guard::sealed((StatusCode::FORBIDDEN, page::plain(words, words.foreign_title, words.foreign_text)), None);
    }
    let visit = match visit(&app, &token, &named, &headers).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    // What cannot be read as a form has no fields, and the page says what is missing.
    let fields = form.map(|Form(fields)| fields).unwrap_or_default();
    visit.answer(visit.choose(fields, from).await)
}

/// Opens the link, and honours the browser's signal.
async fn visit<'a>(app: &'a App, token: &str, named: &Named, headers: &HeaderMap) -> Result<Visit<'a>, Response> {
    let language = named.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.as_str());
    let accepted = guard::languages(headers, language);
    let words = Words::of(&accepted);
    let link = match app.control.link_open(token).await {
        Ok(Some(link)) => link,
        // Forged, changed, ended, or of somebody who is gone: nobody is told which.
        Ok(None) => return Err(guard::sealed((StatusCode::NOT_FOUND, page::plain(words, words.dead_title, words.dead_text)), None)),
        Err(error) => return Err(failed(app, words, &error, None)),
    };
    let back = link.return_to.as_deref().and_then(Origin::of);
    let gpc = guard::is_gpc(headers) && link.kind == LinkKind::Choose;
    if gpc && let Err(error) = honour(app, link.subject).await {
        return Err(failed(app, words, &error, back.as_ref()));
    }
    Ok(Visit { app, link, accepted, words, gpc })
}

/// Opts the person out of what Global Privacy Control is about, where that does not stand yet (11 CCR 7025).
async fn honour(app: &App, subject: SubjectId) -> Result<(), Error> {
    let narrowed = signal::meaning::of_gpc(true);
    let purposes = narrowed.iter().flat_map(|narrowing| narrowing.purposes).filter_map(|purpose| purpose.word().parse::<Purpose>().ok());
    let standing = app.control.limit_show(subject).await?;
    let stands = |purpose: Purpose| standing.iter().any(|key| key.kind == LimitKind::OptOut && key.partner.is_none() && key.purpose.is_none_or(|p| p == purpose));
    let limit = |purpose| Limit {
        key: LimitKey { subject, kind: LimitKind::OptOut, purpose: Some(purpose), partner: None },
        act: LimitAct::Set,
        actor: Actor::Subject,
        source: LimitSource::Gpc,
        two_step: false,
        at: None,
        evidence: None,
    };
    let missing: Vec<Limit> = purposes.filter(|purpose| !stands(*purpose)).map(limit).collect();
    if !missing.is_empty() {
        app.control.limit_record(&missing).await?;
    }
    Ok(())
}

impl Visit<'_> {
    fn back(&self) -> Option<Origin> {
        self.link.return_to.as_deref().and_then(Origin::of).filter(|origin| self.app.pages.allowed.contains(origin))
    }

    fn answer(&self, result: Result<Response, Error>) -> Response {
        match result {
            Ok(response) => guard::sealed(response, self.back().as_ref()),
            Err(error) => failed(self.app, self.words, &error, self.back().as_ref()),
        }
    }

    async fn page(&self) -> Result<NoticePage, Error> {
        self.app.control.notice_page(self.link.subject, &self.link.notice.name).await
    }

    fn view<'b>(&'b self, page: &'b NoticePage) -> View<'b> {
        View { words: self.words, text: page.notice.text_for(&self.accepted), page, link: &self.link, gpc: self.gpc }
    }

    /// Records that a page was seen, in the language in which it is shown.
    async fn served(&self, page: &NoticePage, language: &str, by: ServedBy) -> Result<(), Error> {
        let serving = Serving { subject: self.link.subject, notice: page.notice.reference(), language: language.to_owned(), by };
        self.app.control.notice_served(&[serving]).await.map(drop)
    }

    const fn by(&self) -> ServedBy {
        match self.link.kind {
            LinkKind::Choose => ServedBy::Page,
            LinkKind::Parent => ServedBy::Parent,
        }
    }

    async fn show(&self, seen: bool) -> Result<Response, Error> {
        let page = self.page().await?;
        let view = self.view(&page);
        if seen {
            self.served(&page, &view.text.wording.language, self.by()).await?;
        }
        Ok(view.questions(&Filled::default(), None).into_response())
    }

    async fn choose(&self, mut fields: Fields, from: From) -> Result<Response, Error> {
        let page = self.page().await?;
        let view = self.view(&page);
        if let Some(place) = fields.iter().position(|(field, _)| field == "parent_email") {
            return self.ask_parent(&view, &fields.swap_remove(place).1).await;
        }
        let (filled, answers) = form::read(fields, &page, self.link.kind, self.words);
        let Some(answers) = answers else {
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, view.questions(&filled, None)).into_response());
        };
        if page.notice.reference() == answers.notice {
            let Some(text) = page.notice.text_in(&answers.language) else {
                let wrong = [(String::new(), self.words.wrong_version.to_owned())].into();
                return Ok((StatusCode::UNPROCESSABLE_ENTITY, view.questions(&Filled { wrong, ..filled }, None)).into_response());
            };
            // A platform showed the text on a page of its own, and says so by sending the form.
            if from == From::Platform {
                self.served(&page, &text.wording.language, ServedBy::Platform).await?;
            }
        }
        match self.app.control.notice_answer(&self.link, &answers).await? {
            Outcome::Changed => {
                self.served(&page, &view.text.wording.language, self.by()).await?;
                Ok((StatusCode::CONFLICT, view.questions(&Filled::default(), Some(self.words.newer))).into_response())
            }
            Outcome::Confirm(token) => Ok(view.confirm(&answers, &token, &filled).into_response()),
            Outcome::Recorded { receipts, needs_parent } => {
                if self.link.kind == LinkKind::Parent && answers.answers.iter().any(|answered| answered.answer == Answer::Yes) {
                    self.app.control.parent_confirm(&self.link, self.words.language).await?;
                }
                match self.back().and(self.link.return_to.as_deref()) {
                    // Nothing of what was chosen is in the address.
                    Some(url) if needs_parent.is_empty() => Ok((StatusCode::SEE_OTHER, [(header::LOCATION, url.to_owned())]).into_response()),
                    _ => Ok(view.recorded(&receipts, !needs_parent.is_empty()).into_response()),
                }
            }
        }
    }

    async fn ask_parent(&self, view: &View<'_>, address: &str) -> Result<Response, Error> {
        let again = || Ok((StatusCode::UNPROCESSABLE_ENTITY, view.parent_again()).into_response());
        let concerned = self.link.kind == LinkKind::Choose && form::questions(view.page, self.link.kind).any(|asking| asking.needs.parental);
        if !concerned {
            return again();
        }
        match self.app.control.parent_ask(&self.link, address.trim(), self.words.language).await {
            Ok(_) => Ok(view.parent_asked().into_response()),
            Err(Error::Refused(refusal)) if refusal.code == RefusalCode::Mail => again(),
            Err(other) => Err(other),
        }
    }
}

/// Nothing was recorded; the operator learns why.
fn failed(app: &App, words: &Words, error: &Error, back: Option<&Origin>) -> Response {
    let status = match error {
        Error::Failed(fault) => {
            (app.pages.report)(fault);
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Error::Conflict(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Refused(_) | Error::NotFound { .. } => StatusCode::CONFLICT,
    };
    guard::sealed((status, page::plain(words, words.down_title, words.down_text)), back)
}
