//! `fairshare table upload|delete`: partners' own rows.

use control_plane::{NewPartnerTable, PartnerTableInfo, PartnerTableState, UploadedFile};
use domain::lake::Manifest;
use domain::partner_table::PartnerRows;
use domain::port::{Clock, Lake};
use domain::{PartnerIdentifier, PartnerName, SubjectId};
use ingest::{PartnerColumns, PartnerFile};
use serde_json::{Value, json};

use super::lake;
use crate::cli::Upload;
use crate::deployment::{Deployment, SystemClock};
use crate::failure::Usage;
use crate::output::{Format, note, object};
use crate::progress::TerminalProgress;

/// The name without its schema.
fn identifier(name: &str) -> Result<PartnerIdentifier, Usage> {
    name.strip_prefix("partner.").unwrap_or(name).parse().map_err(|e| Usage(format!("{e}")))
}

/// Takes a table in.
pub(crate) async fn upload(args: Upload, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let Upload { name, file, partner, columns, key, rows_per_person, replace } = args;
    let new = NewPartnerTable { partner, name: identifier(&name)?, columns, rows_per_person, replace };
    let upload = deployment.control.partner_table_begin(new).await?;
    // What a killed upload left behind is named by no snapshot.
    lake::tidy(deployment, upload.lock()).await?;
    let declared = upload.table().columns().to_vec();
    let mut rows = PartnerRows::of(&declared);
    let mut kept: std::collections::HashMap<SubjectId, u32> = std::collections::HashMap::new();
    let read = ingest::partner_rows(&file, PartnerColumns { key: &key, declared: &declared }, &TerminalProgress::default(), &mut |address, values| {
        for owner in upload.owners(&address) {
            let many = kept.entry(*owner).or_default();
            if *many < rows_per_person {
                *many += 1;
                rows.push(*owner, values);
            }
        }
    })?;
    let base: Option<&Manifest> = upload.base().map(|snapshot| &snapshot.manifest);
    let manifest = deployment.lake.put(base, upload.table().id(), &rows)?;
    let info = deployment.control.partner_table_commit(upload, &manifest, &UploadedFile { sha256: read.sha256.clone(), rows: read.rows }).await?;
    print(&info, &read, format)
}

/// Says what was read. Nothing here depends on who is in the table.
fn print(info: &PartnerTableInfo, read: &PartnerFile, format: Format) -> anyhow::Result<()> {
    let PartnerFile { sha256, rows, rejected, reasons, unreadable, beyond, ignored } = read;
    let table = format!("partner.{}", info.table.name());
    object(
        format,
        &json!({
            "schema": 1, "table": table, "id": info.table.id(), "rows": rows, "rejected": rejected, "reasons": reasons, "values_unreadable": unreadable, "values_beyond_range": beyond,
            "columns_ignored": ignored, "sha256": sha256, "visible_from": visible_from(info.state),
        }),
    )?;
    if format == Format::Table {
        if let PartnerTableState::Waiting(from) = info.state {
            note(&format!("questions can name {table} from {} on; `fairshare lake publish` makes it visible now", lake::moment(from)));
        }
        note(&format!("how many of them are here is known only with noise, and paid for: fairshare insight run overlap --table {}", info.table.name()));
    }
    Ok(())
}

fn visible_from(state: PartnerTableState) -> Value {
    if let PartnerTableState::Waiting(from) = state { json!(from) } else { Value::Null }
}

/// Deletes a table, with the files that no release is reading.
pub(crate) async fn delete(name: &str, partner: &PartnerName, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let lock = deployment.control.lake_lock()?;
    let id = deployment.control.partner_table_delete(&lock, partner, &identifier(name)?).await?;
    let swept = lake::forget(deployment, &lock).await?;
    object(format, &json!({ "schema": 1, "table": format!("partner.{}", identifier(name)?), "id": id, "files_deleted": swept.files, "files_waiting": swept.waiting }))?;
    Ok(())
}

/// Says which tables of a partner cannot be named now, and why.
pub(crate) async fn waiting(deployment: &Deployment, partner: Option<&PartnerName>, format: Format) -> anyhow::Result<()> {
    if format != Format::Table {
        return Ok(());
    }
    for info in deployment.control.partner_table_list(partner).await? {
        let name = info.table.name();
        match info.state {
            PartnerTableState::Waiting(from) if from > SystemClock.now() => note(&format!("partner.{name} of {} can be named from {} on", info.partner, lake::moment(from))),
            PartnerTableState::Lost => note(&format!("the rows of partner.{name} of {} were lost with a restore: upload it again with --replace", info.partner)),
            PartnerTableState::Visible | PartnerTableState::Waiting(_) | PartnerTableState::Deleted(_) | PartnerTableState::Replaced => {}
        }
    }
    Ok(())
}
