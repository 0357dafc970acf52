//! What partners can ask, from the command line: joins, averages, lists of keys.

use serde_json::{Value, json};

use crate::command::{Deployment, repository};

fn town() -> Deployment {
    let d = Deployment::new().with_partner("50");
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
    let narrowed = d.query(&["--rho", "10", "--estimate", "--bound", "avg:word_count=0..100", "--bound", "rows=5"], average);
    let wide = d.query(&["--rho", "10", "--estimate"], average);
    let width = |estimate: &Value| number(&estimate["estimate"]["averages"][0]["half_widths"][3], "half_width_95");
    assert!(width(&narrowed) < width(&wide));
    let ask = |bound: &str, sql: &str| d.fails(4, &["query", "--partner", "acme", "--purpose", "aggregate_statistics", "--bound", bound, sql]);
    assert!(ask("avg:word_count=0..1000", average).contains("Q111"));
    assert!(ask("word_count=0..10", average).contains("no sum(word_count)"));
    assert!(ask("rows=5", "SELECT count(*) FROM activity JOIN activity_tag USING (subject_id)").contains("USING (activity_id)"));
    assert!(ask("rows=5", "SELECT tag, count(*) FROM activity_tag GROUP BY tag KEYS").contains("line 1, column 53"));
}
