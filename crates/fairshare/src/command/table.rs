//! `fairshare table`: the data dictionary. Needs no deployment: all of it is public.

use std::process::ExitCode;

use domain::catalog::{Domain, INTERESTS_JOINED, Table as Catalog, TableName};
use serde_json::{Value, json};

use crate::cli::Table;
use crate::output::{Format, list, note};

pub(crate) fn table(args: Table, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Table::List => {
            let headers = ["table", "one_row_per", "groups_per_person", "rows_per_group"];
            let table: Vec<Vec<Value>> =
                TableName::ALL.iter().map(|&n| Catalog::of(n)).map(|t| vec![json!(t.name), json!(t.row_per), json!(t.groups), json!(t.rows_per_group)]).collect();
            list(format, "tables", &headers, &table)?;
        }
        Table::Show { name } => {
            let headers = ["column", "type", "values", "sum_from", "sum_to", "avg_from", "avg_to", "meaning"];
            let catalog = Catalog::of(name);
            let values = |domain: Option<Domain>| match domain {
                None => Value::Null,
                Some(Domain::Words(words)) => json!(words),
                Some(Domain::Range(low, high)) => json!(format!("{low}..{high}")),
            };
            let cells = catalog.columns.iter().map(|c| {
                let ((sum_from, sum_to), (from, to)) = (c.sum.map(|s| s.sums).unzip(), c.sum.map(|s| s.values).unzip());
                vec![json!(c.name), json!(c.ty), values(c.domain), json!(sum_from), json!(sum_to), json!(from), json!(to), json!(c.doc)]
            });
            list(format, "columns", &headers, &cells.collect::<Vec<_>>())?;
            if format == Format::Table {
                note(&format!("one row per {}; one person counts in at most {} groups, with at most {} rows in each", catalog.row_per, catalog.groups, catalog.rows_per_group));
                note("in a join, the smallest of the tables' numbers hold, `subject` aside");
                if name == TableName::SubjectInterest {
                    note(&format!("in a join with other tables, the first {INTERESTS_JOINED} interests of a person are joined, by name"));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
