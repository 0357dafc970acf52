//! Questions and data that are the same in other words.

use super::*;

/// The order of what is written plays no part.
#[test]
fn other_words_for_one_question_are_one_plan() {
    let seed = env_seed(31);
    eprintln!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut shuffled = |parts: &[&str], between: &str| {
        let mut parts = parts.to_vec();
        parts.shuffle(&mut rng);
        parts.join(between)
    };
    let mut plans = BTreeSet::new();
    for _ in 0..200 {
        let words = shuffled(&["'de'", "'en'", "'fr'", "'en'"], ", ");
        let first = format!("a.language IN ({words})");
        let list = shuffled(&["1", "2", "NULL"], ", ");
        let either = shuffled(&["hour >= 8", "NOT hour IS NOT NULL", "8 < word_count", "NOT (hour < 8 AND TRUE)"], " OR ");
        let commuted = format!("{} > 3", shuffled(&["hour", "weekday"], " + "));
        let negated = format!("NOT ({})", shuffled(&["media = 'image'", "kind IN ('like')"], " AND "));
        let least = format!("least({}) < 9", shuffled(&["hour", "weekday", "word_count"], ", "));
        let filter = shuffled(&[&first, &format!("({either})"), &commuted, &negated, &least, "t.tag <> 'x'"], " AND ");
        let from = match shuffled(&["0", "1", "2"], "").as_str() {
            "012" | "021" => "activity a JOIN activity_tag t USING (activity_id) JOIN subject s USING (subject_id)",
            "102" => "activity_tag t JOIN activity a ON t.activity_id = a.activity_id JOIN subject AS s ON a.subject_id = s.subject_id",
            "120" => "activity_tag AS t JOIN subject s USING (subject_id) JOIN activity AS a ON a.activity_id = t.activity_id AND a.subject_id = s.subject_id",
            "201" => "subject s JOIN activity a ON (s.subject_id = a.subject_id) INNER JOIN activity_tag t USING (subject_id, activity_id)",
            _ => "subject s JOIN activity_tag t USING (subject_id) JOIN activity a USING (activity_id)",
        };
        let keys = shuffled(&["kind", &format!("weekday KEYS ({list})"), "s.age_band"], ", ");
        let select = shuffled(&["kind", "weekday AS w", "avg(word_count) + 1", "count(*) AS n", "sum(likes_received)", "count(*) * 2"], ", ");
        let tail = shuffled(&["", " ORDER BY 1", " LIMIT 3"], "");
        let tail = if tail.starts_with(" LIMIT") { "" } else { tail.as_str() };
        plans.insert(ask(&format!("SELECT {select} FROM {from} WHERE {filter} GROUP BY {keys}{tail}")).plan.to_json());
    }
    assert_eq!(plans.len(), 1, "{plans:#?}");
}

/// Other names for tables, columns and subqueries.
#[test]
fn names_play_no_part() {
    let one = "WITH t AS (SELECT subject_id, count(*) AS n, max(hour) AS late FROM activity WHERE kind = 'post' GROUP BY subject_id HAVING count(*) > 2) \
               SELECT kind AS what, count(*) AS many FROM activity JOIN t USING (subject_id) WHERE n > late GROUP BY what HAVING many > 3";
    let other = "SELECT count(*), x.kind FROM (SELECT max(\"hour\") AS b, q.subject_id, count(*) AS a FROM Activity q WHERE 'post' = q.kind GROUP BY q.subject_id HAVING 2 < count(*)) AS y \
                 JOIN activity AS x ON y.subject_id = x.subject_id WHERE y.b < y.a GROUP BY 2";
    assert_eq!(ask(one).plan.to_json(), ask(other).plan.to_json());
    assert_eq!(ask(one).cost, ask(other).cost);
}

/// Tighter bounds, fewer columns: never more noise.
#[test]
fn asking_for_less_is_never_dearer() {
    let seed = env_seed(32);
    eprintln!("seed {seed}");
    let mut tighter = 0;
    for n in 0..300 {
        let mut generator = Generator::new(seed + n);
        let sql = generator.sql();
        let narrowed = |groups: Option<u32>, rows: Option<u32>| {
            let narrowing = Narrowing { groups, rows_per_group: rows, ..Narrowing::default() };
            validate::validate(&Question { sql: sql.clone(), params: Vec::new(), rho: "0.1".parse().unwrap(), narrowing }, &partner_tables()).ok()
        };
        let Ok(wide) = validate::validate(&Question { sql: sql.clone(), params: Vec::new(), rho: "0.1".parse().unwrap(), narrowing: Narrowing::default() }, &partner_tables())
        else {
            continue;
        };
        let bounds = &wide.plan.bounds;
        let (groups, rows) = (generator.0.random_range(1..=bounds.groups()), generator.0.random_range(1..=bounds.rows_per_group()));
        // A bound that narrows nothing is refused.
        let narrow = narrowed(Some(groups), Some(rows)).or_else(|| narrowed(Some(groups), None)).or_else(|| narrowed(None, Some(rows)));
        let Some(narrow) = narrow else { continue };
        assert_eq!(wide.plan.aggregates.len(), narrow.plan.aggregates.len());
        for (wide_one, narrow_one) in wide.plan.aggregates.iter().zip(&narrow.plan.aggregates) {
            let (wide, narrow) = (wide_one.sensitivity(bounds).unwrap().get(), narrow_one.sensitivity(&narrow.plan.bounds).unwrap().get());
            assert!(narrow <= wide, "FAIRSHARE_SEED={} {sql}", seed + n);
            tighter += u32::from(narrow < wide);
        }
        // One aggregate alone has at least as much of the price.
        let mut fewer = wide.plan.clone();
        let keep = usize::from(fewer.aggregates.first() == Some(&Aggregate::CountSubjects)) + 1;
        fewer.aggregates.truncate(keep);
        let (all, few) = (Mechanisms::of(&wide.plan, wide.cost.rho).unwrap(), Mechanisms::of(&fewer, wide.cost.rho).unwrap());
        assert!(few.share >= all.share && few.variances.iter().zip(&all.variances).all(|(few, all)| few.sigma() <= all.sigma()), "FAIRSHARE_SEED={} {sql}", seed + n);
        assert!(few.threshold.map(|t| t.threshold()) <= all.threshold.map(|t| t.threshold()), "FAIRSHARE_SEED={} {sql}", seed + n);
    }
    assert!(tighter > 200, "{tighter}");
}

/// Who has which number, and in which order rows arrive, changes nothing where no bound cuts.
#[test]
fn other_numbers_for_people_give_the_same_answers() {
    let seed = env_seed(33);
    eprintln!("seed {seed}");
    let mut some = 0;
    for n in 0..25 {
        let mut generator = Generator::new(seed + n);
        let arrivals = data(&mut generator);
        // In the same order, over other buckets.
        let mut sorted = arrivals[0].ids.clone();
        sorted.sort();
        let renamed = |id: &SubjectId| SubjectId(u32::try_from(sorted.iter().position(|other| other == id).unwrap()).unwrap() * 7 + 3);
        let others: Vec<Arrival> = arrivals.iter().map(|a| Arrival { batch: a.batch.clone(), ids: a.ids.iter().map(renamed).collect() }).collect();
        let (one, other) = (World::lay_out(&arrivals, 3, &mut ChaCha20Rng::seed_from_u64(n)), World::lay_out(&others, 3, &mut ChaCha20Rng::seed_from_u64(!n)));
        let eligible: SubjectSet = arrivals[0].ids.iter().copied().filter(|_| generator.0.random_ratio(4, 5)).collect();
        let other_eligible: SubjectSet = eligible.iter().map(|id| renamed(&id)).collect();
        for _ in 0..12 {
            let mut prepared = prepare(&mut generator);
            prepared.plan.bounds = dp::ContributionBounds::new(10_000, 100_000, 100_000).unwrap();
            prepared.plan.per_subject.iter_mut().for_each(|inner| rows(inner, domain::catalog::ROWS_OF_SUBQUERY));
            let keys = [BoundingKey::from_bytes(generator.0.random()), BoundingKey::from_bytes(generator.0.random())];
            let (a, b) = (one.exact(&prepared, &eligible, &keys[0]), other.exact(&prepared, &other_eligible, &keys[1]));
            assert_eq!(a.groups, b.groups, "FAIRSHARE_SEED={} {}", seed + n, prepared.plan.to_json());
            assert_eq!(a.participants.iter().map(renamed).collect::<Vec<_>>(), b.participants);
            some += u32::from(!a.groups.is_empty());
        }
    }
    assert!(some > 100, "{some}");
}
