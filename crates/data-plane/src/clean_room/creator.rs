//! Acts joined to the public list of creators: what the list says of the account of a row.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, UInt8Array, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{Int32Type, UInt64Type};
use datafusion::arrow::error::ArrowError;
use domain::{CreatorId, CreatorList, Fault, Platform};
use hashbrown::HashMap;

use crate::schema::NO_TEXT;

/// The public list as columns.
#[derive(Debug)]
pub(super) struct Listed {
    /// The place of each account.
    places: HashMap<u64, i32>,
    names: ArrayRef,
    /// Places among all platforms.
    platforms: Vec<u8>,
    categories: ArrayRef,
}

fn arrow(error: ArrowError) -> Fault {
    Fault::new("joining creators", error)
}

impl Listed {
    /// Its columns, in the order in which they are added to rows.
    pub(super) const COLUMNS: [&'static str; 3] = ["name", "platform", "category"];

    pub(super) fn of(list: &CreatorList) -> Self {
        let all = || list.all().iter();
        let platform = |platform: Platform| Platform::ALL.iter().position(|other| *other == platform).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
        Self {
            places: all().zip(0_i32..).map(|(creator, place)| (creator.id.number(), place)).collect(),
            names: Arc::new(all().map(|creator| Some(creator.name.as_deref().unwrap_or(NO_TEXT))).collect::<StringArray>()),
            platforms: all().map(|creator| platform(creator.platform)).collect(),
            categories: Arc::new(all().map(|creator| Some(creator.category.as_str())).collect::<StringArray>()),
        }
    }

    /// The rows whose account is on the list, with its columns at the end; `accounts` is one of their columns.
    pub(super) fn join(&self, accounts: &ArrayRef, columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>, Fault> {
        let accounts = accounts.as_primitive_opt::<UInt64Type>().ok_or_else(|| Fault::broken("an account that is no number"))?;
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for (row, account) in (0_u32..).zip(accounts.iter()) {
            if let Some(place) = account.and_then(CreatorId::from_number).and_then(|account| self.places.get(&account.number())) {
                rows.push(row);
                places.push(*place);
            }
        }
        let rows = UInt32Array::from(rows);
        let mut joined = Vec::with_capacity(columns.len() + Self::COLUMNS.len());
        for column in columns {
            joined.push(if rows.len() == accounts.len() { column } else { take(&column, &rows, None).map_err(arrow)? });
        }
        let platform = |place: &i32| usize::try_from(*place).ok().and_then(|place| self.platforms.get(place)).copied();
        let platforms = places.iter().map(platform).collect::<Option<Vec<u8>>>().ok_or_else(|| Fault::broken("a creator beyond the list"))?;
        let places = Int32Array::from(places);
        let texts = |texts: &ArrayRef| Ok::<ArrayRef, Fault>(Arc::new(DictionaryArray::<Int32Type>::try_new(places.clone(), Arc::clone(texts)).map_err(arrow)?));
        joined.extend([texts(&self.names)?, Arc::new(UInt8Array::from(platforms)), texts(&self.categories)?]);
        Ok(joined)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array, UInt64Array};
    use domain::creator::Creator;

    use super::*;

    #[test]
    fn rows_get_what_the_list_says_and_others_go() {
        let creator = |number: u64, name: Option<&str>| Creator {
            id: CreatorId::from_number(number).unwrap(),
            name: name.map(str::to_owned),
            platform: Platform::Mastodon,
            category: "news".to_owned(),
        };
        let list = Listed::of(&CreatorList::new([creator(7, Some("A")), creator(9, None)]));
        let accounts: ArrayRef = Arc::new(UInt64Array::from(vec![Some(9), None, Some(7), Some(8), Some(7), Some(0)]));
        let joined = list.join(&accounts, vec![Arc::clone(&accounts)]).unwrap();
        assert_eq!(joined[0].as_primitive::<UInt64Type>().values(), &[9, 7, 7]);
        let names = joined[1].as_dictionary::<Int32Type>();
        let names: Vec<&str> = names.keys().values().iter().map(|key| names.values().as_string::<i32>().value(usize::try_from(*key).unwrap())).collect();
        assert_eq!(names, [NO_TEXT, "A", "A"]);
        let none = Listed::of(&CreatorList::default()).join(&accounts, vec![Arc::clone(&accounts)]).unwrap();
        assert!(none.iter().all(|column| column.is_empty()) && none.len() == 4);
    }
}
