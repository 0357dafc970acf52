//! The town's own forum, which hands out two CSV files.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::SecondsFormat;

use super::people::{Act, Person};
use super::words::TOPICS;

const PEOPLE_MAPPING: &str = r#"schema = 1
table = "subject"
platform = "csv"

[columns]
account = "member"
handle = "name"
country = "country"
region = "district"
birth_date = "born"
language = "language"
joined = "joined"
followers = "followers"
interests = { column = "interests", separator = " " }
"#;

const ACTIVITY_MAPPING: &str = r#"schema = 1
table = "activity"
platform = "csv"

[columns]
account = "member"
native_key = "id"
kind = { column = "what", values = { wrote = "post", answered = "reply", passed_on = "share", liked = "like", saw = "view", followed = "follow", joined = "join" } }
at = "at"
text = "text"
language = "language"
media = "media"
link_domain = "link"
container = "group"
creator = "about"
likes_received = "likes"
tags = { column = "tags", separator = " " }
visibility = { constant = "public" }
"#;

/// The two files while they are written.
pub(super) struct Forum {
    people: (PathBuf, csv::Writer<File>),
    activity: (PathBuf, BufWriter<File>),
    number: u64,
}

impl Forum {
    pub(super) fn create(folder: &Path) -> anyhow::Result<Self> {
        fs::write(folder.join("people.mapping.toml"), PEOPLE_MAPPING)?;
        fs::write(folder.join("activity.mapping.toml"), ACTIVITY_MAPPING)?;
        let (people, activity) = (folder.join("people.csv"), folder.join("activity.csv"));
        let mut people_csv = csv::Writer::from_path(&people).with_context(|| format!("writing {}", people.display()))?;
        people_csv.write_record(["member", "name", "country", "district", "born", "language", "joined", "followers", "interests"])?;
        let mut activity_csv = BufWriter::new(File::create(&activity).with_context(|| format!("writing {}", activity.display()))?);
        writeln!(activity_csv, "id,member,what,at,text,language,media,link,group,about,likes,tags")?;
        Ok(Self { people: (people, people_csv), activity: (activity, activity_csv), number: 0 })
    }

    pub(super) fn person(&mut self, person: &Person) -> anyhow::Result<()> {
        let interests: Vec<&str> = person.topics.iter().filter_map(|&t| TOPICS.get(t)).map(|(name, _)| *name).collect();
        self.people.1.write_record([
            &person.account.native_id,
            &person.name,
            person.country,
            person.district,
            &person.born.map_or_else(String::new, |b| b.to_string()),
            person.language,
            &person.joined.to_rfc3339_opts(SecondsFormat::Secs, true),
            &person.followers.to_string(),
            &interests.join(" "),
        ])?;
        Ok(())
    }

    pub(super) fn acts(&mut self, person: &Person, acts: &[Act]) -> anyhow::Result<()> {
        for act in acts {
            self.number += 1;
            let what = match act.kind {
                domain::record::ActivityKind::Post => "wrote",
                domain::record::ActivityKind::Reply => "answered",
                domain::record::ActivityKind::Share => "passed_on",
                domain::record::ActivityKind::Like => "liked",
                domain::record::ActivityKind::View => "saw",
                domain::record::ActivityKind::Follow => "followed",
                _ => "joined",
            };
            // No field holds a comma or a quote.
            writeln!(
                self.activity.1,
                "a{},{},{what},{},{},{},{},{},{},{},{},{}",
                self.number,
                person.account.native_id,
                act.at.to_rfc3339_opts(SecondsFormat::Secs, true),
                act.text,
                if act.text.is_empty() { "" } else { person.language },
                act.media,
                act.link.unwrap_or(""),
                act.group.unwrap_or(""),
                act.whose.as_deref().unwrap_or(""),
                act.likes,
                act.tags.join(" "),
            )?;
        }
        Ok(())
    }

    /// A few rows that no reader can make sense of, as real exports have them.
    pub(super) fn damage(&mut self) -> anyhow::Result<()> {
        for row in [
            "x1,m1,wrote,yesterday,hello,en,none,,,,0,",
            "x2,m1,hummed,2026-01-01T10:00:00Z,hello,en,none,,,,0,",
            "x3,,wrote,2026-01-01T10:00:00Z,hello,en,none,,,,0,",
            "x4,m1,wrote",
            "x5,m2,wrote,2026-01-01T10:00:00Z,hi,en,none,,,,many,",
        ] {
            writeln!(self.activity.1, "{row}")?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<Vec<PathBuf>> {
        self.people.1.flush()?;
        self.activity.1.flush()?;
        Ok(vec![self.people.0, self.activity.0])
    }
}
