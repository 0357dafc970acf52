//! `fairshare table`: the data dictionary. Needs no deployment: all of it is public.

use std::process::ExitCode;

use domain::catalog::{Domain, INTERESTS_JOINED, ROWS_AT_SCAN, Table as Catalog, TableName};
use domain::question::expr::Function;
use serde_json::{Value, json};

use crate::cli::Table;
use crate::output::{Format, list, note};

pub(crate) fn table(args: Table, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Table::List => {
            let headers = ["table", "one_row_per", "groups_per_person", "rows_per_group", "public"];
            let bound = |t: &Catalog, bound: u32| if t.name.is_public() { Value::Null } else { json!(bound) };
            let row = |t: &Catalog| vec![json!(t.name), json!(t.row_per), bound(t, t.groups), bound(t, t.rows_per_group), json!(t.name.is_public())];
            let table: Vec<Vec<Value>> = TableName::ALL.iter().map(|&n| row(Catalog::of(n))).collect();
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
            if format == Format::Table && name.is_public() {
                note(&format!("public: one row per {}; joined to acts, it tightens no bound, and the operator shows it with `fairshare creator list`", catalog.row_per));
            } else if format == Format::Table {
                note(&format!("one row per {}; one person counts in at most {} groups, with at most {} rows in each", catalog.row_per, catalog.groups, catalog.rows_per_group));
                note("in a join, the smallest of the tables' numbers hold, `subject` aside");
                if name == TableName::SubjectInterest {
                    note(&format!("in a join with other tables, the first {INTERESTS_JOINED} interests of a person are joined, by name"));
                }
            }
        }
        Table::Contract { name } => {
            let headers = ["table", "groups_per_person", "rows_per_group", "rows_at_scan", "column", "sum_from", "sum_to", "value_from", "value_to", "steps_of"];
            let tables: Vec<&Catalog> = TableName::PRIVATE.iter().filter(|table| name.is_none_or(|name| name == **table)).map(|table| Catalog::of(*table)).collect();
            let table = |t: &&Catalog| {
                let of_table = [json!(t.name), json!(t.groups), json!(t.rows_per_group), json!(ROWS_AT_SCAN)];
                let summed = t.columns.iter().filter_map(|column| {
                    let contract = column.sum?;
                    let step = 1.0 / f64::from(contract.granularity.denominator());
                    Some(vec![json!(column.name), json!(contract.sums.0), json!(contract.sums.1), json!(contract.values.0), json!(contract.values.1), json!(step)])
                });
                let summed: Vec<Vec<Value>> = summed.collect();
                let none = vec![vec![Value::Null; 6]];
                let rest = if summed.is_empty() { none } else { summed };
                rest.into_iter().map(|rest| [of_table.to_vec(), rest].concat()).collect::<Vec<_>>()
            };
            list(format, "contract", &headers, &tables.iter().flat_map(table).collect::<Vec<_>>())?;
            if format == Format::Table {
                note("a question may ask for less (query --bound), never for more; in a join, the smallest numbers hold, `subject` aside");
            }
        }
        Table::Functions => {
            let table: Vec<Vec<Value>> = Function::ALL.iter().map(|function| vec![json!(function.sql()), json!(function.usage())]).collect();
            list(format, "functions", &["function", "written"], &table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
