//! A partner's table in tests: a person's rows follow from their account alone, so that nobody's depend on who
//! else is there, or under which number.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::SubjectId;
use domain::catalog::{Table, TableName};
use domain::lake::Arrival;
use domain::partner_table::{PartnerRows, PartnerTable, PartnerTableId};
use domain::question::Value;
use rand::RngExt;

use crate::Generator;

/// Every table that questions of tests can name.
#[must_use]
pub fn table_names() -> Vec<TableName> {
    TableName::ALL.iter().copied().chain(partner_tables().iter().map(|table| TableName::Partner(table.id()))).collect()
}

/// The catalogue's table of that name, also of the partner's.
#[must_use]
pub fn catalog(name: TableName) -> &'static Table {
    let own = partner_tables().into_iter().find(|table| TableName::Partner(table.id()) == name);
    own.map_or_else(|| Table::of(name), |own| own.catalog())
}

/// What a question calls a table.
#[must_use]
pub fn called(name: TableName) -> String {
    let own = partner_tables().into_iter().find(|table| TableName::Partner(table.id()) == name);
    own.map_or_else(|| name.to_string(), |own| format!("partner.{}", own.name()))
}

/// The tables of the partner who asks: one, `partner.crm`, with up to two rows of a person.
///
/// # Panics
/// Never: the declaration is right.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant declaration")]
pub fn partner_tables() -> Vec<PartnerTable> {
    let columns = ["tier:text", "spend:float:0..500", "visits:integer:-5..50", "city:text", "since:date"];
    let columns = columns.iter().map(|column| column.parse()).collect::<Result<Vec<_>, _>>().expect("columns");
    vec![PartnerTable::new(PartnerTableId(7), "crm".parse().expect("a name"), columns, 2).expect("a table")]
}

/// The rows of the people of `arrivals` in [`partner_tables`]: of each none, one or two.
#[must_use]
pub fn partner_rows(arrivals: &[Arrival]) -> PartnerRows {
    let mut rows = partner_tables().first().map(|table| PartnerRows::of(table.columns())).unwrap_or_default();
    for (person, values) in rows_of(arrivals) {
        rows.push(person, &values);
    }
    rows
}

/// Whose each row is, and its values, in order.
pub(crate) fn rows_of(arrivals: &[Arrival]) -> Vec<(SubjectId, Vec<Value>)> {
    let accounts = arrivals.iter().flat_map(|arrival| arrival.ids.iter().zip(&arrival.batch.subjects));
    let people: BTreeMap<SubjectId, &str> = accounts.map(|(id, subject)| (*id, subject.account.native_id.as_str())).collect();
    people.into_iter().flat_map(|(id, account)| of_account(account).into_iter().map(move |values| (id, values))).collect()
}

fn of_account(account: &str) -> Vec<Vec<Value>> {
    let seed = account.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut random = Generator::new(seed);
    // One person in six is not known to the partner.
    let many = random.0.random_range(0..6_usize).div_ceil(3);
    (0..many)
        .map(|_| {
            let known = |value: Value, random: &mut Generator| if random.0.random_ratio(1, 6) { Value::Null } else { value };
            let tier = Value::Text(random.pick(&["gold", "silver", "none"]).to_owned());
            let spend = Value::Float(f64::from(random.0.random_range(-100..2_400)) / 4.0);
            let visits = Value::Integer(random.0.random_range(-9..70));
            let city = Value::Text(random.pick(&["Lund", "Köln", "São Paulo"]).to_owned());
            let since = NaiveDate::from_ymd_opt(2022, 1, random.0.random_range(1..32)).map_or(Value::Null, Value::Date);
            [tier, spend, visits, city, since].into_iter().map(|value| known(value, &mut random)).collect()
        })
        .collect()
}
