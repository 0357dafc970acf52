//! From a released answer to what is shown.

use domain::question::{Presented, Shown, Value as Cell};
use serde_json::{Value, json};

use super::Kind;
use super::share::{Estimate, shares};
use super::trend::{Movement, movements};
use crate::chart::{Bar, bars, heat};
use crate::command::query::shown;

/// What an insight shows: rows with their own columns, a chart, and sentences.
pub(crate) struct Reading {
    pub(crate) headers: Vec<String>,
    pub(crate) cells: Vec<Vec<Value>>,
    pub(crate) chart: String,
    pub(crate) notes: Vec<String>,
}

/// The noisy number in a column.
fn estimate(row: &[Shown], column: usize) -> Option<Estimate> {
    let (value, range) = row.get(column)?;
    let (low, high) = range.as_ref()?;
    Some(Estimate { value: value.as_f64()?, low: low.as_f64()?, high: high.as_f64()? })
}

fn bar(label: String, estimate: Estimate) -> Bar {
    Bar { label, value: estimate.value, low: estimate.low, high: estimate.high }
}

/// What people call a key: empty ones are not known.
fn called(row: &[Shown], column: usize) -> String {
    match row.get(column).map(|(value, _)| value) {
        None | Some(Cell::Null) => "(not known)".to_owned(),
        Some(value) => value.to_string(),
    }
}

/// Reads an answer; `uploaded` are the rows of the partner's table, where one is compared with.
pub(crate) fn read(kind: Kind, presented: &Presented, uploaded: Option<u64>) -> Reading {
    let (headers, cells) = shown(presented);
    let mut reading = Reading { headers, cells, chart: String::new(), notes: Vec::new() };
    match kind {
        Kind::Audience => reading.chart = bars(&drawn(presented, |row| format!("{}, {}", called(row, 0), called(row, 1)), 2)),
        Kind::TopTags => reading.chart = bars(&drawn(presented, |row| called(row, 0), 1)),
        Kind::Trends => reading.trends(presented),
        Kind::ShareOfVoice => reading.shares(presented),
        Kind::PostingTimes => {
            reading.chart = week(presented);
            reading.notes.push("people who did something in that hour, by UTC; one person counts in at most 16 hours of the week".to_owned());
        }
        Kind::Engagement => {
            reading.chart = bars(&single(presented, &["likes_per_post", "replies_per_post", "shares_per_post"]));
            reading.notes.push("per post of which the number received is known; what one post received counts up to the contract's bound (`table show activity`)".to_owned());
        }
        Kind::Overlap => reading.overlap(presented, uploaded),
        Kind::ActivityLevels => {
            reading.chart = bars(&single(presented, &["acts_per_person_25", "acts_per_person_50", "acts_per_person_75"]));
            reading.notes.push("acts per person who did something; more than 1,000 count as 1,000".to_owned());
        }
        Kind::TopCreators => {
            reading.chart = bars(&drawn(presented, |row| called(row, 0), 1));
            reading.notes.push("accounts that may be named in public (`creator list`); of others no question tells".to_owned());
        }
        Kind::CreatorReactions => reading.chart = bars(&drawn(presented, |row| format!("{}, {}", called(row, 0), called(row, 1)), 2)),
    }
    reading
}

/// A bar for each row.
fn drawn(presented: &Presented, label: impl Fn(&[Shown]) -> String, column: usize) -> Vec<Bar> {
    presented.rows.iter().filter_map(|row| Some(bar(label(row), estimate(row, column)?))).collect()
}

/// A bar for each of some columns of the only row.
fn single(presented: &Presented, names: &[&str]) -> Vec<Bar> {
    let place = |name: &&str| presented.columns.iter().position(|column| column.name == **name);
    names.iter().filter_map(|name| Some(bar((*name).replace('_', " "), estimate(presented.rows.first()?, place(name)?)?))).collect()
}

/// The people of a week as shades.
fn week(presented: &Presented) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let number = |row: &[Shown], column: usize| match row.get(column) {
        Some((Cell::Integer(x), _)) => usize::try_from(*x).ok(),
        _ => None,
    };
    let mut grid = vec![vec![0.0; 24]; DAYS.len()];
    let mut half_width = 0.0_f64;
    for row in &presented.rows {
        let (Some(day), Some(hour), Some(people)) = (number(row, 0).and_then(|day| day.checked_sub(1)), number(row, 1), estimate(row, 2)) else { continue };
        half_width = half_width.max(people.half_width());
        grid.get_mut(day).and_then(|hours| hours.get_mut(hour)).into_iter().for_each(|cell| *cell = people.value);
    }
    heat(&DAYS, &grid, half_width)
}

impl Reading {
    /// Adds what each series of a hashtag does.
    fn trends(&mut self, presented: &Presented) {
        let series: Vec<&[Vec<Shown>]> = presented.rows.chunk_by(|a, b| a.first().map(|k| &k.0) == b.first().map(|k| &k.0)).collect();
        let comparisons = presented.rows.len().saturating_sub(series.len());
        self.headers.extend(["z".to_owned(), "movement".to_owned()]);
        let mut all = Vec::new();
        for rows in series {
            let numbers: Option<Vec<Estimate>> = rows.iter().map(|row| estimate(row, 2)).collect();
            let found = movements(&numbers.unwrap_or_default(), comparisons);
            self.chart.push_str(&format!("  {}\n", rows.first().map(|row| called(row, 0)).unwrap_or_default()));
            self.chart.push_str(&bars(&rows.iter().filter_map(|row| Some(bar(called(row, 1), estimate(row, 2)?))).collect::<Vec<_>>()));
            for (row, (_, movement)) in rows.iter().zip(&found) {
                if matches!(movement, Movement::Rising | Movement::Falling) {
                    self.notes.push(format!("{} is {} in {}", called(row, 0), movement.as_str(), called(row, 1)));
                }
            }
            all.extend(found);
        }
        for (cells, (z, movement)) in self.cells.iter_mut().zip(&all) {
            cells.extend([json!(z), json!(movement.as_str())]);
        }
        if !all.iter().any(|(_, movement)| matches!(movement, Movement::Rising | Movement::Falling)) {
            self.notes.push("nothing rises or falls by more than the noise lets one see".to_owned());
        }
        self.notes.push(format!("each period against the mean of those before it; with noise alone, one of these {comparisons} words is wrong in at most 5 of 100 answers"));
    }

    /// Adds the part of the uploaded rows.
    #[expect(clippy::cast_precision_loss, reason = "rows of a file: far below 2^53")]
    fn overlap(&mut self, presented: &Presented, uploaded: Option<u64>) {
        let people = presented.rows.first().and_then(|row| estimate(row, 0));
        let part = people.zip(uploaded.filter(|rows| *rows > 0)).map(|(people, rows)| [people.value, people.low, people.high].map(|x| (x / rows as f64).clamp(0.0, 1.0)));
        self.headers.extend(["uploaded_rows", "match_rate", "match_rate_low", "match_rate_high"].map(str::to_owned));
        for cells in &mut self.cells {
            cells.push(json!(uploaded));
            cells.extend(part.map_or([const { Value::Null }; 3], |part| part.map(|x| json!(x))));
        }
        self.chart = bars(&single(presented, &["people"]));
        self.notes.push("people of the table who are here and agreed, of all rows that were uploaded; a person with several rows counts once".to_owned());
    }

    /// Adds each hashtag's part of all.
    fn shares(&mut self, presented: &Presented) {
        let numbers: Option<Vec<Estimate>> = presented.rows.iter().map(|row| estimate(row, 1)).collect();
        let parts = shares(&numbers.unwrap_or_default());
        self.headers.extend(["share", "share_low", "share_high"].map(str::to_owned));
        let mut drawn = Vec::new();
        for ((cells, row), part) in self.cells.iter_mut().zip(&presented.rows).zip(&parts) {
            cells.extend([json!(part.map(|p| p.value)), json!(part.map(|p| p.low)), json!(part.map(|p| p.high))]);
            let percent = |p: Estimate| Estimate { value: p.value * 100.0, low: p.low * 100.0, high: p.high * 100.0 };
            drawn.extend(part.map(|part| bar(format!("{} %", called(row, 0)), percent(part))));
        }
        self.chart = bars(&drawn);
        self.notes.push("parts of the people of all named hashtags; whoever uses several is counted for each".to_owned());
    }
}
