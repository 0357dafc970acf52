//! The university's own rows: a survey among its readers, some of whom live in the town.

use chrono::{Days, NaiveDate};
use control_plane::{NewPartnerTable, UploadedFile};
use domain::mail::{Contact, ContactSource};
use domain::partner_table::{HashedAddress, PartnerColumn, PartnerRows};
use domain::port::Lake as _;
use domain::question::Value;
use sha2::{Digest, Sha256};

use super::town::Town;
use super::{BATCH, TownPartner, find};
use crate::deployment::Deployment;

/// One citizen in this many told the town their address, and answered.
const EVERY: usize = 3;

/// Writes down addresses, and takes the survey in.
pub(super) async fn upload(deployment: &Deployment, town: &Town, today: NaiveDate) -> anyhow::Result<()> {
    let control = &deployment.control;
    let address = |number: usize| format!("reader{number}@mail.example");
    let mut contacts = Vec::new();
    for (number, citizen) in town.citizens.iter().enumerate().step_by(EVERY) {
        contacts.push((find(deployment, citizen).await?, Some(Contact { email: address(number), language: None })));
    }
    for batch in contacts.chunks(BATCH) {
        control.subject_contacts_set(batch, ContactSource::Operator).await?;
    }
    let columns: Vec<PartnerColumn> = ["satisfied:text", "hours:float:0..10", "asked_on:date"].iter().map(|column| column.parse()).collect::<Result<_, _>>()?;
    let new = NewPartnerTable { partner: TownPartner::University.partner()?, name: "survey".parse()?, columns: columns.clone(), rows_per_person: 1, replace: false };
    let upload = control.partner_table_begin(new).await?;
    let mut rows = PartnerRows::of(&columns);
    // Whoever does not live here, or did not agree, leaves no row.
    let readers = 2 * town.citizens.len();
    for number in (0..readers).step_by(EVERY) {
        let answered = u32::try_from(number / EVERY)?;
        let satisfied = if answered % 5 < 3 { "yes" } else { "no" };
        let asked_on = today.checked_sub_days(Days::new(u64::from(answered % 300))).unwrap_or(today);
        let values = [Value::Text(satisfied.to_owned()), Value::Float(f64::from(answered % 21) / 2.0), Value::Date(asked_on)];
        upload.owners(&HashedAddress(Sha256::digest(address(number)).into())).iter().for_each(|owner| rows.push(*owner, &values));
    }
    let manifest = deployment.lake.put(upload.base().map(|base| &base.manifest), upload.table().id(), &rows)?;
    let file = UploadedFile { sha256: hex::encode(Sha256::digest("survey")), rows: u64::try_from(readers.div_ceil(EVERY))? };
    control.partner_table_commit(upload, &manifest, &file).await?;
    // The town does not wait for midnight.
    let lock = control.lake_lock()?;
    control.snapshot_publish(&lock).await?;
    Ok(())
}
