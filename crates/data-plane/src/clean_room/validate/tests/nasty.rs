//! Texts that are as large, deep or tangled as a question can be: they are answered or refused by a bounded
//! amount of work.

use std::time::{Duration, Instant};

use super::*;

/// A stack on which hardly anything fits.
const STACK: usize = 128 * 1024;

/// What a question comes to, asked from such a stack; how long it took.
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn outcome(question: Question) -> (Result<Prepared, Refusal>, Duration) {
    let understand = move || {
        let begun = Instant::now();
        (validate(&question), begun.elapsed())
    };
    std::thread::Builder::new().stack_size(STACK).spawn(understand).unwrap().join().unwrap()
}

/// As many copies as fit into the rest of a question.
fn filled(before: &str, copy: &str, after: &str) -> String {
    let copies = (PlanLimits::SQL_BYTES - before.len() - after.len()) / copy.len();
    format!("{before}{}{after}", copy.repeat(copies))
}

fn nested(before: &str, open: &str, inner: &str, close: &str, depth: usize, after: &str) -> String {
    format!("{before}{}{inner}{}{after}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn nasty_texts_are_answered_or_refused_soon() {
    let from = "SELECT count(*) FROM activity";
    let filter = format!("{from} WHERE ");
    let by = format!("{from} GROUP BY ");
    let mut texts: Vec<String> = Vec::new();
    // Operators in a row.
    for operator in [" + 1", " - 1", " * 1", " / 1", " % 1", " IS NULL", " IS TRUE", " NOTNULL", "::int", "[1]", " = 1", " AND 1", " || ''", ".a", " COLLATE x", " !", " IN (1)"] {
        texts.push(filled(&format!("{filter}hour"), operator, ""));
        texts.push(filled("SELECT count(*)", operator, " FROM activity"));
        texts.push(filled("SELECT kind, count(*)", operator, " FROM activity GROUP BY kind"));
        texts.push(filled(&format!("{from} HAVING count(*)"), operator, ""));
        texts.push(format!("{filter}hour{} = 1", operator.repeat(99)));
        texts.push(format!("SELECT kind, count(*){} FROM activity GROUP BY kind, hour{}", operator.repeat(99), operator.repeat(99)));
    }
    for prefix in ["NOT ", "- ", "+ ", "~", "(", "CASE WHEN ", "lower(", "ARRAY[", "{", "@ ", "INTERVAL ", "/*", "'", "\"", "$$", "EXISTS (SELECT ", "CAST("] {
        texts.push(filled(&filter, prefix, "hour"));
        texts.push(filled("SELECT ", prefix, "hour FROM activity"));
        texts.push(filled("", prefix, ""));
    }
    for part in [
        "hour = 1 AND ",
        "hour = 1 OR ",
        "hour = 1 AND weekday = 2 OR ",
        "(hour = 1 OR weekday = 2) AND ",
        "NOT (hour = 1 AND weekday = 2) OR ",
        "TRUE AND ",
        "hour IN (1, 2) OR ",
        "lower(language) LIKE '%a%' OR ",
    ] {
        texts.push(filled(&filter, part, "TRUE"));
        texts.push(format!("{filter}{}TRUE", part.repeat(70)));
    }
    // Written several times by what understands them, or by the parser.
    for depth in [8, 15, 30, 45] {
        texts.push(nested(&filter, "(", "TRUE", " BETWEEN FALSE AND TRUE)", depth, ""));
        texts.push(nested(&filter, "(FALSE BETWEEN ", "hour = 1", " AND TRUE)", depth, ""));
        texts.push(nested(&filter, "CASE ", "hour", " WHEN 1 THEN 1 WHEN 2 THEN 2 END", depth, " = 1"));
        texts.push(nested(&filter, "CASE WHEN ", "hour = 1", " THEN TRUE ELSE FALSE END", depth, ""));
        texts.push(nested(&filter, "((", "hour = 1", ") IS TRUE)", depth / 2, ""));
        texts.push(nested(&filter, "NOT (hour = 1 AND ", "TRUE", ")", depth, ""));
        texts.push(nested(&filter, "abs(CASE WHEN TRUE THEN ", "?", " END)", depth / 2, " = 1"));
        texts.push(nested(&filter, "NOT (", "?", ")", depth, ""));
        texts.push(nested(&filter, "CAST(", "?", " AS text)", depth, ""));
        texts.push(nested(&filter, "trim(substring(", "?", " FROM 1))", depth / 2, ""));
        texts.push(nested(&filter, "extract(day FROM ", "?", ")", depth, ""));
        texts.push(nested(&filter, "ARRAY[", "?", "]", depth, ""));
        texts.push(nested(&filter, "hour IN (", "?", ")", depth, ""));
        texts.push(nested(&filter, "exists(", "?", ")", depth, ""));
        texts.push(nested(&filter, "position(", "?", " IN language)", depth, ""));
        texts.push(nested(&filter, "{fn lower(", "?", ")}", depth / 2, ""));
        texts.push(nested(&filter, "f(g => ", "?", ")", depth, ""));
        texts.push(nested("SELECT count(*) FROM ", "(", "?", ")", depth, ""));
        texts.push(nested("SELECT count(*) FROM ", "(", "activity JOIN subject USING (subject_id)", ")", depth, ""));
        texts.push(nested("SELECT count(*) FROM ", "(SELECT 1 FROM ", "?", ") t", depth, ""));
        texts.push(nested("", "(", "SELECT count(*) FROM activity", ")", depth, ""));
        texts.push(nested("", "WITH t AS (", "?", ") SELECT 1", depth, ""));
        texts.push(nested("SELECT count(*) FILTER (WHERE ", "NOT lower(", "?", ")", depth / 2, ") FROM activity"));
        texts.push(nested("SELECT count(*) FROM activity GROUP BY ", "ROLLUP(", "?", ")", depth, ""));
        texts.push(nested(&filter, "coalesce(hour, ", "1", ")", depth, " = 1"));
        texts.push(nested(&filter, "greatest(hour, ", "weekday", ", weekday)", depth, " = 1"));
    }
    texts.push(filled(&format!("{filter}CASE {} ", "hour + ".repeat(80) + "1"), "WHEN 1 THEN 1 ", "END = 1"));
    texts.push(filled(&format!("{filter}greatest(hour"), ", weekday + 1", ") = 1"));
    texts.push(filled(&format!("{filter}hour IN (1"), ",1", ")"));
    texts.push(filled(&format!("{filter}language IN ('x'"), ",'y'", ")"));
    texts.push(filled(&format!("{filter}hour IN (1"), ",(1)", ")"));
    // Names that stand for much.
    let large = "hour + ".repeat(90) + "1";
    let made = format!("(SELECT subject_id, sum({large}) AS n, sum({large}) + sum(1) AS m FROM activity GROUP BY subject_id) t");
    texts.push(filled(&format!("SELECT count(*) FROM {made} WHERE greatest(n"), ", m", ") = 1"));
    texts.push(filled(&format!("SELECT count(*) FROM {made} WHERE n = 1"), " OR m = 1", ""));
    texts.push(filled(&format!("SELECT count(*){} AS a FROM activity HAVING greatest(a", " + 1".repeat(90)), ", a", ") = 1"));
    texts.push(format!("SELECT kind, count(*){} AS a FROM activity GROUP BY kind HAVING a{} > 0", " + 1".repeat(90), " + a".repeat(90)));
    texts.push(filled(&format!("SELECT kind, count(*){} AS a FROM activity GROUP BY kind ORDER BY a", " + 1".repeat(90)), ", a", ""));
    texts.push(filled("SELECT count(*)", ", count(*)", " FROM activity"));
    texts.push(filled("SELECT avg(word_count)", ", avg(word_count)", " FROM activity"));
    texts.push(filled("SELECT count(*)", ", percentile_cont(0.1) WITHIN GROUP (ORDER BY hour)", " FROM activity"));
    texts.push(filled("SELECT percentile_cont(ARRAY[0.1", ", 0.1", "]) WITHIN GROUP (ORDER BY word_count) FROM activity"));
    // Keys that are worked out.
    texts.push(filled(&format!("{by}hour + 24 * weekday + 240 * (hour % 7) KEYS (1"), ", 1", ")"));
    texts.push(filled(&format!("{by}(hour + weekday * 100 + extract(day FROM day)) KEYS (1"), ", 2", ")"));
    texts.push(format!("{by}hour{}, weekday + hour{}", " + weekday".repeat(90), " * hour".repeat(90)));
    texts.push(format!("{by}{}kind{}", "replace(".repeat(40), ", 'o', 'oooooooooooooooooooooooo')".repeat(40)));
    texts.push(format!("{by}{}kind || media{}", "lower(".repeat(40), ")".repeat(40)));
    texts.push(format!("{by}kind || media || visibility || platform || kind || media"));
    texts.push(format!("{by}kind{} KEYS ({})", " || kind".repeat(99), vec!["'x'"; 2_000].join(",")));
    texts.push(filled(&format!("{by}kind"), ", kind", ""));
    texts.push(filled(&format!("{by}hour"), ", hour + 1", ""));
    texts.push(filled(&format!("{by}hour KEYS ("), "1,", "1)"));
    texts.push(format!("{by}CASE {} END", (0..900).map(|n| format!("WHEN hour = {n} THEN {n}")).collect::<Vec<_>>().join(" ")));
    texts.push(format!("{by}day KEYS BETWEEN '-262143-01-01' AND '+262142-12-31'"));
    texts.push(format!("{by}date_trunc('year', day) KEYS BETWEEN '0001-01-01' AND '9999-12-31'"));
    texts.push(format!("{by}length(language) KEYS BETWEEN -9223372036854775807 AND 9223372036854775807"));
    texts.push(format!("{by}width_bucket(word_count, 0, 1, 9223372036854775807)"));
    texts.push(format!("{by}width_bucket(word_count, 0, 1, 9998), hour"));
    // Joins and subqueries.
    texts.push(filled("SELECT count(*) FROM activity", " JOIN subject USING (subject_id)", ""));
    texts.push(filled("SELECT count(*) FROM activity a", ", activity b", ""));
    texts.push(filled("SELECT count(*) FROM activity JOIN subject ON activity.subject_id = subject.subject_id", " AND activity.subject_id = subject.subject_id", ""));
    texts.push(filled("SELECT count(*) FROM activity JOIN subject USING (subject_id", ", subject_id", ")"));
    texts.push(nested("SELECT count(*) FROM ", "(SELECT subject_id FROM ", "activity", " GROUP BY subject_id) t", 45, ""));
    texts.push(filled("WITH t AS (SELECT subject_id FROM activity GROUP BY subject_id) SELECT count(*) FROM t", " JOIN t USING (subject_id)", ""));
    texts.push(filled("WITH t AS (SELECT subject_id FROM activity GROUP BY subject_id) SELECT count(*) FROM t a0", ", t", ""));
    // The public list.
    let listed = "SELECT count(*) FROM activity JOIN creator USING (creator_id)";
    texts.push(filled("SELECT count(*) FROM activity", " JOIN creator USING (creator_id)", ""));
    texts.push(filled(&format!("{listed} GROUP BY name KEYS (SELECT name FROM creator WHERE "), "name = 'x' OR ", "TRUE)"));
    texts.push(format!("{listed} GROUP BY name KEYS (SELECT {}name{} FROM creator)", "replace(".repeat(40), ", 'e', 'eeeeeeeeeeeeeeeeeeeeeeee')".repeat(40)));
    texts.push(nested(&format!("{listed} GROUP BY name KEYS "), "(SELECT name FROM creator WHERE name IN ", "('x')", ")", 45, ""));
    texts.push(filled(&format!("{listed} GROUP BY name KEYS "), "TABLE ", "creator"));
    let many: String = (0..200).map(|n| format!(" JOIN t AS a{n} USING (subject_id)")).collect();
    texts
        .push(format!("WITH t AS (SELECT subject_id, sum({large}) AS n FROM activity WHERE {large} > 0 GROUP BY subject_id HAVING sum({large}) > 0) SELECT count(*) FROM t{many}"));
    texts.push(filled("SELECT count(*) FROM activity", "; SELECT count(*) FROM activity", ""));
    texts.push(filled("SELECT count(*) FROM activity WHERE language LIKE '", "%_", "'"));
    texts.push(filled("SELECT count(*) FROM activity WHERE language = '", "''", "'"));
    texts.push(filled("SELECT count(*) FROM activity", " ", ""));
    texts.push(filled("SELECT count(*) FROM activity", "\n--x", ""));
    let (mut accepted, mut longest) = (0, Duration::ZERO);
    for text in texts {
        let begin: String = text.chars().take(120).collect();
        let (outcome, took) = outcome(ask(&text));
        assert!(took < Duration::from_secs(20), "{took:?}: {begin}");
        longest = longest.max(took);
        match outcome {
            Ok(prepared) => {
                accepted += 1;
                let size = prepared.plan.to_json().len();
                assert!(size < 2_000_000, "a plan of {size} bytes: {begin}");
            }
            Err(refusal) => assert!(refusal.message.len() < 2_000 && refusal.hint.as_ref().is_some_and(|hint| hint.len() < 20_000), "{refusal:?}"),
        }
    }
    eprintln!("{accepted} accepted, the longest took {longest:?}");
    assert!(accepted > 10, "{accepted}");
}

/// The largest plans are shown and estimated as well.
#[test]
fn large_questions_that_are_accepted_stay_small() {
    let words = "hour = 1 OR ".repeat(80);
    let prepared = validate(&ask(&format!("SELECT count(*) FROM activity WHERE {words}FALSE"))).unwrap();
    assert_eq!(prepared.plan.filter.unwrap().to_string(), "hour = 1", "AND and OR may be long: they are read flat");
}
