//! What partners can ask, from the command line: joins, averages, percentiles, expressions, subqueries,
//! parameters, lists of keys.

use serde_json::{Value, json};

use crate::command::{Deployment, repository};

fn town() -> Deployment {
    let d = Deployment::new().with_partner("50");
    for (account, category) in [("herald", "news"), ("bakery", "food")] {
        d.ok(&["creator", "add", "--platform", "csv", "--account", account, "--name", account, "--category", category, "--basis", "organisation"]);
    }
    d.ok(&["import", &repository("samples/exports/forum")]);
    d.everybody_gives(60, "aggregate_statistics");
    d
}

fn number(row: &Value, column: &str) -> f64 {
    row[column].as_f64().unwrap()
}

const JOIN: &str = "SELECT s.country, tag, avg(a.word_count) AS words, count(distinct subject_id) AS people
    FROM activity AS a JOIN activity_tag USING (activity_id) JOIN subject AS s ON s.subject_id = a.subject_id
    GROUP BY s.country KEYS ('France', 'Germany', 'Atlantis'), tag KEYS ('sea', 'bread') ORDER BY 1, 2";

#[test]
fn a_join_with_an_average_and_listed_keys() {
    let d = town();
    let estimate = d.query(&["--rho", "10", "--estimate"], JOIN);
    assert_eq!(estimate["cost"]["delta_spent"], 0.0, "listed keys cost no δ");
    let paid: Vec<&str> = estimate["estimate"]["aggregates"].as_array().unwrap().iter().map(|a| a["aggregate"].as_str().unwrap()).collect();
    assert_eq!(paid, ["count(distinct subject_id)", "count(word_count)", "sum(word_count - 100)"]);
    let average = &estimate["estimate"]["averages"][0];
    assert_eq!((&average["average"], &average["low"], &average["high"]), (&json!("avg(word_count)"), &json!(0.0), &json!(200.0)));
    let widths: Vec<f64> = average["half_widths"].as_array().unwrap().iter().map(|w| number(w, "half_width_95")).collect();
    assert!(widths.is_sorted_by(|a, b| a >= b), "more values, narrower ranges: {widths:?}");

    let answer = d.query(&["--rho", "10"], JOIN);
    let columns: Vec<&str> = answer["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["country", "tag", "words", "words_centered_sum", "words_count", "people"]);
    let rows = answer["rows"].as_array().unwrap();
    let keys: Vec<(&str, &str)> = rows.iter().map(|r| (r["country"].as_str().unwrap(), r["tag"].as_str().unwrap())).collect();
    let all = [("Atlantis", "bread"), ("Atlantis", "sea"), ("France", "bread"), ("France", "sea"), ("Germany", "bread"), ("Germany", "sea")];
    assert_eq!(keys, all, "also where nobody is");
    for row in rows {
        // The average is what its parts say, clamped to the values that count.
        let (sum, count) = (number(row, "words_centered_sum"), number(row, "words_count"));
        if count > 0.0 {
            let expected = (100.0 + sum / count).clamp(0.0, 200.0);
            assert!((number(row, "words") - expected).abs() < 1e-9, "{row}");
            assert!(number(row, "words_low") <= number(row, "words") && number(row, "words") <= number(row, "words_high"), "{row}");
        } else {
            assert_eq!((&row["words"], &row["words_low"]), (&Value::Null, &Value::Null), "{row}");
        }
        assert!(number(row, "words_count_low") < number(row, "words_count_high"), "{row}");
    }
    // The same, said otherwise, was paid for already.
    let same = "SELECT tag, avg(word_count), country FROM subject JOIN activity USING (subject_id) JOIN activity_tag USING (activity_id)
        GROUP BY 1 KEYS ('bread', 'sea', 'sea'), country KEYS ('Germany', 'France', 'Atlantis') HAVING count(distinct subject_id) > -1000";
    let again = d.query(&["--rho", "10"], same);
    assert_eq!((&again["release"]["redelivered"], &again["budget"]), (&json!(true), &answer["budget"]));
    assert_eq!(again["rows"][0]["avg_centered_sum"], rows[0]["words_centered_sum"]);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn bounds_of_averages_are_narrowed_and_wrong_ones_refused() {
    let d = town();
    let average = "SELECT avg(word_count) FROM activity";
    let narrowed = d.query(&["--rho", "10", "--estimate", "--bound", "value:word_count=0..100", "--bound", "rows=5"], average);
    let wide = d.query(&["--rho", "10", "--estimate"], average);
    let width = |estimate: &Value| number(&estimate["estimate"]["averages"][0]["half_widths"][3], "half_width_95");
    assert!(width(&narrowed) < width(&wide));
    let ask = |bound: &str, sql: &str| d.fails(4, &["query", "--partner", "acme", "--purpose", "aggregate_statistics", "--bound", bound, sql]);
    assert!(ask("value:word_count=0..1000", average).contains("Q111"));
    assert!(ask("word_count=0..10", average).contains("no sum(word_count)"));
    assert!(ask("rows=5", "SELECT count(*) FROM activity JOIN activity_tag USING (subject_id)").contains("USING (activity_id)"));
    assert!(ask("rows=5", "SELECT tag, count(*) FROM activity_tag GROUP BY tag KEYS").contains("line 1, column 53"));
}

#[test]
fn every_example_of_the_page_on_sql_runs() {
    let d = town().with_own_table(60).with_survey();
    let page = std::fs::read_to_string(repository("docs/sql.md")).unwrap();
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    // The page asks the demo's town as its university; here it is another town, for the same words.
    let asks: String = blocks.concat().lines().filter(|line| !line.starts_with("fairshare ") && !line.starts_with("alias ")).map(|line| format!("{line}\n")).collect();
    assert!(asks.matches("ask ").count() > 15, "{asks}");
    let ask = r#"ask() { "$FAIRSHARE" --data "$TOWN" --json query --partner acme --purpose aggregate_statistics --rho 0.02 "$@"; }"#;
    let asks = asks.replace("--rho 0.5", "");
    let script = format!("set -e\n{ask}\n{asks}");
    let output = std::process::Command::new("sh").arg("-c").arg(&script).env("FAIRSHARE", env!("CARGO_BIN_EXE_fairshare")).env("TOWN", d.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.len() > 5_000);
}

#[test]
fn percentiles_expressions_and_subqueries_are_answered() {
    let d = town();
    let words = "SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY word_count) AS words, stddev(word_count) AS spread, \
        count(*) / count(distinct subject_id) AS each FROM activity WHERE kind = $1 AND length(kind) > 3";
    // With few rows of each person, noise hardly ever leaves too few for a deviation.
    let answer = d.query(&["--rho", "5", "--bound", "rows=2", "--param", "post"], words);
    let columns: Vec<&str> = answer["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["words_25", "words_50", "words_75", "spread", "spread_centered_sum", "spread_centered_squares", "spread_count", "each"]);
    let row = &answer["rows"][0];
    let quartiles = ["words_25", "words_50", "words_75"].map(|name| number(row, name));
    assert!(quartiles.is_sorted() && (0.0..=200.0).contains(&quartiles[0]), "{row}");
    for name in ["words_25", "words_50", "words_75", "spread", "each"] {
        assert!(number(row, &format!("{name}_low")) <= number(row, name) && number(row, name) <= number(row, &format!("{name}_high")), "{name}: {row}");
    }
    // The same percentiles and fewer are the same question only when all are asked for.
    let again = d.query(&["--rho", "5", "--bound", "rows=2", "--param", "'post'"], words);
    assert_eq!(again["release"]["redelivered"], true);

    let histogram = "WITH active AS (SELECT subject_id, count(*) AS acts, max(word_count) AS longest FROM activity GROUP BY subject_id HAVING count(*) > 1) \
        SELECT width_bucket(acts, 1, 21, 4) AS part, longest > 20 AS long, count(distinct subject_id) AS people FROM active GROUP BY part, long ORDER BY part";
    let answer = d.query(&["--rho", "5"], histogram);
    assert_eq!(answer["rows"].as_array().unwrap().len(), 6 * 3, "public parts, and true, false and unknown");
    assert_eq!(answer["cost"]["delta_spent"], 0.0);
    let estimate = d.query(&["--rho", "5", "--estimate"], histogram);
    assert_eq!((&estimate["estimate"]["groups_per_person"], &estimate["estimate"]["rows_per_group"]), (&json!(1), &json!(1)), "one row per person");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn parameters_are_constants_and_nothing_else() {
    let d = town();
    let refused = |args: &[&str], sql: &str| d.fails(4, &[&["query", "--partner", "acme", "--purpose", "aggregate_statistics"], args, &[sql]].concat());
    assert!(refused(&["--param", "post"], "SELECT count(*) FROM activity").contains("Q113"));
    assert!(refused(&[], "SELECT count(*) FROM activity WHERE kind = $1").contains("Q113"));
    assert!(refused(&["--param", "activity"], "SELECT count(*) FROM $1").contains("Q10"), "a table is no constant");
    let injected = d.query(&["--rho", "5", "--estimate", "--param", "post' OR 'a' = 'a"], "SELECT count(*) FROM activity WHERE kind = $1");
    assert!(injected["cost"]["rho"].as_f64().is_some(), "a strange text is a text");
}

#[test]
fn a_simulation_shows_an_answer_and_what_bounds_cut_without_looking_at_anybody() {
    // Nobody has agreed to anything, and nothing was imported.
    let d = Deployment::new().with_partner("50");
    let sql = "SELECT kind, count(*) AS n, count(distinct subject_id) AS people, median(word_count) AS words FROM activity GROUP BY kind";
    let simulated = d.query(&["--rho", "1", "--simulate"], sql);
    assert_eq!((&simulated["simulated"], &simulated["people"]), (&json!(true), &json!(1_000)));
    let rows = simulated["rows"].as_array().unwrap();
    let posts = rows.iter().find(|row| row["kind"] == "post").unwrap();
    assert!(number(posts, "n") > 1_000.0 && number(posts, "n_low") < number(posts, "n"), "{posts}");
    let kept = |name: &str| simulated["bounds_keep"].as_array().unwrap().iter().find(|kept| kept["aggregate"] == name).unwrap()["share"].as_f64().unwrap();
    assert!((0.3..1.0).contains(&kept("count(*)")) && kept("count(distinct subject_id)") > 0.99, "{simulated}");
    let narrower = d.query(&["--rho", "1", "--simulate", "--bound", "rows=2"], sql);
    let share = narrower["bounds_keep"].as_array().unwrap().iter().find(|kept| kept["aggregate"] == "count(*)").unwrap()["share"].as_f64().unwrap();
    assert!(share < kept("count(*)"), "tighter bounds cut more");
    assert_eq!(d.ok(&["budget", "show"]), Deployment::new().with_partner("50").ok(&["budget", "show"]), "nothing was paid");
    assert!(d.ok(&["release", "list"])["releases"].as_array().unwrap().is_empty());
}
