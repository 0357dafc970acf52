//! Everybody at once, 4,096 people a time: what a law and a time permit them.
//!
//! Nearly everybody says one thing of a purpose and a partner, about all of their data: of such a choice little
//! is read, and it is weighed by itself. Whoever speaks of parts of their data or of a class of recipients is
//! weighed with all that they said, as one person is ([`Standings`]). A test compares the two.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use domain::consent::{Consent, ConsentState, DataScope, Demands, Facts, LimitKey, LimitKind, Limits, Strength, permitted};
use domain::law::{Residence, Use};
use domain::subject::AgeBand;
use domain::{Fault, PartnerName, Purpose, SubjectId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::permitted::{CHUNK, Chunk, ids_of};
use super::standing::{Partners, PersonRow, Rules, Standings, Whom, limit, person, standings};
use crate::Error;
use crate::store::{parse_time_number, parsed};
use crate::subject::Person;

/// The rows of the permitted sets in which people are.
pub(crate) async fn chunks(connection: &mut SqliteConnection) -> Result<Range<u32>, Error> {
    let last: Option<u32> = sqlx::query("SELECT max(subject_id) FROM subject").fetch_one(connection).await?.try_get(0)?;
    Ok(0..last.map_or(0, |last| last / CHUNK + 1))
}

/// What is known of the choices of everybody in one row of the permitted sets.
#[derive(Default)]
pub(crate) struct Block {
    /// Whoever chose anything, by their place in the row.
    people: Vec<Option<Member>>,
    /// The residences and ages that occur among them.
    kinds: Vec<(Residence, AgeBand)>,
    columns: Vec<Column>,
    /// Those who are weighed with all that they said.
    rest: Standings,
}

struct Member {
    person: Person,
    /// Their residence and age, in [`Block::kinds`].
    kind: usize,
    limits: Vec<LimitKey>,
}

/// Choices about one use, by people who said nothing else of it.
struct Column {
    partner: PartnerName,
    purpose: Purpose,
    choices: Vec<Alone>,
}

struct Alone {
    place: usize,
    state: ConsentState,
    strength: Strength,
    valid_until: Option<Timestamp>,
    superseded: bool,
}

/// Subject, purpose, recipient, scope, state, strength, notice, its version, and until when it counts.
type ChoiceRow<'r> = (SubjectId, Purpose, &'r str, DataScope, ConsentState, u8, &'r str, u32, Option<i64>);

const READ: &str = "SELECT \
    (SELECT json_group_array(json_array(subject_id, status, age_band, country, region)) FROM subject WHERE subject_id >= ?1 AND subject_id < ?2), \
    (SELECT json_group_array(json_array(subject_id, purpose, recipient, scope, state, strength, notice, notice_version, valid_until)) \
       FROM consent_state WHERE subject_id >= ?1 AND subject_id < ?2), \
    (SELECT json_group_array(json_array(subject_id, kind, purpose, partner)) FROM limit_state WHERE subject_id >= ?1 AND subject_id < ?2), \
    (SELECT json_group_array(json_array(notice, purpose, recipient, version)) FROM notice_floor), \
    (SELECT json_group_array(json_array(partner, class)) FROM partner_act WHERE act = 'add')";

impl Block {
    pub(crate) async fn read(connection: &mut SqliteConnection, chunk: u32) -> Result<Self, Error> {
        let ids = ids_of(chunk);
        let row = sqlx::query(READ).bind(ids.start).bind(ids.end).fetch_one(&mut *connection).await?;
        let (mut block, rest) = Self::parse(&row)?;
        drop(row);
        if !rest.is_empty() {
            block.rest = standings(connection, Whom::These(&rest)).await?;
        }
        Ok(block)
    }

    /// What [`READ`] gave, and who is not in it because they said more.
    fn parse(row: &SqliteRow) -> Result<(Self, Vec<SubjectId>), Fault> {
        let choices: Vec<ChoiceRow<'_>> = parsed(row, 1)?;
        let floors: HashMap<(&str, Purpose, &str), u32> =
            parsed::<Vec<(&str, Purpose, &str, u32)>>(row, 3)?.into_iter().map(|(notice, purpose, recipient, version)| ((notice, purpose, recipient), version)).collect();
        let partners = Partners::new(parsed(row, 4)?);
        let (mut alone, mut more) = (vec![false; CHUNK as usize], vec![false; CHUNK as usize]);
        for (subject, _, recipient, scope, ..) in &choices {
            let which = if *scope == DataScope::Everything && !recipient.starts_with("class:") { &mut alone } else { &mut more };
            if let Some(slot) = which.get_mut(place(*subject)) {
                *slot = true;
            }
        }
        let mut block = Self { people: (0..CHUNK).map(|_| None).collect(), ..Self::default() };
        let (mut rest, mut kinds) = (Vec::new(), HashMap::new());
        for row in parsed::<Vec<PersonRow>>(row, 0)? {
            let person = person(row);
            let at = place(person.subject);
            if more.get(at).is_some_and(|more| *more) {
                rest.push(person.subject);
            } else if let Some(slot) = block.people.get_mut(at).filter(|_| alone.get(at).is_some_and(|alone| *alone)) {
                let kind = *kinds.entry((person.residence, person.age)).or_insert_with(|| {
                    block.kinds.push((person.residence, person.age));
                    block.kinds.len() - 1
                });
                *slot = Some(Member { person, kind, limits: Vec::new() });
            }
        }
        for row in parsed::<Vec<(SubjectId, LimitKind, &str, &str)>>(row, 2)? {
            if let Some(Some(member)) = block.people.get_mut(place(row.0)) {
                member.limits.push(limit(row)?);
            }
        }
        let mut columns: HashMap<(Purpose, &str), Option<usize>> = HashMap::new();
        for (subject, purpose, recipient, _, state, strength, notice, version, valid_until) in choices {
            let place = place(subject);
            if !matches!(block.people.get(place), Some(Some(_))) {
                continue;
            }
            let column = *columns.entry((purpose, recipient)).or_insert_with(|| {
                let partner = partners.named(recipient)?.clone();
                block.columns.push(Column { partner, purpose, choices: Vec::new() });
                Some(block.columns.len() - 1)
            });
            if let Some(column) = column.and_then(|column| block.columns.get_mut(column)) {
                let superseded = !floors.is_empty() && floors.get(&(notice, purpose, recipient)).is_some_and(|floor| *floor > version);
                let valid_until = valid_until.map(parse_time_number).transpose()?;
                column.choices.push(Alone { place, state, strength: Strength::from_bits(strength), valid_until, superseded });
            }
        }
        Ok((block, rest))
    }

    /// How many people chose anything.
    pub(crate) fn people(&self) -> u64 {
        (self.people.iter().flatten().count() + self.rest.people().count()) as u64
    }

    /// Whom each partner may count for what.
    ///
    /// # Guarantee
    /// The same as [`Standings::permitted`] of the same people.
    pub(crate) fn permitted(&self, rules: &Rules) -> BTreeMap<(&PartnerName, Purpose), Chunk> {
        let mut sets = self.rest.permitted(rules);
        let mut asks: HashMap<Purpose, Vec<[(Demands, bool); 3]>> = HashMap::new();
        for Column { partner, purpose, choices } in &self.columns {
            // What a law asks, once for each kind of person.
            let asks = asks.entry(*purpose).or_insert_with(|| {
                let ask = |(residence, age)| DataScope::PARTS.map(|part| rules.law.demands(residence, age, Use { purpose: *purpose, sensitivity: part.sensitivity() }));
                self.kinds.iter().copied().map(ask).collect()
            });
            let set = sets.entry((partner, *purpose)).or_insert(Chunk::EMPTY);
            for Alone { place, state, strength, valid_until, superseded } in choices {
                let Some(Some(Member { person, kind, limits })) = self.people.get(*place) else { continue };
                let limits = if limits.is_empty() { Limits::NONE } else { Limits::covering(limits, partner, *purpose) };
                let consent = Consent::alone(state.at(rules.now, *valid_until), *strength, *superseded);
                let Person { subject, status, age, residence } = *person;
                let facts = Facts { status, age, residence, consent, limits };
                if let Some(parts) = asks.get(*kind) {
                    set.set(subject, parts.map(|(demands, opens_classes)| permitted(&facts, demands, opens_classes)));
                }
            }
        }
        sets
    }
}

const fn place(subject: SubjectId) -> usize {
    (subject.0 % CHUNK) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::consent::{Actor, ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, EventOrder, Recipient, Standing};
    use domain::law::{Law, parse, shipped};
    use domain::notice::NoticeRef;
    use rand::RngExt;
    use rand::seq::IndexedRandom;
    use testkit::{Generator, env_seed};

    use super::*;
    use crate::consent::rows;
    use crate::law::InForce;
    use crate::plane::tests::deployment;
    use crate::store::Statements;

    const OPEN: &str = "schema = 1\nid = \"open\"\nversion = 1\ntitle = \"Open\"\nreviewed = 2026-11-24\nregions = [\"DE\", \"US\"]\nfallback = true\n\
        [[validity]]\nid = \"v\"\nopen_class = true\ngrounds = { source = \"Z\", certainty = \"high\" }\n";

    fn at(day: u32) -> Timestamp {
        format!("2026-11-{day:02}T09:00:00Z").parse().unwrap()
    }

    fn standing(rng: &mut impl rand::Rng, key: &ConsentKey, sure: bool) -> Standing {
        let events: Vec<ConsentEvent> = (0..rng.random_range(1..5))
            .map(|_| {
                let action = if sure || rng.random() { ConsentAction::Give } else { *ConsentAction::ALL.choose(rng).unwrap() };
                ConsentEvent {
                    seq: 1,
                    key: key.clone(),
                    order: EventOrder { at: at(rng.random_range(1..9)), sequence: 0, action },
                    actor: Actor::Subject,
                    method: ConsentMethod::Page,
                    strength: Strength::from_bits(rng.random_range(0..8)),
                    notice: NoticeRef { name: "main".parse().unwrap(), version: rng.random_range(1..4) },
                    language: "en".into(),
                    evidence: None,
                    valid_until: rng.random::<bool>().then(|| at(rng.random_range(5..20))),
                    recorded_at: at(20),
                }
            })
            .collect();
        Standing::replay(&events).unwrap()
    }

    /// People of every kind, with choices of every kind, in two rows of the permitted sets.
    async fn fill(tx: &mut SqliteConnection, rng: &mut impl rand::Rng) {
        let floors = "INSERT INTO partner_act (partner, act, class, at) VALUES ('acme', 'add', 'university', ''), ('other', 'add', NULL, ''), ('third', 'add', 'university', ''); \
            INSERT INTO notice_floor (notice, purpose, recipient, version) VALUES ('main', 'aggregate_statistics', 'acme', 2), ('main', 'ad_measurement', 'class:university', 3), ('main', 'ad_measurement', 'other', 3); \
            INSERT INTO notice (name, version, language, purposes, partners, open_classes, scopes, particulars, changed, shown_from, at) VALUES ('main', 2, 'en', '[]', '[]', '[\"university\"]', '[]', '{}', '[]', '', '')";
        sqlx::raw_sql(floors).execute(&mut *tx).await.unwrap();
        for id in (0..400).chain(CHUNK - 3..CHUNK + 300) {
            let word = |rng: &mut _, words: &[&'static str]| *words.choose(rng).unwrap();
            let status = word(rng, &["active", "active", "active", "merged", "erased"]);
            let age = word(rng, &["under_13", "13_15", "16_17", "25_34", "65_plus", "unknown"]);
            let (country, region) = *[(None, None), (Some("Germany"), None), (Some("US"), Some("California")), (Some("US"), None), (Some("Nowhere"), None)].choose(rng).unwrap();
            let person = sqlx::query("INSERT INTO subject (subject_id, status, age_band, country, region) VALUES (?, ?, ?, ?, ?)");
            person.bind(id).bind(status).bind(age).bind(country).bind(region).execute(&mut *tx).await.unwrap();
            if rng.random_ratio(1, 4) {
                let (kind, purpose, partner) = (word(rng, &["opt_out", "objection", "restriction"]), word(rng, &["", "ad_measurement"]), word(rng, &["", "acme"]));
                let limit = sqlx::query("INSERT INTO limit_state (subject_id, kind, purpose, partner) VALUES (?, ?, ?, ?)");
                limit.bind(id).bind(kind).bind(purpose).bind(partner).execute(&mut *tx).await.unwrap();
            }
            let (usual, sure) = (rng.random_ratio(2, 3), rng.random());
            let mut keys = std::collections::BTreeSet::new();
            for _ in 0..rng.random_range(0..8) {
                let recipients: &[&str] = if usual { &["acme", "other", "third", "gone"] } else { &["acme", "other", "class:university", "class:bank"] };
                let scope = if usual { DataScope::Everything } else { *DataScope::ALL.choose(rng).unwrap() };
                let purpose = *[Purpose::AggregateStatistics, Purpose::AdMeasurement, Purpose::AiTraining].choose(rng).unwrap();
                keys.insert(ConsentKey { subject: SubjectId(id), recipient: word(rng, recipients).parse::<Recipient>().unwrap(), purpose, scope });
            }
            for key in keys {
                let standing = standing(rng, &key, sure);
                tx.write(rows::STATE, &[(key, standing)], |(key, standing), values| rows::bind_state(values, key, standing, 1)).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn everybody_at_once_is_everybody_by_themselves() {
        let seed = env_seed(17);
        eprintln!("seed {seed}");
        let mut rng = Generator::new(seed).0;
        let (mut permitted, mut denied) = (0, 0);
        for _ in 0..3 {
            let (_folder, plane) = deployment().await;
            let mut tx = plane.inner.store.begin().await.unwrap();
            fill(&mut tx, &mut rng).await;
            assert_eq!(chunks(&mut tx).await.unwrap(), 0..2);
            for packs in [vec![], shipped().unwrap(), vec![parse(OPEN).unwrap()]] {
                let law = Arc::new(InForce::of(0, Law::new(packs, at(1).date_naive()).unwrap()));
                for now in [at(9), at(12), at(30)] {
                    let rules = Rules { law: Arc::clone(&law), now };
                    for chunk in 0..2 {
                        let (block, each) = (Block::read(&mut tx, chunk).await.unwrap(), standings(&mut tx, Whom::Chunk(chunk)).await.unwrap());
                        assert_eq!(block.permitted(&rules), each.permitted(&rules), "seed {seed}");
                        assert_eq!(block.people(), each.people().count() as u64);
                        assert!(block.rest.people().count() > 20 && block.people.iter().flatten().count() > 20, "both ways are taken");
                        let bits = block.permitted(&rules).values().map(|set| set.without(&Chunk::EMPTY).iter().map(|b| b.count_ones()).sum::<u32>()).sum::<u32>();
                        permitted += bits;
                        denied += block.columns.iter().map(|column| column.choices.len()).sum::<usize>().saturating_sub(bits as usize);
                    }
                }
            }
        }
        assert!(permitted > 1_000 && denied > 1_000_usize, "seed {seed}: {permitted} permitted, {denied} denied");
    }
}
