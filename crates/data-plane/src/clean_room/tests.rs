//! The clean room against its specification, and against the removal of people.

use std::collections::{BTreeMap, BTreeSet};

use domain::lake::{Arrival, Snapshot};
use domain::port::{Lake, Unwatched};
use domain::question::expr::{Expr, Function};
use domain::question::{Aggregate, KeyValues, Narrowing, PerSubject, Plan, Prepared, Question};
use domain::record::NormalizedBatch;
use domain::release::Charge;
use domain::{SubjectId, SubjectSet, Timestamp};
use dp::BoundingKey;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;
use testkit::{Generator, Part, Reference, ReferenceAnswer, ZeroNoise, env_seed, partner_rows, partner_tables, tables};

use super::*;

mod duckdb;
mod error;
mod merged;
mod same;

/// Triples of data, question and removed person that one run checks.
const TRIPLES: u64 = 2_000;
/// Questions that share one data set.
const PER_DATA: u64 = 20;
/// People of a data set who are removed: for each of them it is laid out anew.
const REMOVED: usize = 4;

/// A lake with one snapshot, laid out at random.
struct World {
    _folder: TempDir,
    room: DataFusionCleanRoom,
    snapshot: Snapshot,
}

impl World {
    /// Writes `arrivals` in a random order, in a random number of imports up to `imports_max`, to be read
    /// by a random number of threads.
    fn lay_out(arrivals: &[Arrival], imports_max: usize, rng: &mut ChaCha20Rng) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A few buckets with a few people each: every file costs as much time as a thousand rows.
        let lake = ParquetLake::with_bucket_size(folder.path(), rng.random_range(100..600));
        let imports = rng.random_range(1..=imports_max);
        let mut manifest = None;
        for part in 0..imports {
            let of_part: Vec<Arrival> = arrivals.iter().map(|a| slice(a, part, imports, rng)).collect();
            manifest = Some(lake.stage(manifest.as_ref(), &of_part, &Unwatched).unwrap().manifest);
        }
        let [table] = &partner_tables()[..] else { panic!("one table") };
        let manifest = lake.put(manifest.as_ref(), table.id(), &partner_rows(arrivals)).unwrap();
        let room = DataFusionCleanRoom::new(lake, Arc::new(ZeroNoise), rng.random_range(1..5)).unwrap();
        let snapshot = Snapshot { id: 1, cause: domain::lake::SnapshotCause::Import, at: Timestamp::UNIX_EPOCH, visible_from: Timestamp::UNIX_EPOCH, manifest };
        Self { _folder: folder, room, snapshot }
    }

    fn exact(&self, prepared: &Prepared, eligible: &SubjectSet, key: &BoundingKey) -> ReferenceAnswer {
        let charge = Charge::of_durable_reservation(prepared.cost);
        let look = PaidLook { prepared, charge: &charge, snapshot: &self.snapshot, eligible, bounding_key: key };
        let exact = self.room.exact(&look).unwrap();
        let groups = exact.groups().map(|group| (domain::question::encode_key(&group.key), parts(&prepared.plan, group))).collect();
        ReferenceAnswer { groups, participants: exact.into_participants().iter().collect() }
    }
}

/// The exact values of a group as the reference writes them.
fn parts(plan: &Plan, group: &aggregate::ExactGroup) -> Vec<Part> {
    let mut kept = group.kept.iter();
    let of = |(aggregate, value): (&Aggregate, &i128)| match if aggregate.is_set() { kept.next() } else { None } {
        None => Part::Number(*value),
        Some(set::Kept::Distinct(values)) => Part::Distinct(values.clone()),
        Some(set::Kept::Leaves(counts)) => Part::Leaves(counts.iter().collect()),
    };
    plan.aggregates.iter().zip(&group.values).map(of).collect()
}

/// The acts of an arrival whose turn it is, in random order. Acts with equal keys stay in one import
/// and in their order: which of two equals counts depends on which comes first.
fn slice(arrival: &Arrival, part: usize, parts: usize, rng: &mut ChaCha20Rng) -> Arrival {
    let turn = |owner: u32, key: &str| (usize::try_from(owner).unwrap() + key.len()) % parts;
    let activities: Vec<_> = arrival.batch.activities.iter().filter(|a| turn(a.owner, &a.native_key) == part).collect();
    let mut order: Vec<usize> = (0..activities.len()).collect();
    order.shuffle(rng);
    let mut shuffled: Vec<_> = order.iter().map(|&i| (i, activities[i].clone())).collect();
    // Equal keys back into their order.
    let mut places: BTreeMap<(u32, String), Vec<usize>> = BTreeMap::new();
    for (place, (_, act)) in shuffled.iter().enumerate() {
        places.entry((act.owner, act.native_key.to_string())).or_default().push(place);
    }
    for places in places.values().filter(|p| p.len() > 1) {
        let mut originals: Vec<usize> = places.iter().map(|&p| shuffled[p].0).collect();
        originals.sort_unstable();
        for (&place, original) in places.iter().zip(originals) {
            shuffled[place] = (original, activities[original].clone());
        }
    }
    let activities = shuffled.into_iter().map(|(_, act)| act).collect();
    // People are described by every import; the same words again change nothing.
    Arrival { batch: NormalizedBatch { activities, ..arrival.batch.clone() }, ids: arrival.ids.clone() }
}

/// Random people with ids that reach over several buckets.
fn data(generator: &mut Generator) -> Vec<Arrival> {
    let people = generator.0.random_range(3..28);
    let batch = generator.batch(people);
    let mut ids: Vec<u32> = (0..1_000).collect();
    ids.shuffle(&mut generator.0);
    let ids = ids.into_iter().take(people as usize).map(SubjectId).collect();
    vec![Arrival { batch, ids }]
}

fn without(arrivals: &[Arrival], gone: SubjectId) -> Vec<Arrival> {
    arrivals
        .iter()
        .map(|a| {
            let kept: Vec<usize> = (0..a.ids.len()).filter(|&i| a.ids[i] != gone).collect();
            let moved: BTreeMap<u32, u32> = kept.iter().enumerate().map(|(new, &old)| (u32::try_from(old).unwrap(), u32::try_from(new).unwrap())).collect();
            let activities = a.batch.activities.iter().filter_map(|act| Some(domain::record::ActivityRecord { owner: *moved.get(&act.owner)?, ..act })).collect();
            let subjects = kept.iter().map(|&i| a.batch.subjects[i].clone()).collect();
            Arrival { batch: NormalizedBatch { subjects, activities, ..a.batch.clone() }, ids: kept.iter().map(|&i| a.ids[i]).collect() }
        })
        .collect()
}

fn prepare(generator: &mut Generator) -> Prepared {
    let narrowing = Narrowing { groups: Some(1), rows_per_group: Some(1), ..Narrowing::default() };
    let narrowing = if generator.0.random_ratio(1, 4) { narrowing } else { Narrowing::default() };
    let mut prepared = std::iter::repeat_with(|| {
        let sql = generator.sql();
        let question = Question { sql: sql.clone(), params: Vec::new(), rho: "0.1".parse().unwrap(), narrowing: narrowing.clone() };
        match validate::validate(&question, &partner_tables()) {
            Ok(prepared) => Some(prepared),
            // What the generator cannot foresee.
            Err(refusal) if ["is the same for every row", "is grouped by twice, with different keys"].iter().any(|why| refusal.message.ends_with(why)) => None,
            Err(refusal) if refusal.message.ends_with("narrows nothing of what the question asks for") => None,
            Err(refusal) => panic!("{sql}: {refusal}"),
        }
    })
    .find_map(|prepared| prepared)
    .unwrap();
    // Tight bounds bite on little data.
    let bounds = &prepared.plan.bounds;
    if generator.0.random_ratio(1, 2) {
        prepared.plan.bounds =
            dp::ContributionBounds::new(bounds.groups().min(generator.0.random_range(1..5)), bounds.rows_per_group().min(generator.0.random_range(1..4)), bounds.rows_at_scan())
                .unwrap();
    }
    if generator.0.random_ratio(1, 3) {
        prepared.plan.bounds = prepared.plan.bounds.with_rows_overall(generator.0.random_range(1..8)).unwrap();
    }
    if generator.0.random_ratio(1, 2) {
        let most = generator.0.random_range(1..6);
        prepared.plan.per_subject.iter_mut().for_each(|inner| rows(inner, most));
    }
    prepared
}

/// Subqueries with keys make `most` rows of a person at most.
fn rows(inner: &mut PerSubject, most: u32) {
    inner.rows = if inner.keys.is_empty() { 1 } else { most };
    inner.per_subject.iter_mut().for_each(|inner| rows(inner, most));
}

/// Whether a subquery makes several rows of a person, and whether one is in another.
fn shape(inner: &[PerSubject]) -> (bool, bool) {
    let keyed = inner.iter().any(|inner| !inner.keys.is_empty() || shape(&inner.per_subject).0);
    (keyed, inner.iter().any(|inner| !inner.per_subject.is_empty()))
}

/// T-DP1: one person comes or goes.
#[test]
fn one_person_changes_no_more_than_their_bound_and_nobody_else() {
    let seed = env_seed(20_261_124);
    eprintln!("seed {seed}");
    let (mut changed, mut keyed) = (0, 0);
    for n in 0..TRIPLES / PER_DATA {
        let mut generator = Generator::new(seed + n);
        let mut layout = ChaCha20Rng::seed_from_u64(seed ^ n);
        let arrivals = data(&mut generator);
        // Where a person has more rows than are looked at, the lake keeps them in one file, but for a
        // cap that only this test sets: then there is one import.
        let capped = generator.0.random_ratio(1, 5);
        let imports_max = if capped { 1 } else { 3 };
        let world = World::lay_out(&arrivals, imports_max, &mut layout);
        let all = arrivals[0].ids.clone();
        let removed: Vec<SubjectId> = all.sample(&mut generator.0, REMOVED).copied().collect();
        let smaller: Vec<World> = removed.iter().map(|person| World::lay_out(&without(&arrivals, *person), imports_max, &mut layout)).collect();
        for _ in 0..PER_DATA {
            let mut prepared = prepare(&mut generator);
            if capped {
                let b = &prepared.plan.bounds;
                let capped = dp::ContributionBounds::new(b.groups(), b.rows_per_group(), generator.0.random_range(1..6)).unwrap();
                prepared.plan.bounds = b.rows_overall().map_or(capped, |rows| capped.with_rows_overall(rows).unwrap());
            }
            let place = generator.0.random_range(0..removed.len());
            // Who is removed has nearly always agreed: else nothing can change.
            let mut eligible: SubjectSet = all.iter().copied().filter(|id| *id != removed[place] && generator.0.random_ratio(4, 5)).collect();
            if generator.0.random_ratio(19, 20) {
                eligible.insert(removed[place]);
            }
            let key = BoundingKey::from_bytes(generator.0.random());
            let case = format!("FAIRSHARE_SEED={} {}", seed + n, prepared.plan.to_json());
            let matters = check_removal(&world, &smaller[place], &prepared, &eligible, &key, removed[place], &case);
            changed += u64::from(matters);
            keyed += u64::from(matters && shape(&prepared.plan.per_subject).0);
        }
    }
    assert!(changed > TRIPLES / 4, "people hardly ever mattered: {changed} of {TRIPLES}");
    assert!(keyed > TRIPLES / 40, "several rows of a subquery hardly ever mattered: {keyed} of {TRIPLES}");
}

/// Checks one person, who is missing in `smaller`.
fn check_removal(world: &World, smaller: &World, prepared: &Prepared, eligible: &SubjectSet, key: &BoundingKey, person: SubjectId, case: &str) -> bool {
    let plan = &prepared.plan;
    let with = world.exact(prepared, eligible, key);
    let without = smaller.exact(prepared, eligible, key);
    // Participation of everybody else is the same.
    assert_eq!(with.participants.iter().filter(|p| **p != person).collect::<Vec<_>>(), without.participants.iter().collect::<Vec<_>>(), "{case}");
    // What is there without the person is exactly what the others give when the person is not eligible …
    let mut others = eligible.clone();
    others.remove(person);
    assert_eq!(world.exact(prepared, &others, key), without, "{case}");
    // … and the difference is exactly what the person gives alone.
    let alone = world.exact(prepared, &eligible.iter().filter(|p| *p == person).collect(), key);
    let mut sum = without.groups.clone();
    for (group, values) in &alone.groups {
        let total = sum.entry(group.clone()).or_insert_with(|| plan.aggregates.iter().map(Part::nothing).collect());
        total.iter_mut().zip(values).for_each(|(a, b)| a.merge(b));
    }
    assert_eq!(sum, with.groups, "{case}");
    // Which is within the declared sensitivity, in exact integers.
    assert!(alone.groups.len() <= plan.bounds.groups() as usize, "{case}");
    for (place, aggregate) in plan.aggregates.iter().enumerate() {
        let max = i128::from(aggregate.per_group_max(&plan.bounds));
        let mut square: i128 = 0;
        for part in alone.groups.values().map(|parts| &parts[place]) {
            match part {
                Part::Number(value) => {
                    assert!(value.abs() <= max, "{case}");
                    square += value * value;
                }
                Part::Distinct(values) => {
                    let many = i128::try_from(values.len()).unwrap();
                    assert!(many <= max, "{case}");
                    square += many * many;
                }
                Part::Leaves(leaves) => {
                    let many: u64 = leaves.values().sum();
                    assert!(i128::from(many) <= max, "{case}");
                    square += i128::from(tree_squares(aggregate, leaves));
                }
            }
        }
        assert!(u128::try_from(square).unwrap() <= aggregate.sensitivity(&plan.bounds).unwrap().get(), "{case}");
    }
    !alone.groups.is_empty()
}

/// The sum of the squares of all counts of a tree.
fn tree_squares(aggregate: &Aggregate, leaves: &BTreeMap<u32, u64>) -> u64 {
    let Aggregate::Quantiles { values, .. } = aggregate else { panic!("a tree of nothing") };
    let height = domain::question::tree_shape(values).unwrap().height();
    (0..height)
        .map(|level| {
            let mut nodes: BTreeMap<u32, u64> = BTreeMap::new();
            leaves.iter().for_each(|(leaf, count)| *nodes.entry(leaf / 16_u32.pow(level)).or_default() += count);
            nodes.values().map(|count| count * count).sum::<u64>()
        })
        .sum()
}

/// The functions that an expression calls.
fn called(expr: &domain::question::RowExpr, into: &mut BTreeSet<Function>) {
    match expr {
        Expr::Leaf(_) | Expr::Constant(_) => {}
        Expr::Call(function, args) => {
            into.insert(*function);
            args.iter().for_each(|arg| called(arg, into));
        }
        Expr::Case { branches, otherwise } => {
            branches.iter().flat_map(|(condition, result)| [condition, result]).for_each(|part| called(part, into));
            called(otherwise, into);
        }
    }
}

/// The engine and the plain loops agree, bit for bit, on random data, layouts and questions.
#[test]
fn the_engine_agrees_with_the_plain_loops() {
    let seed = env_seed(42);
    eprintln!("seed {seed}");
    let (mut joined, mut averages, mut listed, mut subqueries, mut named, mut partners, mut keyed, mut nested) = (0, 0, 0, 0, 0, 0, 0, 0);
    let (mut functions, mut aggregates): (BTreeSet<Function>, BTreeSet<String>) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..320 {
        let mut generator = Generator::new(seed + n);
        let mut layout = ChaCha20Rng::seed_from_u64(seed ^ n);
        let arrivals = data(&mut generator);
        let world = World::lay_out(&arrivals, 3, &mut layout);
        for _ in 0..4 {
            let prepared = prepare(&mut generator);
            let eligible: SubjectSet = arrivals[0].ids.iter().copied().filter(|_| generator.0.random_ratio(4, 5)).collect();
            let key = BoundingKey::from_bytes(generator.0.random());
            let expected = Reference { plan: &prepared.plan, eligible: &eligible, key: &key, creators: &testkit::listed(&prepared.creators) }
                .answer(&tables(&Reference::tables(&prepared.plan), &arrivals));
            assert_eq!(world.exact(&prepared, &eligible, &key), expected, "FAIRSHARE_SEED={} {}", seed + n, prepared.plan.to_json());
            let (plan, some) = (&prepared.plan, !expected.groups.is_empty());
            joined += u32::from(some && plan.tables.len() > 1);
            averages += u32::from(some && plan.aggregates.iter().any(|a| a.value_range().is_some()));
            listed += u32::from(some && plan.keys.iter().any(|k| matches!(k.values, KeyValues::Listed(_))));
            subqueries += u32::from(some && !plan.per_subject.is_empty());
            named += u32::from(some && plan.tables.contains(&domain::catalog::TableName::Creator));
            partners += u32::from(some && plan.partner_tables().next().is_some());
            let (several, inner) = shape(&plan.per_subject);
            keyed += u32::from(some && several);
            nested += u32::from(some && inner);
            if some {
                aggregates.extend(plan.aggregates.iter().map(|a| format!("{a:?}").split(' ').next().unwrap().to_owned()));
            }
            plan.aggregates.iter().filter_map(Aggregate::of).chain(&plan.filter).chain(plan.keys.iter().map(|k| &k.of)).for_each(|expr| called(expr, &mut functions));
        }
    }
    assert!(
        joined > 60 && averages > 40 && listed > 20 && subqueries > 60 && named > 20 && partners > 60 && keyed > 60 && nested > 20,
        "questions reached too little: {joined} joins, {averages} averages, {listed} lists, {subqueries} subqueries, {named} with creators, {partners} of a partner's table, {keyed} with several rows, {nested} nested"
    );
    assert_eq!(aggregates.len(), 8, "{aggregates:?}");
    // Every function, of those with parts of dates or types one of each.
    let kind = |function: &Function| format!("{function:?}").split('(').next().unwrap().to_owned();
    let reached: BTreeSet<String> = functions.iter().map(kind).collect();
    let missing: Vec<String> = Function::ALL.iter().map(kind).filter(|function| !reached.contains(function)).collect();
    assert!(missing.is_empty(), "questions never called {missing:?}");
}

fn ask(sql: &str) -> Prepared {
    validate::validate(&Question { sql: sql.into(), params: Vec::new(), rho: "0.1".parse().unwrap(), narrowing: Narrowing::default() }, &partner_tables()).unwrap()
}

fn answer(world: &World, prepared: &Prepared, eligible: &SubjectSet) -> Answered {
    let charge = Charge::of_durable_reservation(prepared.cost);
    world.room.answer(&PaidLook { prepared, charge: &charge, snapshot: &world.snapshot, eligible, bounding_key: &BoundingKey::from_bytes([1; 16]) }).unwrap()
}

#[test]
fn nobody_eligible_still_gets_every_public_group() {
    let mut generator = Generator::new(1);
    let world = World::lay_out(&data(&mut generator), 3, &mut ChaCha20Rng::seed_from_u64(1));
    let weekdays = answer(&world, &ask("SELECT weekday, count(*) FROM activity GROUP BY weekday"), &SubjectSet::new());
    assert_eq!(weekdays.table.rows.len(), 8, "seven days and none");
    assert!(weekdays.table.rows.iter().all(|r| r.values == [0]));
    let countries = answer(&world, &ask("SELECT country, count(*) FROM subject GROUP BY country"), &SubjectSet::new());
    assert!(countries.table.rows.is_empty());
}

#[test]
fn groups_of_few_people_are_not_shown() {
    let mut generator = Generator::new(2);
    let arrivals = data(&mut generator);
    let world = World::lay_out(&arrivals, 3, &mut ChaCha20Rng::seed_from_u64(2));
    let everybody: SubjectSet = arrivals[0].ids.iter().copied().collect();
    let tags = answer(&world, &ask("SELECT tag, count(distinct subject_id) FROM activity_tag GROUP BY tag"), &everybody);
    assert!(tags.table.rows.is_empty(), "a few dozen people cannot reach the threshold");
    assert!(!tags.participants.is_empty());
}

#[test]
fn a_smallest_cohort_is_never_undercut() {
    let mut generator = Generator::new(4);
    let mut arrivals = data(&mut generator);
    // Everybody in one country, whatever else they are.
    arrivals[0].batch.subjects.iter_mut().for_each(|subject| subject.country = Some("DE".into()));
    let people = u32::try_from(arrivals[0].ids.len()).unwrap();
    let world = World::lay_out(&arrivals, 1, &mut ChaCha20Rng::seed_from_u64(4));
    let everybody: SubjectSet = arrivals[0].ids.iter().copied().collect();
    let shown = |cohort: Option<u32>| {
        let narrowing = Narrowing { cohort, ..Narrowing::default() };
        // At this price the threshold is 2 without noise.
        let question = Question { sql: "SELECT country, count(*) FROM subject GROUP BY country".into(), params: Vec::new(), rho: "1000000".parse().unwrap(), narrowing };
        let prepared = validate::validate(&question, &[]).unwrap();
        (answer(&world, &prepared, &everybody).table.rows.len(), Mechanisms::of(&prepared.plan, prepared.cost.rho).unwrap().threshold.unwrap().threshold())
    };
    assert_eq!((shown(None), shown(Some(people - 1))), ((1, 2), (1, i128::from(people))));
    assert_eq!(shown(Some(people)).0, 0, "the threshold is above the cohort: noise decides, and here is none");
    let cohort = |sql: &str| {
        validate::validate(&Question { narrowing: Narrowing { cohort: Some(5), ..Narrowing::default() }, sql: sql.into(), params: Vec::new(), rho: "1".parse().unwrap() }, &[])
    };
    assert!(cohort("SELECT kind, count(*) FROM activity GROUP BY kind").is_err(), "it would be ignored");
}

#[test]
fn a_charge_of_another_price_is_not_taken() {
    let mut generator = Generator::new(3);
    let world = World::lay_out(&data(&mut generator), 3, &mut ChaCha20Rng::seed_from_u64(3));
    let prepared = ask("SELECT count(*) FROM activity");
    let charge = Charge::of_durable_reservation(dp::Cost::ZERO);
    let look = PaidLook { prepared: &prepared, charge: &charge, snapshot: &world.snapshot, eligible: &SubjectSet::new(), bounding_key: &BoundingKey::from_bytes([1; 16]) };
    assert!(world.room.answer(&look).is_err());
}

#[test]
fn equal_questions_have_equal_plans() {
    let plan = |sql: &str| -> Plan { ask(sql).plan };
    let base = plan("SELECT kind, media, count(*) FROM activity WHERE language = 'de' AND hour >= 8 GROUP BY kind, media");
    let same = "select MEDIA as m, Kind, count(*) as n from Activity a where 8 <= hour and a.language in ('de', 'de') group by media, kind order by n desc limit 3";
    assert_eq!(plan(same).to_json(), base.to_json());
    assert_ne!(plan("SELECT kind, count(*) FROM activity WHERE language = 'de' AND hour >= 8 GROUP BY kind").to_json(), base.to_json());
}

#[test]
fn equal_joins_have_equal_plans() {
    let json = |sql: &str| ask(sql).plan.to_json();
    let base = json(
        "SELECT a.language, tag, avg(word_count) FROM activity a JOIN activity_tag USING (activity_id) JOIN subject s USING (subject_id) WHERE s.language = 'de' GROUP BY a.language, tag",
    );
    for same in [
        "SELECT t.tag, avg(act.word_count) AS n, activity.language FROM subject JOIN activity_tag t ON subject.subject_id = t.subject_id \
         JOIN activity ON (activity.activity_id = t.activity_id) WHERE subject.language = 'de' GROUP BY 3, 1"
            .replace("act.", "activity."),
        "SELECT avg(word_count), avg(word_count) + 1 FROM activity AS x INNER JOIN subject AS y ON y.subject_id = x.subject_id \
         JOIN activity_tag USING (subject_id, activity_id) WHERE 'de' = y.language GROUP BY tag, x.language LIMIT 5"
            .to_owned(),
    ] {
        assert_eq!(json(&same), base, "{same}");
    }
    assert_ne!(json("SELECT tag, count(*) FROM activity_tag GROUP BY tag"), json("SELECT tag, count(*) FROM activity_tag JOIN activity USING (activity_id) GROUP BY tag"));
    assert!(
        base.starts_with(r#"{"schema":3,"tables":["activity","activity_tag","subject"],"per_subject":[],"filter":{"call":[{"compare":"="},[{"leaf":"subject.language"},"#),
        "{base}"
    );
}

#[test]
fn equal_lists_of_keys_have_equal_plans() {
    let plan = |sql: &str| ask(sql).plan;
    let list = plan("SELECT language, count(*) FROM activity GROUP BY language KEYS ('de', 'en', NULL)");
    assert_eq!(plan("SELECT language, count(*) FROM activity GROUP BY 1 keys (NULL, 'en', 'de', 'en')").to_json(), list.to_json());
    assert_eq!(plan("SELECT kind, count(*) FROM activity GROUP BY kind KEYS DOMAIN").to_json(), plan("SELECT kind, count(*) FROM activity GROUP BY kind").to_json());
    assert_eq!(plan("SELECT hour, count(*) FROM activity GROUP BY hour KEYS BETWEEN 7 AND 9"), plan("SELECT hour, count(*) FROM activity GROUP BY hour KEYS (9, 8, 7)"));
    // Where other keys are unknown, a list of all says nothing.
    assert_eq!(plan("SELECT kind, tag, count(*) FROM activity JOIN activity_tag USING (activity_id) GROUP BY kind KEYS DOMAIN, tag").keys[0].values, KeyValues::Unknown);
}

#[test]
fn listed_groups_are_all_shown_and_cost_no_delta() {
    let mut generator = Generator::new(4);
    let world = World::lay_out(&data(&mut generator), 3, &mut ChaCha20Rng::seed_from_u64(4));
    let listed = ask("SELECT tag, kind, count(*) FROM activity_tag JOIN activity USING (activity_id) GROUP BY tag KEYS ('rust', 'never used', NULL), kind KEYS ('post', 'like')");
    assert_eq!((listed.cost.delta, listed.plan.bounds.groups()), (dp::Delta::ZERO, 6), "no more groups than there are");
    let nobody = answer(&world, &listed, &SubjectSet::new());
    assert_eq!(nobody.table.rows.len(), 6);
    // A list beside an unknown key restricts rows; the groups are still selected.
    let half = ask("SELECT tag, interest, count(*) FROM activity_tag JOIN subject_interest USING (subject_id) GROUP BY tag KEYS ('rust'), interest");
    assert_eq!(half.cost.delta, dp::Delta::PER_RELEASE);
    assert!(answer(&world, &half, &SubjectSet::new()).table.rows.is_empty());
}

/// Rows that a list leaves out use up none of a person's groups.
#[test]
fn a_list_of_keys_is_a_filter_before_bounding() {
    let mut generator = Generator::new(5);
    let arrivals = data(&mut generator);
    let world = World::lay_out(&arrivals, 3, &mut ChaCha20Rng::seed_from_u64(5));
    let everybody: SubjectSet = arrivals[0].ids.iter().copied().collect();
    let mut listed = ask("SELECT hour, count(distinct subject_id) FROM activity GROUP BY hour KEYS (7)");
    let mut filtered = ask("SELECT count(distinct subject_id) FROM activity WHERE hour = 7");
    for prepared in [&mut listed, &mut filtered] {
        prepared.plan.bounds = dp::ContributionBounds::new(1, 1, 100_000).unwrap();
    }
    let values = |prepared: &Prepared| answer(&world, prepared, &everybody).table.rows[0].values.clone();
    assert_eq!(values(&listed), values(&filtered));
}
