//! `fairshare table`: the data dictionary. What everybody has is public and needs no deployment.

use std::process::ExitCode;

use control_plane::{Error, PartnerTableState};
use domain::PartnerName;
use domain::catalog::{Domain, INTERESTS_JOINED, ROWS_AT_SCAN, Table as Catalog, TableName};
use domain::question::expr::Function;
use serde_json::{Value, json};

use super::partner_table;
use crate::cli::Table;
use crate::deployment::Deployment;
use crate::failure::Usage;
use crate::output::{Format, list, note};

/// A table as questions call it.
type Named = (String, &'static Catalog);

impl Table {
    /// Whether it is about tables that everybody has.
    pub(crate) const fn is_public(&self) -> bool {
        match self {
            Self::List { partner } | Self::Show { partner, .. } | Self::Contract { partner, .. } => partner.is_none(),
            Self::Functions => true,
            Self::Upload(_) | Self::Delete { .. } => false,
        }
    }
}

/// The tables that everybody has.
fn everybodys() -> Vec<Named> {
    TableName::ALL.iter().map(|&name| (name.to_string(), Catalog::of(name))).collect()
}

/// The same, and those that questions of a partner can name now.
async fn with_own(deployment: &Deployment, partner: Option<&PartnerName>) -> Result<Vec<Named>, Error> {
    let mut tables = everybodys();
    if let Some(partner) = partner {
        let own = deployment.control.partner_table_list(Some(partner)).await?;
        tables.extend(own.iter().filter(|info| info.state == PartnerTableState::Visible).map(|info| (format!("partner.{}", info.table.name()), info.table.catalog())));
    }
    Ok(tables)
}

/// What needs no deployment.
pub(crate) fn public(args: Table, format: Format) -> anyhow::Result<()> {
    described(args, &everybodys(), format)
}

/// What does.
pub(crate) async fn table(args: Table, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Table::Upload(upload) => partner_table::upload(upload, deployment, format).await?,
        Table::Delete { name, partner } => partner_table::delete(&name, &partner, deployment, format).await?,
        Table::List { ref partner } => {
            described(args.clone(), &with_own(deployment, partner.as_ref()).await?, format)?;
            partner_table::waiting(deployment, partner.as_ref(), format).await?;
        }
        Table::Show { ref partner, .. } | Table::Contract { ref partner, .. } => described(args.clone(), &with_own(deployment, partner.as_ref()).await?, format)?,
        Table::Functions => public(args, format)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is said of tables.
fn described(args: Table, tables: &[Named], format: Format) -> anyhow::Result<()> {
    match args {
        Table::List { .. } => {
            let headers = ["table", "one_row_per", "groups_per_person", "rows_per_group", "public"];
            let row = |(name, t): &Named| {
                let bound = |bound: u32| if is_public(name) { Value::Null } else { json!(bound) };
                vec![json!(name), json!(t.row_per), bound(t.groups), bound(t.rows_per_group), json!(is_public(name))]
            };
            let cells: Vec<Vec<Value>> = tables.iter().map(row).collect();
            Ok(list(format, "tables", &headers, &cells)?)
        }
        Table::Show { name, .. } => show(named(&name, tables)?, format),
        Table::Contract { name, .. } => {
            let tables: Vec<Named> = tables.iter().filter(|(name, _)| !is_public(name)).cloned().collect();
            let tables = name.map_or_else(|| Ok(tables.clone()), |name| named(&name, &tables).map(|table| vec![table.clone()]))?;
            contract(&tables, format)
        }
        Table::Functions => {
            let table: Vec<Vec<Value>> = Function::ALL.iter().map(|function| vec![json!(function.sql()), json!(function.usage())]).collect();
            Ok(list(format, "functions", &["function", "written"], &table)?)
        }
        Table::Upload(_) | Table::Delete { .. } => Ok(()),
    }
}

/// Whether a table's rows are nobody's.
fn is_public(name: &str) -> bool {
    name.parse().is_ok_and(TableName::is_public)
}

/// The table of that name.
fn named<'a>(name: &str, tables: &'a [Named]) -> Result<&'a Named, Usage> {
    let names = || tables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let hint = if name.starts_with("partner.") { "; of a partner's table, say whose: --partner NAME" } else { "" };
    tables.iter().find(|(other, _)| other == name).ok_or_else(|| Usage(format!("`{name}` is no table; there are: {}{hint}", names())))
}

fn show((name, catalog): &Named, format: Format) -> anyhow::Result<()> {
    let headers = ["column", "type", "values", "sum_from", "sum_to", "avg_from", "avg_to", "meaning"];
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
    if format == Format::Table && is_public(name) {
        note(&format!("public: one row per {}; joined to acts, it tightens no bound, and the operator shows it with `fairshare creator list`", catalog.row_per));
    } else if format == Format::Table {
        note(&format!("one row per {}; one person counts in at most {} groups, with at most {} rows in each", catalog.row_per, catalog.groups, catalog.rows_per_group));
        note("in a join, the smallest of the tables' numbers hold; `subject` and partners' tables, which describe people, count beside each other only");
        if name == "subject_interest" {
            note(&format!("in a join with other tables, the first {INTERESTS_JOINED} interests of a person are joined, by name"));
        }
    }
    Ok(())
}

fn contract(tables: &[Named], format: Format) -> anyhow::Result<()> {
    let headers = ["table", "groups_per_person", "rows_per_group", "rows_at_scan", "column", "sum_from", "sum_to", "value_from", "value_to", "steps_of"];
    let table = |(name, t): &Named| {
        let of_table = [json!(name), json!(t.groups), json!(t.rows_per_group), json!(ROWS_AT_SCAN)];
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
        note("a question may ask for less (query --bound), never for more; in a join, the smallest numbers hold, of tables that do not just describe people");
    }
    Ok(())
}
