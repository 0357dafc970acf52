//! From an insight and its options to a question.

use chrono::{Datelike, NaiveDate};
use domain::question::Value;
use domain::record::ActivityKind;
use domain::{PartnerIdentifier, Platform};

use super::Kind;
use crate::failure::Usage;

domain::words! {
    /// How long a period is.
    pub(crate) enum Period("period") {
        /// A day.
        Day = "day",
        /// A week, from Monday.
        Week = "week",
        /// A month.
        Month = "month",
    }
}

impl Period {
    /// The day that stands for the period of `day`.
    fn begin(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Week => day.week(chrono::Weekday::Mon).first_day(),
            Self::Month => day.with_day(1).unwrap_or(day),
        }
    }
}

/// What an insight is restricted to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pub(crate) from: Option<NaiveDate>,
    pub(crate) to: Option<NaiveDate>,
    pub(crate) kind: Option<ActivityKind>,
    pub(crate) platform: Option<Platform>,
    pub(crate) country: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) category: Option<String>,
    pub(crate) by: Option<Period>,
    pub(crate) top: Option<u64>,
    pub(crate) table: Option<PartnerIdentifier>,
}

/// A question: its text, and what its parameters are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) sql: String,
    pub(crate) params: Vec<Value>,
}

/// Rows that are shown where nobody says how many.
const TOP: u64 = 20;

/// What people do with what somebody made.
const REACTIONS: &str = "'like', 'share', 'reply', 'follow'";

/// A question while it is put together.
#[derive(Default)]
struct Builder {
    params: Vec<Value>,
    conditions: Vec<String>,
}

impl Builder {
    /// The place of a parameter.
    fn bind(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("${}", self.params.len())
    }

    fn binds(&mut self, values: impl IntoIterator<Item = Value>) -> String {
        values.into_iter().map(|value| self.bind(value)).collect::<Vec<_>>().join(", ")
    }

    /// What acts are restricted to.
    fn acts(&mut self, params: &Params) {
        let texts = [("kind = ", params.kind.map(ActivityKind::as_str)), ("activity.platform = ", params.platform.map(Platform::as_str))];
        for (condition, word) in texts.into_iter().filter_map(|(condition, word)| Some((condition, word?))) {
            let word = self.bind(Value::Text(word.to_owned()));
            self.conditions.push(format!("{condition}{word}"));
        }
        for (condition, day) in [("day >= ", params.from), ("day <= ", params.to)].into_iter().filter_map(|(condition, day)| Some((condition, day?))) {
            let day = self.bind(Value::Text(day.to_string()));
            self.conditions.push(format!("{condition}{day}"));
        }
        if let Some(country) = &params.country {
            let country = self.bind(Value::Text(country.clone()));
            self.conditions.push(format!("country = {country}"));
        }
    }

    /// The creators on the list, or those of a category, as keys.
    fn listed(&mut self, category: Option<String>) -> String {
        let of = category.map(|category| format!(" WHERE category = {}", self.bind(Value::Text(category.to_lowercase())))).unwrap_or_default();
        format!(" KEYS (SELECT name FROM creator{of})")
    }

    fn filter(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) }
    }
}

impl Params {
    /// Refuses options that the insight would ignore.
    fn all_used(&self, kind: Kind) -> Result<(), Usage> {
        let given = [
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("kind", self.kind.is_some()),
            ("platform", self.platform.is_some()),
            ("country", self.country.is_some()),
            ("tag", !self.tags.is_empty()),
            ("category", self.category.is_some()),
            ("by", self.by.is_some()),
            ("top", self.top.is_some()),
            ("table", self.table.is_some()),
        ];
        match given.into_iter().find(|(name, given)| *given && !kind.options().contains(name)) {
            Some((name, _)) => Err(Usage(format!("`{kind}` takes no --{name}; it takes: --{}", kind.options().join(", --")))),
            None => Ok(()),
        }
    }

    fn tags(&self, kind: Kind) -> Result<impl Iterator<Item = Value>, Usage> {
        if self.tags.is_empty() {
            return Err(Usage(format!("`{kind}` needs hashtags: --tag bread --tag football")));
        }
        // As hashtags are kept: without their sign, in small letters.
        Ok(self.tags.iter().map(|tag| Value::Text(tag.trim_start_matches('#').to_lowercase())))
    }
}

impl Kind {
    /// The question of this insight.
    ///
    /// # Errors
    /// When an option is missing, or would be ignored.
    pub(crate) fn question(self, params: &Params) -> Result<Asked, Usage> {
        params.all_used(self)?;
        if params.from.zip(params.to).is_some_and(|(from, to)| from > to) {
            return Err(Usage("--from is after --to".to_owned()));
        }
        let mut b = Builder::default();
        // Periods of trends are whole: their list says which days count.
        let whole = Params { from: None, to: None, ..params.clone() };
        b.acts(if self == Self::Trends { &whole } else { params });
        let filter = b.filter();
        // The country is the person's; otherwise nothing of the profile is looked at.
        let person = if params.country.is_some() { " JOIN subject USING (subject_id)" } else { "" };
        // Whoever is in the partner's table, once however many rows they have there.
        let own = params.table.as_ref().map(|table| format!(" JOIN (SELECT subject_id FROM partner.{table} GROUP BY subject_id) AS own USING (subject_id)")).unwrap_or_default();
        let top = params.top.unwrap_or(TOP);
        let sql = match self {
            Self::Audience => format!(
                "SELECT country, age_band, count(distinct subject_id) AS people FROM activity JOIN subject USING (subject_id){own}{filter} GROUP BY country, age_band ORDER BY people DESC LIMIT {top}"
            ),
            Self::TopTags => format!(
                "SELECT tag, count(distinct subject_id) AS people FROM activity JOIN activity_tag USING (activity_id){person}{own}{filter} GROUP BY tag ORDER BY people DESC LIMIT {top}"
            ),
            Self::Trends => {
                let (Some(from), Some(to)) = (params.from, params.to) else {
                    return Err(Usage(format!("`{self}` needs its first and last day: --from 2026-01-01 --to 2026-03-31")));
                };
                let by = params.by.unwrap_or(Period::Week);
                let tags = b.binds(params.tags(self)?);
                let [from, to] = [from, to].map(|day| b.bind(Value::Text(by.begin(day).to_string())));
                format!(
                    "SELECT tag, {by}, count(distinct subject_id) AS people FROM activity JOIN activity_tag USING (activity_id){person}{own}{filter} GROUP BY tag KEYS ({tags}), {by} KEYS BETWEEN {from} AND {to} ORDER BY tag, {by}"
                )
            }
            Self::ShareOfVoice => {
                let tags = b.binds(params.tags(self)?);
                format!(
                    "SELECT tag, count(distinct subject_id) AS people FROM activity JOIN activity_tag USING (activity_id){person}{own}{filter} GROUP BY tag KEYS ({tags}) ORDER BY people DESC"
                )
            }
            Self::PostingTimes => {
                format!(
                    "SELECT weekday, hour, count(distinct subject_id) AS people FROM activity{person}{own}{filter} GROUP BY weekday KEYS BETWEEN 1 AND 7, hour KEYS BETWEEN 0 AND 23 ORDER BY weekday, hour"
                )
            }
            Self::Engagement => {
                let and = if filter.is_empty() { " WHERE kind = 'post'".to_owned() } else { format!("{filter} AND kind = 'post'") };
                format!(
                    "SELECT avg(likes_received) AS likes_per_post, avg(replies_received) AS replies_per_post, avg(shares_received) AS shares_per_post FROM activity{person}{own}{and}"
                )
            }
            Self::Overlap => {
                let table = params.table.as_ref().ok_or_else(|| Usage(format!("`{self}` needs one of your tables: --table crm")))?;
                format!("SELECT count(distinct subject_id) AS people FROM partner.{table}")
            }
            Self::ActivityLevels => {
                let inner = format!("(SELECT subject_id, count(*) AS acts FROM activity{person}{filter} GROUP BY subject_id) AS active");
                format!(
                    "SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY least(acts, 1000)) AS acts_per_person, count(distinct subject_id) AS people FROM {inner}{own}"
                )
            }
            Self::TopCreators => {
                let keys = params.category.clone().map(|category| b.listed(Some(category))).unwrap_or_default();
                format!(
                    "SELECT creator.name AS creator, count(distinct subject_id) AS people FROM activity JOIN creator USING (creator_id){person}{own}{filter} GROUP BY creator.name{keys} ORDER BY people DESC LIMIT {top}"
                )
            }
            Self::CreatorReactions => {
                let keys = b.listed(params.category.clone());
                format!(
                    "SELECT creator.name AS creator, kind, count(distinct subject_id) AS people FROM activity JOIN creator USING (creator_id){person}{own}{filter} GROUP BY creator.name{keys}, kind KEYS ({REACTIONS}) ORDER BY creator, people DESC"
                )
            }
        };
        Ok(Asked { sql, params: b.params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_never_becomes_text_of_the_question() {
        let params =
            Params { tags: vec!["#Rust'; DROP".into()], country: Some("' OR 1 = 1".into()), from: "2026-01-01".parse().ok(), to: "2026-02-01".parse().ok(), ..Params::default() };
        for kind in [Kind::Trends, Kind::ShareOfVoice] {
            let asked = kind.question(&params).unwrap();
            assert!(!asked.sql.contains("DROP") && !asked.sql.contains("1 = 1") && asked.params.contains(&Value::Text("rust'; drop".into())), "{asked:?}");
        }
    }

    #[test]
    fn periods_of_trends_are_whole() {
        let params = Params { tags: vec!["a".into()], from: "2026-01-15".parse().ok(), to: "2026-03-04".parse().ok(), ..Params::default() };
        let days = |by| {
            let asked = Kind::Trends.question(&Params { by: Some(by), ..params.clone() }).unwrap();
            assert!(!asked.sql.contains("day >=") && !asked.sql.contains("day <="), "{}", asked.sql);
            asked.params.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(days(Period::Month), ["2026-01-01", "2026-03-01"]);
        assert_eq!(days(Period::Week), ["2026-01-12", "2026-03-02"]);
        assert_eq!(days(Period::Day), ["2026-01-15", "2026-03-04"]);
    }

    #[test]
    fn options_are_used_or_refused() {
        let all = |taken: &dyn Fn(&str) -> bool| Params {
            from: "2026-01-01".parse().ok().filter(|_| taken("from")),
            to: "2026-01-31".parse().ok().filter(|_| taken("to")),
            kind: taken("kind").then_some(ActivityKind::Post),
            platform: taken("platform").then_some(Platform::Mastodon),
            country: taken("country").then(|| "DE".into()),
            tags: if taken("tag") { vec!["a".into()] } else { Vec::new() },
            category: taken("category").then(|| "news".into()),
            by: taken("by").then_some(Period::Day),
            top: taken("top").then_some(3),
            table: taken("table").then(|| "crm".parse().unwrap()),
        };
        for kind in Kind::ALL {
            assert!(kind.question(&all(&|option| kind.options().contains(&option))).is_ok(), "{kind} takes what it lists");
            for other in ["from", "to", "kind", "platform", "country", "tag", "category", "by", "top", "table"].into_iter().filter(|other| !kind.options().contains(other)) {
                assert!(kind.question(&all(&|option| option == other || kind.options().contains(&option))).is_err(), "{kind} would ignore --{other}");
            }
        }
        assert!(Kind::Trends.question(&Params { tags: vec!["a".into()], ..Params::default() }).is_err(), "no days");
        assert!(Kind::ShareOfVoice.question(&Params::default()).is_err(), "no hashtags");
        assert!(Kind::Overlap.question(&Params::default()).is_err(), "no table");
    }
}
