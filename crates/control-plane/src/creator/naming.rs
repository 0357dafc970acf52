//! Whether the person behind an account agrees to be named.

use std::collections::BTreeSet;

use domain::consent::{DataScope, Recipient, permitted};
use domain::law::{Outcome, Use};
use domain::record::AccountKey;
use domain::{Purpose, SubjectId, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::EVERYBODY;
use crate::Error;
use crate::consent::{Rules, Whom, standings};
use crate::plane::Inner;
use crate::store::parse_word;
use crate::subject::{person, resolve};

/// A person of whom there are data here, and an account of theirs.
pub(super) struct Owner {
    pub(super) subject: SubjectId,
    /// Whether they, or the controller, named the account: people whom streams alone name never enrolled.
    pub(super) enrolled: bool,
}

/// Whose account it is, of people of whom there are data here.
pub(super) async fn owner(tx: &mut SqliteConnection, inner: &Inner, account: &AccountKey) -> Result<Option<Owner>, Error> {
    let found = sqlx::query(
        "SELECT subject_id, pseudonym FROM account WHERE platform = ?1 AND (native_id = ?2 AND pseudonym = 0 OR native_id = ?3 AND pseudonym = 1) ORDER BY pseudonym LIMIT 1",
    )
    .bind(account.platform.as_str())
    .bind(&account.native_id)
    .bind(inner.seal.pseudonym(account));
    let Some(row) = found.fetch_optional(&mut *tx).await? else { return Ok(None) };
    let subject = resolve(tx, SubjectId(row.try_get(0)?)).await?;
    Ok(Some(Owner { subject, enrolled: !row.try_get::<bool, _>(1)? }))
}

/// An act that lists the account of a person of whom there are data here.
pub(super) struct Owned {
    pub(super) act: i64,
    pub(super) subject: SubjectId,
    /// Whether it stands and falls with what the person agrees to.
    pub(super) by_consent: bool,
}

/// The acts that list accounts now, of people of whom there are data here.
pub(super) async fn owned(tx: &mut SqliteConnection) -> Result<Vec<Owned>, Error> {
    let rows = sqlx::query(
        "SELECT n.act_id, coalesce(s.merged_into, s.subject_id), c.pseudonym = 0 OR a.basis = 'consent'
         FROM creator_name n CROSS JOIN creator_act a ON a.id = n.act_id
         CROSS JOIN account c ON c.platform = a.platform AND (c.native_id = n.native_id AND c.pseudonym = 0 OR c.native_id = n.pseudonym AND c.pseudonym = 1)
         CROSS JOIN subject s ON s.subject_id = c.subject_id",
    );
    let rows = rows.fetch_all(tx).await?;
    rows.iter().map(|row| Ok(Owned { act: row.try_get(0)?, subject: SubjectId(row.try_get(1)?), by_consent: row.try_get(2)? })).collect()
}

/// Who of `people` agreed, by the recorded choices, to be named in public: a yes in so many words to the purpose
/// `public_naming` and the class `everybody`, as firm as the law where they live asks for, that nothing limits.
pub(super) async fn agree(tx: &mut SqliteConnection, inner: &Inner, people: &[SubjectId], at: Timestamp) -> Result<BTreeSet<SubjectId>, Error> {
    let everybody = Recipient::Class(parse_word(EVERYBODY)?);
    let known = standings(tx, Whom::These(people)).await?;
    let rules = Rules::read(tx, inner, at).await?;
    // What somebody is known for tells of everything that they write.
    let part = DataScope::Topics;
    let mut agree = BTreeSet::new();
    for &subject in people {
        let person = person(tx, subject).await?;
        let (demands, _) = rules.law.demands(person.residence, person.age, Use { purpose: Purpose::PublicNaming, sensitivity: part.sensitivity() });
        let facts = known.facts_to(&person, &everybody, Purpose::PublicNaming, part, at);
        if permitted(&facts, demands.with(Outcome::ExplicitOptIn), true) {
            agree.insert(subject);
        }
    }
    Ok(agree)
}
