//! `fairshare query`.

use std::process::ExitCode;

use control_plane::{Ask, Error};
use domain::Fault;
use domain::question::{Estimate, Narrowing, Presented, Question, Shown, Tie, Value as Cell};
use domain::release::{Balance, Quote, Release};
use dp::{Cost, Delta, Rho};
use serde_json::{Value, json};

use crate::chart::{count, grouped};
use crate::cli::{Asking, Query};
use crate::deployment::{Deployment, tell_operator};
use crate::failure::Usage;
use crate::output::{Format, line, note, number, object, objects, rows};
use crate::simulation::{self, Simulated};

/// The price of a question when none is named, in billionths of ρ.
pub(crate) const RHO_DEFAULT: Rho = Rho::from_nano(50_000_000);

impl Asking {
    /// What the partner is ready to pay.
    pub(crate) fn rho(&self) -> Result<Rho, Usage> {
        match (self.rho, self.epsilon) {
            (Some(rho), _) => Ok(rho),
            (None, Some(epsilon)) => dp::rho_for_epsilon(epsilon, Delta::LIFETIME).map_err(|e| Usage(e.to_string())),
            (None, None) => Ok(RHO_DEFAULT),
        }
    }

    /// A question of this partner.
    pub(crate) fn ask(&self, question: Question) -> Ask {
        Ask { partner: self.partner.clone(), purpose: self.purpose, agreement: self.agreement.clone(), question, fresh: self.fresh }
    }
}

pub(crate) async fn query(args: Query, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Query { asking, simulate, param, bound, sql } = args;
    let question = Question { sql, params: params(&param), rho: asking.rho()?, narrowing: narrowing(&bound)? };
    let ask = asking.ask(question);
    if simulate {
        // As for an estimate: the partner must be allowed to ask.
        let quote = deployment.control.release_quote(&*deployment.clean_room()?, &ask).await?;
        let tables = deployment.control.partner_table_visible(&ask.partner).await?;
        return print_simulated(&simulation::simulate(&ask.question, tables).await?, &quote, format);
    }
    if asking.estimate {
        return estimated(&ask, deployment, format).await;
    }
    print(&released(&ask, deployment).await?, format)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what a question would cost.
pub(crate) async fn estimated(ask: &Ask, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let quote = deployment.control.release_quote(&*deployment.clean_room()?, ask).await?;
    if format == Format::Table {
        print_quote(&quote)?
    } else {
        object(format, &quote_document(&quote))?
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks a question.
pub(crate) async fn released(ask: &Ask, deployment: &Deployment) -> anyhow::Result<Release> {
    deployment.control.release_run(deployment.clean_room()?, ask).await.map_err(|error| uniform(error, deployment))
}

/// What a partner may see of an error. A fault's cause can hold anything, also somebody's data: it goes
/// to the operator's file, and the answer is one sentence whatever happened.
fn uniform(error: Error, deployment: &Deployment) -> anyhow::Error {
    match error {
        Error::Failed(fault) => {
            let told = tell_operator(&deployment.folder, &fault);
            told.err().unwrap_or_else(|| anyhow::anyhow!(Fault::PUBLIC_TEXT))
        }
        Error::Refused(_) | Error::NotFound { .. } | Error::Conflict(_) => error.into(),
    }
}

/// Values of parameters: numbers, `true`, `false`, `null`, and otherwise text, also in single quotes.
fn params(written: &[String]) -> Vec<Cell> {
    let value = |text: &String| match text.as_str() {
        "null" => Cell::Null,
        "true" => Cell::Boolean(true),
        "false" => Cell::Boolean(false),
        text => {
            let quoted = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            let number = || text.parse().map(Cell::Integer).ok().or_else(|| text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Cell::Float));
            quoted.map(|text| Cell::Text(text.to_owned())).or_else(number).unwrap_or_else(|| Cell::Text(text.to_owned()))
        }
    };
    written.iter().map(value).collect()
}

/// `groups=4`, `rows=10`, `rows_overall=20`, `people=50`, `word_count=0..500`, `value:word_count=0..100`.
fn narrowing(bounds: &[String]) -> Result<Narrowing, Usage> {
    let mut narrowing = Narrowing::default();
    for bound in bounds {
        let wrong = || Usage(format!("`{bound}` is not a bound; write groups=4, rows=10, rows_overall=20, people=50, word_count=0..500 or value:word_count=0..100"));
        let (name, value) = bound.split_once('=').ok_or_else(wrong)?;
        match name {
            "groups" => narrowing.groups = Some(value.parse().map_err(|_| wrong())?),
            "people" => narrowing.cohort = Some(value.parse().map_err(|_| wrong())?),
            "rows_overall" => narrowing.rows_overall = Some(value.parse().map_err(|_| wrong())?),
            "rows" => narrowing.rows_per_group = Some(value.parse().map_err(|_| wrong())?),
            column => {
                let (low, high) = value.split_once("..").ok_or_else(wrong)?;
                let range = (low.parse().map_err(|_| wrong())?, high.parse().map_err(|_| wrong())?);
                match column.strip_prefix("value:") {
                    Some(column) => narrowing.values.insert(column.to_owned(), range),
                    None => narrowing.sums.insert(column.to_owned(), range),
                };
            }
        }
    }
    Ok(narrowing)
}

/// A price with the (ε, δ) that it amounts to.
fn cost_document(cost: Cost) -> Value {
    json!({ "rho": number(cost.rho), "epsilon": dp::epsilon(cost, Delta::LIFETIME), "delta": number(Delta::LIFETIME), "delta_spent": number(cost.delta) })
}

fn budget_document(budget: &Balance) -> Value {
    json!({ "spent": { "rho": number(budget.spent.rho), "delta": number(budget.spent.delta) }, "left": { "rho": number(budget.left.rho), "delta": number(budget.left.delta) } })
}

/// The headers and cells of what is shown, as they are.
pub(crate) fn shown(presented: &Presented) -> (Vec<String>, Vec<Vec<Value>>) {
    let mut headers = Vec::new();
    for column in &presented.columns {
        headers.push(column.name.clone());
        if column.range {
            headers.extend([format!("{}_low", column.name), format!("{}_high", column.name)]);
        }
    }
    let cells = presented.rows.iter().map(|row| flat(row, &presented.columns)).collect();
    (headers, cells)
}

/// A result on synthetic rows, which says so everywhere.
fn print_simulated(simulated: &Simulated, quote: &Quote, format: Format) -> anyhow::Result<ExitCode> {
    let (headers, cells) = for_format(shown(&simulated.presented), format);
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let kept: Vec<Value> = simulated.kept.iter().map(|(aggregate, share)| json!({ "aggregate": aggregate, "share": share })).collect();
    let document = json!({
        "schema": 1, "simulated": true, "people": simulated.people, "columns": simulated.presented.columns, "rows": objects(&headers, &cells), "bounds_keep": kept,
        "cost": cost_document(quote.cost),
    });
    rows(format, &headers, &cells, &document)?;
    if format == Format::Table {
        note(&format!("SIMULATED on {} people who do not exist: nothing here comes from anybody's data, and nothing was paid", count(simulated.people.into())));
        for (aggregate, share) in &simulated.kept {
            note(&format!("there, the bounds keep {:.1} % of {aggregate}", share * 100.0));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(release: &Release, format: Format) -> anyhow::Result<()> {
    let (headers, cells) = for_format(shown(&release.presented), format);
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let mut document = release_document(release);
    if let Value::Object(fields) = &mut document {
        fields.insert("rows".to_owned(), json!(objects(&headers, &cells)));
    }
    rows(format, &headers, &cells, &document)?;
    if format == Format::Table {
        ties(&release.presented).iter().for_each(|sentence| note(sentence));
        note(&summary(release));
    }
    Ok(())
}

/// Neighbours that are named, at most.
const TIES: usize = 5;

/// Which numbers the noise does not tell apart, in words, column by column.
pub(crate) fn ties(presented: &Presented) -> Vec<String> {
    let ties = presented.ties();
    let key = |row: usize| {
        let keys = presented.rows.get(row).into_iter().flatten().zip(&presented.columns).filter(|(_, column)| column.role == "key");
        keys.map(|((value, _), _)| if *value == Cell::Null { "(not known)".to_owned() } else { value.to_string() }).collect::<Vec<_>>().join(", ")
    };
    let of_column = |same: &[Tie]| {
        let name = same.first().and_then(|tie| presented.columns.get(tie.column)).map(|column| column.name.as_str()).unwrap_or_default();
        let named: Vec<String> = same.iter().take(TIES).map(|tie| format!("{} and {}", key(tie.larger), key(tie.smaller))).collect();
        let more = if same.len() > TIES { format!(", and {} more", same.len() - TIES) } else { String::new() };
        format!("not told apart by {name}: {}{more}", named.join("; "))
    };
    // Without keys there is nothing to name.
    if presented.columns.iter().all(|column| column.role != "key") { Vec::new() } else { ties.chunk_by(|a, b| a.column == b.column).map(of_column).collect() }
}

/// A release without its rows.
pub(crate) fn release_document(release: &Release) -> Value {
    json!({
        "schema": 1, "release": { "id": release.id, "redelivered": release.redelivered }, "columns": release.presented.columns, "not_told_apart": release.presented.ties(),
        "cost": cost_document(release.cost), "budget": budget_document(&release.budget), "as_of": release.as_of,
    })
}

/// One output row: each value, and where noise moved it the ends of its range.
fn flat(row: &[Shown], columns: &[domain::question::PresentedColumn]) -> Vec<Value> {
    let mut out = Vec::new();
    for ((value, range), column) in row.iter().zip(columns) {
        out.push(value.to_json());
        if column.range {
            let (low, high) = range.clone().unwrap_or((Cell::Null, Cell::Null));
            out.extend([low.to_json(), high.to_json()]);
        }
    }
    out
}

/// Headers and cells as a format wants them: for eyes, fractions are short.
pub(crate) fn for_format((headers, mut cells): (Vec<String>, Vec<Vec<Value>>), format: Format) -> (Vec<String>, Vec<Vec<Value>>) {
    if format == Format::Table {
        cells.iter_mut().flatten().for_each(shorten);
    }
    (headers, cells)
}

/// A fraction with as many places as eyes want.
fn shorten(cell: &mut Value) {
    if let Some(x) = cell.as_f64().filter(|_| cell.is_f64()) {
        *cell = json!((x * 1_000.0).round() / 1_000.0);
    }
}

/// One line below a released table.
pub(crate) fn summary(release: &Release) -> String {
    let paid = if release.redelivered {
        "free: this question was answered before, here is the same answer".to_owned()
    } else {
        format!("cost ρ = {} (ε = {:.2} at δ = 1e-6)", release.cost.rho, dp::epsilon(release.cost, Delta::LIFETIME))
    };
    format!(
        "release {} as of {} · {paid} · ρ = {} left · ranges hold 19 times out of 20 and cover the privacy noise",
        release.id,
        release.as_of.format("%Y-%m-%d %H:%M:%S UTC"),
        release.budget.left.rho
    )
}

fn quote_document(quote: &Quote) -> Value {
    json!({ "schema": 1, "cost": cost_document(quote.cost), "budget": budget_document(&quote.budget), "fits": quote.fits, "estimate": quote.estimate })
}

/// The estimate in words.
pub(crate) fn quote_lines(quote: &Quote) -> Vec<String> {
    let Estimate { aggregates, averages, threshold, vanishing_below, groups_per_person, rows_per_group, rows_overall } = &quote.estimate;
    let mut lines = vec![
        format!("cost               ρ = {} (ε = {:.2} at δ = 1e-6) of ρ = {} left", quote.cost.rho, dp::epsilon(quote.cost, Delta::LIFETIME), quote.budget.left.rho),
        format!("more like it       {} fit into every budget", quote.fits),
    ];
    for a in aggregates {
        lines.push(format!("expected accuracy  {}: within ±{} (95 %); readable at ±10 % from about {}", a.aggregate, grouped(a.half_width_95), grouped(a.readable_at_10_percent)));
    }
    for average in averages {
        let widths = average.half_widths.iter().map(|w| format!("±{} of {} values", grouped(w.half_width_95), count(w.count)));
        lines.push(format!("expected accuracy  {}: within {} (95 %)", average.average, widths.collect::<Vec<_>>().join(", ")));
    }
    match (threshold, vanishing_below) {
        (Some(threshold), Some(below)) => lines.push(format!("small groups       shown from about {threshold} people; below {below} almost surely not")),
        _ => lines.push("groups             all are shown, also empty ones: their list is public".to_owned()),
    }
    let overall = rows_overall.map_or_else(String::new, |rows| format!(", and {rows} in all"));
    lines.push(format!("one person counts  in at most {groups_per_person} groups, with at most {rows_per_group} rows in each{overall}"));
    lines
}

fn print_quote(quote: &Quote) -> std::io::Result<()> {
    quote_lines(quote).iter().try_for_each(|l| line(l))
}
