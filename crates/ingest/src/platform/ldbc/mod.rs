//! A folder of Parquet files in the layout that the LDBC social-network data generator writes in its
//! raw mode: people, forums, posts, comments, likes, friendships, with creation and deletion.
//!
//! A person owns what they did. Friendship is two acts, one by each. Only deletions by the owner count:
//! a like stays the liker's, whatever becomes of the post. Whose post it was, the row of a like does not say: only
//! whoever is followed is the account that an act is about.

mod table;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Days, NaiveDate};
use domain::port::Progress;
use domain::record::{AccountKey, Activities, ActivityKind, ActivityRecord, Interest, InterestOrigin, Media, NormalizedBatch, SourceInfo, SubjectRecord, Visibility};
use domain::subject::AgeBand;
use domain::{Platform, Timestamp};

use crate::IngestError;
use crate::normalize::{self, Rejects};
use crate::source::{Deletions, Options};
use table::{Row, Table};

/// Whether a folder has this layout.
pub(crate) fn recognizes(folder: &Path) -> bool {
    ["Person.parquet", "Post.parquet", "Comment.parquet"].iter().all(|f| folder.join(f).is_file())
}

/// Reads one folder.
pub(crate) fn read(folder: &Path, source: SourceInfo, options: &Options, progress: &dyn Progress) -> Result<NormalizedBatch, IngestError> {
    let mut reader = Reader {
        folder,
        options,
        progress,
        names: Names::read(folder)?,
        people: HashMap::new(),
        gone: HashSet::new(),
        subjects: Vec::new(),
        activities: Activities::default(),
        deleted: 0,
        rejects: Rejects::default(),
    };
    progress.begin(&source.path, "rows", Some(reader.rows()?));
    reader.people()?;
    reader.interests()?;
    let tags = reader.tags("Post_hasTag_Tag", "PostId")?;
    reader.messages("Post", ActivityKind::Post, &tags)?;
    let tags = reader.tags("Comment_hasTag_Tag", "CommentId")?;
    reader.messages("Comment", ActivityKind::Reply, &tags)?;
    reader.edges("Person_likes_Post", "PersonId", "PostId", ActivityKind::Like, "like:post")?;
    reader.edges("Person_likes_Comment", "PersonId", "CommentId", ActivityKind::Like, "like:comment")?;
    reader.edges("Person_knows_Person", "Person1Id", "Person2Id", ActivityKind::Follow, "follow")?;
    reader.edges("Person_knows_Person", "Person2Id", "Person1Id", ActivityKind::Follow, "follow")?;
    reader.edges("Forum_hasMember_Person", "PersonId", "ForumId", ActivityKind::Join, "join")?;
    progress.finish();
    let Reader { subjects, activities, deleted, rejects, .. } = reader;
    Ok(NormalizedBatch { subjects, activities, deleted, rejected: rejects.into_records(), ..NormalizedBatch::new(source) })
}

/// Names that rows refer to by number.
struct Names {
    tags: HashMap<i64, String>,
    /// Place → its name and the place it is part of.
    places: HashMap<i64, (String, Option<i64>)>,
    forums: HashMap<i64, String>,
}

impl Names {
    fn read(folder: &Path) -> Result<Self, IngestError> {
        let mut names = Self { tags: HashMap::new(), places: HashMap::new(), forums: HashMap::new() };
        Table::each(folder, "Tag", &["id", "name"], |row| {
            if let (Some(id), Some(tag)) = (row.integer(0), row.text(1).and_then(normalize::tag)) {
                names.tags.insert(id, tag);
            }
        })?;
        Table::each(folder, "Place", &["id", "name", "PartOfPlaceId"], |row| {
            if let (Some(id), Some(name)) = (row.integer(0), row.text(1).and_then(normalize::short_owned)) {
                names.places.insert(id, (name, row.integer(2)));
            }
        })?;
        Table::each(folder, "Forum", &["id", "title"], |row| {
            if let (Some(id), Some(title)) = (row.integer(0), row.text(1).and_then(normalize::short_owned)) {
                names.forums.insert(id, title);
            }
        })?;
        Ok(names)
    }
}

struct Reader<'a> {
    folder: &'a Path,
    options: &'a Options,
    progress: &'a dyn Progress,
    names: Names,
    /// Person → place among the subjects.
    people: HashMap<i64, u32>,
    /// People who deleted themselves.
    gone: HashSet<i64>,
    subjects: Vec<SubjectRecord>,
    activities: Activities,
    deleted: u64,
    rejects: Rejects,
}

/// Whose row it is.
enum Owner {
    Person(u32),
    Deleted,
    Nobody,
}

impl Reader<'_> {
    /// Rows of all files that become people or acts.
    fn rows(&self) -> Result<u64, IngestError> {
        let files = ["Person", "Post", "Comment", "Person_likes_Post", "Person_likes_Comment", "Person_knows_Person", "Person_knows_Person", "Forum_hasMember_Person"];
        files.iter().map(|name| Table::rows(self.folder, name)).sum()
    }

    fn people(&mut self) -> Result<(), IngestError> {
        let columns = ["id", "explicitlyDeleted", "firstName", "lastName", "birthday", "LocationCityId", "language", "creationDate"];
        Table::each(self.folder, "Person", &columns, |row| {
            self.progress.advance(1);
            let Some(id) = row.integer(0) else { return self.rejects.push(row.file(), row.place(), "a person without id", "") };
            if row.truth(1) && self.options.deletions == Deletions::Apply {
                self.deleted += 1;
                self.gone.insert(id);
                return;
            }
            let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Ldbc, native_id: id.to_string() });
            subject.handle = normalize::short_owned(&format!("{} {}", row.text(2).unwrap_or_default(), row.text(3).unwrap_or_default()));
            subject.age = row.day(4).map_or(AgeBand::Unknown, |born| AgeBand::of(born, self.options.today));
            let city = row.integer(5).and_then(|c| self.names.places.get(&c));
            subject.region = city.map(|(name, _)| name.clone());
            subject.country = city.and_then(|(_, country)| self.names.places.get(country.as_ref()?)).map(|(name, _)| name.clone());
            subject.language = row.text(6).and_then(|l| l.split(';').next()).and_then(normalize::short_owned);
            subject.joined = row.instant(7);
            let place = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
            self.people.insert(id, place);
            self.subjects.push(subject);
        })
    }

    fn owner(&self, person: Option<i64>) -> Owner {
        match person {
            Some(id) if self.gone.contains(&id) => Owner::Deleted,
            Some(id) => self.people.get(&id).map_or(Owner::Nobody, |p| Owner::Person(*p)),
            None => Owner::Nobody,
        }
    }

    fn interests(&mut self) -> Result<(), IngestError> {
        Table::each(self.folder, "Person_hasInterest_Tag", &["PersonId", "TagId"], |row| {
            let Owner::Person(owner) = self.owner(row.integer(0)) else { return };
            let topic = row.integer(1).and_then(|t| self.names.tags.get(&t));
            let subject = usize::try_from(owner).ok().and_then(|i| self.subjects.get_mut(i));
            if let (Some(topic), Some(subject)) = (topic, subject) {
                subject.interests.push(Interest { topic: topic.clone(), origin: InterestOrigin::Declared });
            }
        })
    }

    fn tags(&self, table: &str, message: &str) -> Result<HashMap<i64, Vec<i64>>, IngestError> {
        let mut tags: HashMap<i64, Vec<i64>> = HashMap::new();
        Table::each(self.folder, table, &[message, "TagId"], |row| {
            if let (Some(message), Some(tag)) = (row.integer(0), row.integer(1)) {
                tags.entry(message).or_default().push(tag);
            }
        })?;
        Ok(tags)
    }

    /// Decides about a row that every table has: skips the deleted, rejects what is nobody's.
    fn admit(&mut self, row: &Row<'_>, person: Option<i64>, deleted: bool) -> Option<u32> {
        self.progress.advance(1);
        match self.owner(person) {
            Owner::Person(_) if deleted && self.options.deletions == Deletions::Apply => {
                self.deleted += 1;
                None
            }
            Owner::Person(owner) => Some(owner),
            Owner::Deleted => {
                self.deleted += 1;
                None
            }
            Owner::Nobody => {
                self.rejects.push(row.file(), row.place(), "its actor is not in Person.parquet", &person.map_or_else(String::new, |p| p.to_string()));
                None
            }
        }
    }

    fn messages(&mut self, table: &str, kind: ActivityKind, tags: &HashMap<i64, Vec<i64>>) -> Result<(), IngestError> {
        // Comments lack the last three.
        let columns = ["id", "explicitlyDeleted", "CreatorPersonId", "creationDate", "content", "imageFile", "language", "ContainerForumId"];
        Table::each(self.folder, table, &columns, |row| {
            let Some(owner) = self.admit(row, row.integer(2), row.truth(1)) else { return };
            let (Some(id), Some(at)) = (row.integer(0), row.instant(3)) else { return self.rejects.push(row.file(), row.place(), "a message without id or time", "") };
            let mut record = ActivityRecord::new(owner, format!("{kind}:{id}"), kind, Some(at));
            record.text = row.text(4).and_then(normalize::text);
            record.word_count = normalize::word_count(record.text.as_deref());
            record.media = if row.text(5).is_some_and(|f| !f.is_empty()) { Media::Image } else { Media::None };
            record.language = row.text(6).and_then(normalize::short);
            record.container = row.integer(7).and_then(|f| self.names.forums.get(&f)).map(|title| Cow::Borrowed(title.as_str()));
            record.visibility = Visibility::Public;
            let names = tags.get(&id).into_iter().flatten().filter_map(|t| self.names.tags.get(t));
            record.tags = normalize::tags(names.map(String::as_str)).into_iter().map(Cow::Owned).collect();
            self.activities.push(&record);
        })
    }

    fn edges(&mut self, table: &str, actor: &str, target: &str, kind: ActivityKind, key: &str) -> Result<(), IngestError> {
        Table::each(self.folder, table, &[actor, target, "explicitlyDeleted", "creationDate"], |row| {
            let Some(owner) = self.admit(row, row.integer(0), row.truth(2)) else { return };
            let (Some(target), Some(at)) = (row.integer(1), row.instant(3)) else { return self.rejects.push(row.file(), row.place(), "a row without target or time", "") };
            let mut record = ActivityRecord::new(owner, format!("{key}:{target}"), kind, Some(at));
            if kind == ActivityKind::Follow {
                record.creator = Some(self.options.creators.id(Platform::Ldbc, &target.to_string()));
            }
            if kind == ActivityKind::Join {
                record.container = self.names.forums.get(&target).map(|title| Cow::Borrowed(title.as_str()));
            }
            self.activities.push(&record);
        })
    }
}

/// Days since 1970 as a day.
fn day_of(days: i32) -> Option<NaiveDate> {
    let epoch = NaiveDate::default();
    match u64::try_from(days) {
        Ok(after) => epoch.checked_add_days(Days::new(after)),
        Err(_) => epoch.checked_sub_days(Days::new(u64::from(days.unsigned_abs()))),
    }
}

/// Microseconds since 1970 as an instant.
fn instant_of(micros: i64) -> Option<Timestamp> {
    DateTime::from_timestamp_micros(micros).and_then(normalize::plausible)
}
