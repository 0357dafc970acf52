//! What the store knows of some people that permissions depend on: who they are, what they chose and limit,
//! and to which class each partner belongs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use domain::consent::{Consent, ConsentAction, ConsentKey, Covering, DataScope, EventOrder, Facts, LimitKey, LimitKind, Limits, Recipient, Standing, Strength, permitted};
use domain::law::{Residence, Use};
use domain::notice::NoticeRef;
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, NoticeName, PartnerClass, PartnerName, Purpose, SubjectId, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::permitted::{Chunk, ids_of};
use crate::Error;
use crate::error::unreadable;
use crate::law::InForce;
use crate::plane::Inner;
use crate::store::{Columns, Statements, parse_time_number, parsed};
use crate::subject::Person;

/// The law and the time by which permissions are worked out.
pub(crate) struct Rules {
    pub(crate) law: Arc<InForce>,
    pub(crate) now: Timestamp,
}

impl Rules {
    /// Those of `now`, by the packs that `connection` sees.
    pub(crate) async fn read(connection: &mut SqliteConnection, inner: &Inner, now: Timestamp) -> Result<Self, Error> {
        Ok(Self { law: inner.law.at(connection, now).await?, now })
    }
}

/// Columns of `consent_state c` as [`StandingRow`] reads them.
pub(crate) const STANDING: &str = "json_array(c.subject_id, c.purpose, c.recipient, c.scope, c.state, c.at, c.sequence, c.action, json(c.given), json(c.ended), c.strength, c.valid_until, c.refused_at, c.notice, c.notice_version)";

/// A row of `consent_state`.
#[derive(serde::Deserialize)]
pub(super) struct StandingRow(
    SubjectId,
    Purpose,
    Recipient,
    DataScope,
    domain::consent::ConsentState,
    i64,
    u32,
    ConsentAction,
    Option<(i64, u32, ConsentAction)>,
    Option<(i64, u32, ConsentAction)>,
    u8,
    Option<i64>,
    Option<i64>,
    NoticeName,
    u32,
);

/// Where the consents of a person and purpose stand, to be told by [`StandingRow::of`], and the last event of each.
pub(super) const OF_PURPOSE: &str = "SELECT subject_id, purpose, recipient, scope, state, at, sequence, action, given, ended, strength, valid_until, refused_at, notice, notice_version, last_event \
    FROM consent_state WHERE subject_id = ? AND purpose = ?";

impl StandingRow {
    pub(super) fn of(row: &dyn Columns) -> Result<Self, Fault> {
        let order = |column: usize| row.maybe_text(column)?.map(serde_json::from_str).transpose().map_err(|e| unreadable("the order of an event", e));
        Ok(Self(
            SubjectId(row.number(0)?),
            row.word(1)?,
            row.word(2)?,
            row.word(3)?,
            row.word(4)?,
            row.number(5)?,
            row.number(6)?,
            row.word(7)?,
            order(8)?,
            order(9)?,
            row.number(10)?,
            row.maybe_number(11)?,
            row.maybe_number(12)?,
            row.word(13)?,
            row.number(14)?,
        ))
    }

    pub(super) fn read(self) -> Result<(ConsentKey, Standing), Fault> {
        let Self(subject, purpose, recipient, scope, state, at, sequence, action, given, ended, strength, valid_until, refused_at, name, version) = self;
        let time = |micros: Option<i64>| micros.map(parse_time_number).transpose();
        let order =
            |order: Option<(i64, u32, ConsentAction)>| order.map(|(at, sequence, action)| Ok::<_, Fault>(EventOrder { at: parse_time_number(at)?, sequence, action })).transpose();
        let standing = Standing {
            state,
            last: EventOrder { at: parse_time_number(at)?, sequence, action },
            given: order(given)?,
            ended: order(ended)?,
            strength: Strength::from_bits(strength),
            valid_until: time(valid_until)?,
            refused_at: time(refused_at)?,
            notice: NoticeRef { name, version },
        };
        Ok((ConsentKey { subject, recipient, purpose, scope }, standing))
    }
}

/// What notices say of yeses to them.
///
/// # Guarantee
/// It is asked for the text on which a consent stands, whatever has happened since: that somebody was asked again
/// brings no yes to outdated words back.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// By notice: what was asked otherwise from a version on.
    floors: HashMap<NoticeName, Vec<(Purpose, Recipient, u32)>>,
    /// By notice: the classes that a version names as open.
    open: HashMap<NoticeName, Vec<(u32, PartnerClass)>>,
}

/// What notices ask otherwise from a version on, as JSON.
const FLOORS: &str = "SELECT json_group_array(json_array(notice, purpose, recipient, version)) FROM notice_floor";

/// The classes that versions of notices name as open, as JSON.
const OPEN: &str = "SELECT json_group_array(json_array(n.name, n.version, o.value)) FROM notice n, json_each(n.open_classes) o WHERE n.open_classes <> '[]'";

/// Partners, and what notices say of yeses to them.
static AROUND: LazyLock<String> = LazyLock::new(|| format!("SELECT ({PARTNERS}), ({FLOORS}), ({OPEN})"));

/// What choices of whomever are made among: partners, and what notices say of yeses to them.
pub(super) async fn around(store: &mut impl Statements) -> Result<(Partners, Notices), Error> {
    let row = |row: &dyn Columns| Ok((Partners::new(row.json(0)?), Notices::new(row.json(1)?, row.json(2)?)));
    store.read(&AROUND, &[()], |(), _| Ok(()), row).await?.pop().ok_or_else(|| Fault::broken("a query without an answer").into())
}

impl Notices {
    /// What [`FLOORS`] and [`OPEN`] gave.
    fn new(floors: Vec<(NoticeName, Purpose, Recipient, u32)>, open: Vec<(NoticeName, u32, PartnerClass)>) -> Self {
        let mut notices = Self::default();
        for (name, purpose, recipient, version) in floors {
            notices.floors.entry(name).or_default().push((purpose, recipient, version));
        }
        for (name, version, class) in open {
            notices.open.entry(name).or_default().push((version, class));
        }
        notices
    }

    /// Whether a yes to this text must be asked again.
    pub(super) fn supersede(&self, notice: &NoticeRef, purpose: Purpose, recipient: &Recipient) -> bool {
        let floors = self.floors.get(&notice.name).into_iter().flatten();
        floors.into_iter().any(|(of, to, version)| *of == purpose && to == recipient && *version > notice.version)
    }

    /// Whether this text names the recipient as a class that is open to whoever joins it.
    fn open(&self, notice: &NoticeRef, recipient: &Recipient) -> bool {
        let Recipient::Class(wanted) = recipient else { return false };
        self.open.get(&notice.name).into_iter().flatten().any(|(version, class)| *version == notice.version && class == wanted)
    }
}

/// Partners with their classes, as JSON.
const PARTNERS: &str = "SELECT json_group_array(json_array(partner, class)) FROM partner_act WHERE act = 'add'";

/// Partners, with the class that each belongs to.
#[derive(Debug, Default, Clone)]
pub(crate) struct Partners(BTreeMap<PartnerName, Option<PartnerClass>>);

impl Partners {
    /// The name as these partners have it.
    pub(super) fn named(&self, name: &str) -> Option<&PartnerName> {
        self.0.keys().find(|partner| partner.as_str() == name)
    }

    pub(super) fn new(all: Vec<(PartnerName, Option<PartnerClass>)>) -> Self {
        Self(all.into_iter().collect())
    }

    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let row = sqlx::query(PARTNERS).fetch_one(connection).await?;
        Ok(Self::new(parsed(&row, 0)?))
    }

    /// The partners to whom a choice speaks.
    pub(crate) fn of<'a>(&'a self, recipient: &'a Recipient) -> impl Iterator<Item = &'a PartnerName> {
        self.0
            .iter()
            .filter(move |(name, class)| match recipient {
                Recipient::Partner(partner) => *name == partner,
                Recipient::Class(wanted) => class.as_ref() == Some(wanted),
            })
            .map(|(name, _)| name)
    }

    fn covers(&self, recipient: &Recipient, partner: &PartnerName) -> bool {
        match recipient {
            Recipient::Partner(name) => name == partner,
            Recipient::Class(class) => self.0.get(partner).is_some_and(|of| of.as_ref() == Some(class)),
        }
    }
}

/// To whom a choice speaks, of which data, and where it stands.
type OfRecipient = (Recipient, DataScope, Standing);

/// What the store knows of some people.
#[derive(Default)]
pub(crate) struct Standings {
    pub(super) people: BTreeMap<SubjectId, Person>,
    /// By person and purpose.
    pub(super) known: HashMap<(SubjectId, Purpose), Vec<OfRecipient>>,
    pub(super) limits: HashMap<SubjectId, Vec<LimitKey>>,
    pub(super) partners: Partners,
    pub(super) notices: Notices,
}

impl Standings {
    pub(crate) fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Every key of a person's choices, with where it stands.
    pub(crate) fn of(&self, subject: SubjectId) -> impl Iterator<Item = (ConsentKey, &Standing)> {
        let of_person = Purpose::ALL.iter().filter_map(move |&purpose| Some((purpose, self.known.get(&(subject, purpose))?)));
        of_person.flat_map(move |(purpose, of_purpose)| {
            of_purpose.iter().map(move |(recipient, scope, known)| (ConsentKey { subject, recipient: recipient.clone(), purpose, scope: *scope }, known))
        })
    }

    /// What a person limits.
    fn limits(&self, subject: SubjectId) -> &[LimitKey] {
        self.limits.get(&subject).map_or(&[], Vec::as_slice)
    }

    /// The partners to whom a choice speaks.
    pub(crate) fn partners<'a>(&'a self, recipient: &'a Recipient) -> impl Iterator<Item = &'a PartnerName> {
        self.partners.of(recipient)
    }

    pub(crate) fn get(&self, key: &ConsentKey) -> Option<&Standing> {
        let of_purpose = self.known.get(&(key.subject, key.purpose))?;
        of_purpose.iter().find(|(recipient, scope, _)| *recipient == key.recipient && *scope == key.scope).map(|(.., standing)| standing)
    }

    pub(super) fn put(&mut self, key: &ConsentKey, standing: Standing) {
        let of_purpose = self.known.entry((key.subject, key.purpose)).or_default();
        match of_purpose.iter_mut().find(|(recipient, scope, _)| *recipient == key.recipient && *scope == key.scope) {
            Some((.., old)) => *old = standing,
            None => of_purpose.push((key.recipient.clone(), key.scope, standing)),
        }
    }

    /// When the person last said no to this recipient and purpose, about any of the same data.
    pub(crate) fn refused_at(&self, key: &ConsentKey) -> Option<Timestamp> {
        let of_purpose = self.known.get(&(key.subject, key.purpose)).into_iter().flatten();
        let same = of_purpose.filter(|(recipient, scope, _)| *recipient == key.recipient && (scope.covers(key.scope) || key.scope.covers(*scope)));
        same.filter_map(|(.., standing)| standing.refused_at).max()
    }

    /// Whether something that the person limits covers all of this.
    pub(crate) fn is_limited(&self, subject: SubjectId, recipient: &Recipient, purpose: Purpose) -> bool {
        match recipient {
            Recipient::Partner(partner) => !Limits::covering(self.limits(subject), partner, purpose).is_empty(),
            Recipient::Class(_) => self.limits(subject).iter().any(|limit| limit.partner.is_none() && limit.purpose.is_none_or(|p| p == purpose)),
        }
    }

    /// The partners and purposes of which a person's choices speak.
    pub(crate) fn pairs(&self, subject: SubjectId) -> BTreeSet<(&PartnerName, Purpose)> {
        let mut pairs = BTreeSet::new();
        for &purpose in Purpose::ALL {
            for (recipient, ..) in self.known.get(&(subject, purpose)).into_iter().flatten() {
                pairs.extend(self.partners.of(recipient).map(|partner| (partner, purpose)));
            }
        }
        pairs
    }

    /// What the ledger says of a use.
    pub(crate) fn consent(&self, subject: SubjectId, partner: &PartnerName, purpose: Purpose, part: DataScope, now: Timestamp) -> Consent {
        self.consent_of(subject, purpose, part, now, |recipient| self.partners.covers(recipient, partner))
    }

    /// What the ledger says of a use by those of whom `covers` says that a choice speaks to them.
    fn consent_of(&self, subject: SubjectId, purpose: Purpose, part: DataScope, now: Timestamp, covers: impl Fn(&Recipient) -> bool) -> Consent {
        let of_purpose = self.known.get(&(subject, purpose)).into_iter().flatten();
        let covering: Vec<Covering> = of_purpose
            .filter(|(recipient, scope, _)| scope.covers(part) && covers(recipient))
            .map(|(recipient, scope, standing)| Covering {
                recipient: recipient.clone(),
                scope: *scope,
                standing: standing.clone(),
                superseded: self.notices.supersede(&standing.notice, purpose, recipient),
                open_class: self.notices.open(&standing.notice, recipient),
            })
            .collect();
        Consent::of(&covering, part, now)
    }

    /// What the consent of one key says by itself: a yes to outdated words must be asked again.
    pub(crate) fn alone(&self, key: &ConsentKey, standing: &Standing, now: Timestamp) -> Consent {
        Consent::alone(standing.state_at(now), standing.strength, self.notices.supersede(&standing.notice, key.purpose, &key.recipient))
    }

    /// Everything that a permission depends on.
    pub(crate) fn facts(&self, person: &Person, partner: &PartnerName, purpose: Purpose, part: DataScope, now: Timestamp) -> Facts {
        let limits = Limits::covering(self.limits(person.subject), partner, purpose);
        let Person { subject, status, age, residence } = *person;
        Facts { status, age, residence, consent: self.consent(subject, partner, purpose, part, now), limits }
    }

    /// The same of a recipient that is no partner: only choices that name it speak to it.
    pub(crate) fn facts_to(&self, person: &Person, recipient: &Recipient, purpose: Purpose, part: DataScope, now: Timestamp) -> Facts {
        let Person { subject, status, age, residence } = *person;
        let limits = Limits::of_purpose(self.limits(subject), purpose);
        Facts { status, age, residence, consent: self.consent_of(subject, purpose, part, now, |other| other == recipient), limits }
    }

    /// Whether each part of a person's data may be used, in the order of [`DataScope::PARTS`].
    pub(crate) fn permissions(&self, rules: &Rules, person: &Person, partner: &PartnerName, purpose: Purpose) -> [bool; 3] {
        DataScope::PARTS.map(|part| {
            let (demands, opens_classes) = rules.law.demands(person.residence, person.age, Use { purpose, sensitivity: part.sensitivity() });
            permitted(&self.facts(person, partner, purpose, part, rules.now), demands, opens_classes)
        })
    }

    /// Whom each partner may count for what, of people of one row of the permitted sets.
    pub(crate) fn permitted(&self, rules: &Rules) -> BTreeMap<(&PartnerName, Purpose), Chunk> {
        let mut sets = BTreeMap::new();
        for person in self.people() {
            for (partner, purpose) in self.pairs(person.subject) {
                let permissions = self.permissions(rules, person, partner, purpose);
                sets.entry((partner, purpose)).or_insert(Chunk::EMPTY).set(person.subject, permissions);
            }
        }
        sets
    }
}

/// A person as a row of JSON has them: id, status, age, country, region.
pub(super) type PersonRow = (SubjectId, SubjectStatus, AgeBand, Option<String>, Option<String>);

pub(super) fn person((subject, status, age, country, region): PersonRow) -> Person {
    Person { subject, status, age, residence: Residence::of(country.as_deref(), region.as_deref()) }
}

/// A limit as a row of JSON has it; an empty word is none.
pub(super) fn limit((subject, kind, purpose, partner): (SubjectId, LimitKind, &str, &str)) -> Result<LimitKey, Fault> {
    let purpose = (!purpose.is_empty()).then(|| purpose.parse()).transpose().map_err(|e| unreadable("a limit", e))?;
    let partner = (!partner.is_empty()).then(|| partner.parse()).transpose().map_err(|e| unreadable("a limit", e))?;
    Ok(LimitKey { subject, kind, purpose, partner })
}

/// Whose standings are read.
pub(crate) enum Whom<'a> {
    These(&'a [SubjectId]),
    /// Everybody of one row of the permitted sets.
    Chunk(u32),
}

/// Everything that permissions of these people depend on.
pub(crate) async fn standings(connection: &mut SqliteConnection, whom: Whom<'_>) -> Result<Standings, Error> {
    let partners = Partners::read(connection).await?;
    let (which, list, from, to) = match whom {
        Whom::These(people) => ("SELECT value AS subject_id FROM json_each(?1)", crate::store::json_rows(&people)?, 0, 0),
        Whom::Chunk(chunk) => {
            let ids = ids_of(chunk);
            ("SELECT s.subject_id FROM subject s WHERE s.subject_id >= ?2 AND s.subject_id < ?3 AND ?1 IS NOT NULL", String::new(), ids.start, ids.end)
        }
    };
    let sql = format!(
        "WITH whom AS MATERIALIZED ({which}) SELECT \
           (SELECT json_group_array(json_array(s.subject_id, s.status, s.age_band, s.country, s.region)) FROM whom w CROSS JOIN subject s ON s.subject_id = w.subject_id \
              WHERE EXISTS (SELECT 1 FROM consent_state c WHERE c.subject_id = s.subject_id)), \
           (SELECT json_group_array({STANDING}) FROM whom w CROSS JOIN consent_state c ON c.subject_id = w.subject_id), \
           (SELECT json_group_array(json_array(l.subject_id, l.kind, l.purpose, l.partner)) FROM whom w CROSS JOIN limit_state l ON l.subject_id = w.subject_id), \
           ({FLOORS}), ({OPEN})"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(list).bind(from).bind(to).fetch_one(connection).await?;
    let notices = Notices::new(parsed(&row, 3)?, parsed(&row, 4)?);
    let mut all = Standings { partners, notices, ..Standings::default() };
    all.add(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?;
    Ok(all)
}

impl Standings {
    /// Adds what a statement gave as JSON: people, standings, limits.
    fn add(&mut self, people: &str, standings: &str, limits: &str) -> Result<(), Fault> {
        let rows = |e| unreadable("rows", e);
        self.people.extend(serde_json::from_str::<Vec<PersonRow>>(people).map_err(rows)?.into_iter().map(person).map(|p| (p.subject, p)));
        for row in serde_json::from_str::<Vec<StandingRow>>(standings).map_err(rows)? {
            self.add_standing(row.read()?);
        }
        for row in serde_json::from_str::<Vec<(SubjectId, LimitKind, &str, &str)>>(limits).map_err(rows)? {
            self.add_limit(limit(row)?);
        }
        Ok(())
    }

    pub(super) fn add_standing(&mut self, (key, standing): (ConsentKey, Standing)) {
        self.known.entry((key.subject, key.purpose)).or_default().push((key.recipient, key.scope, standing));
    }

    pub(super) fn add_limit(&mut self, key: LimitKey) {
        self.limits.entry(key.subject).or_default().push(key);
    }
}
