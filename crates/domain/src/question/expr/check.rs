//! Which types fit which function.

use std::ops::RangeInclusive;

use super::{CastTo, DatePart, Function};
use crate::catalog::ColumnType;

/// Types that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mismatch {
    /// What does not fit what, as a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Any number of arguments from the second on.
const MANY: usize = usize::MAX;

const TEXT: &[ColumnType] = &[ColumnType::Text];
const WHOLE: &[ColumnType] = &[ColumnType::Integer];
const NUMBER: &[ColumnType] = &[ColumnType::Integer, ColumnType::Float];
const CONDITION: &[ColumnType] = &[ColumnType::Boolean];
const TIME: &[ColumnType] = &[ColumnType::Date, ColumnType::Timestamp];

impl Function {
    /// The type of what it gives for arguments of these types; `None` is the constant `NULL`, which fits
    /// everything. Where nothing tells the type of nulls alone, it is that of the plainest use.
    ///
    /// # Errors
    /// When the number of arguments or one of their types does not fit. Identifiers fit nowhere.
    pub fn check(self, args: &[Option<ColumnType>]) -> Result<ColumnType, Mismatch> {
        use ColumnType::{Boolean, Date, Float, Integer, Text};
        let call = Call { function: self, args };
        if args.contains(&Some(ColumnType::Id)) {
            return Err(identifier());
        }
        match self {
            Self::Compare(_) | Self::IsSame => call.counted(2..=2)?.alike().map(|_| Boolean),
            Self::In => call.counted(2..=MANY)?.alike().map(|_| Boolean),
            Self::And | Self::Or => call.counted(1..=MANY)?.all(CONDITION).map(|()| Boolean),
            Self::Not => call.counted(1..=1)?.all(CONDITION).map(|()| Boolean),
            Self::IsNull => call.counted(1..=1).map(|_| Boolean),
            Self::Like | Self::StartsWith => call.counted(2..=2)?.all(TEXT).map(|()| Boolean),
            Self::Add | Self::Subtract => call.counted(2..=2)?.sum(),
            Self::Multiply | Self::Modulo => call.counted(2..=2)?.number(),
            Self::Divide | Self::Power => call.counted(2..=2)?.number().map(|_| Float),
            Self::Negate | Self::Abs | Self::Sign | Self::Round | Self::Floor | Self::Ceil | Self::Trunc => call.counted(1..=1)?.number(),
            Self::Sqrt | Self::Ln | Self::Log10 | Self::Exp => call.counted(1..=1)?.number().map(|_| Float),
            Self::Greatest | Self::Least | Self::Coalesce => call.counted(1..=MANY)?.alike().map(|ty| ty.unwrap_or(Text)),
            Self::NullIf => call.counted(2..=2)?.alike().map(|ty| ty.unwrap_or(Text)),
            Self::WidthBucket => call.counted(4..=4)?.each(&[NUMBER, NUMBER, NUMBER, WHOLE]).map(|()| Integer),
            Self::Lower | Self::Upper | Self::Trim => call.counted(1..=1)?.all(TEXT).map(|()| Text),
            Self::Length => call.counted(1..=1)?.all(TEXT).map(|()| Integer),
            Self::Substr => call.counted(2..=3)?.each(&[TEXT, WHOLE, WHOLE]).map(|()| Text),
            Self::Left | Self::Right => call.counted(2..=2)?.each(&[TEXT, WHOLE]).map(|()| Text),
            Self::Replace => call.counted(3..=3)?.all(TEXT).map(|()| Text),
            Self::Concat => call.counted(2..=MANY)?.all(TEXT).map(|()| Text),
            Self::Strpos => call.counted(2..=2)?.all(TEXT).map(|()| Integer),
            Self::SplitPart => call.counted(3..=3)?.each(&[TEXT, TEXT, WHOLE]).map(|()| Text),
            Self::Truncate(DatePart::Weekday) => {
                Err(Mismatch { message: "a weekday has no beginning".to_owned(), hint: "write extract(isodow from x), or date_trunc('day', x)".to_owned() })
            }
            Self::Truncate(_) => call.counted(1..=1)?.all(TIME).map(|()| args.first().copied().flatten().unwrap_or(Date)),
            Self::Part(_) => call.counted(1..=1)?.all(TIME).map(|()| Integer),
            Self::Cast(to) => call.counted(1..=1)?.all(castable(to)).map(|()| to.column_type()),
        }
    }
}

/// The type that values of both types share: numbers share the one with a fraction; `None` is the constant
/// `NULL`.
///
/// # Errors
/// When they share none.
pub fn unify(a: Option<ColumnType>, b: Option<ColumnType>) -> Result<Option<ColumnType>, Mismatch> {
    match (a, b) {
        (Some(ColumnType::Id), _) | (_, Some(ColumnType::Id)) => Err(identifier()),
        (None, ty) | (ty, None) => Ok(ty),
        (Some(a), Some(b)) if a == b => Ok(Some(a)),
        (Some(a), Some(b)) if NUMBER.contains(&a) && NUMBER.contains(&b) => Ok(Some(ColumnType::Float)),
        (Some(a), Some(b)) => Err(Mismatch { message: format!("{} and {} do not go together", described(a), described(b)), hint: together(a, b) }),
    }
}

/// What can be made into it.
const fn castable(to: CastTo) -> &'static [ColumnType] {
    use ColumnType::{Boolean, Date, Float, Integer, Text, Timestamp};
    match to {
        CastTo::Boolean => &[Boolean, Integer, Text],
        CastTo::Integer => &[Boolean, Integer, Float, Text],
        CastTo::Float => &[Integer, Float, Text],
        CastTo::Text => &[Boolean, Integer, Float, Text, Date, Timestamp],
        CastTo::Date | CastTo::Timestamp => &[Text, Date, Timestamp],
    }
}

/// A function with the types of its arguments.
struct Call<'a> {
    function: Function,
    args: &'a [Option<ColumnType>],
}

impl Call<'_> {
    fn counted(&self, counts: RangeInclusive<usize>) -> Result<&Self, Mismatch> {
        let (least, most) = (*counts.start(), *counts.end());
        if counts.contains(&self.args.len()) {
            return Ok(self);
        }
        let wanted = match (least, most) {
            (least, MANY) => format!("at least {}", plural(least)),
            (least, most) if least == most => plural(least),
            (least, most) => format!("{least} to {}", plural(most)),
        };
        Err(Mismatch { message: format!("{} takes {wanted}, and here are {}", self.name(), self.args.len()), hint: self.usage() })
    }

    /// All arguments share one type; none where all are null.
    fn alike(&self) -> Result<Option<ColumnType>, Mismatch> {
        let share = |shared, &ty| unify(shared, ty).map_err(|mismatch| Mismatch { message: format!("in {}, {mismatch}", self.name()), ..mismatch });
        self.args.iter().try_fold(None, share)
    }

    fn all(&self, types: &[ColumnType]) -> Result<(), Mismatch> {
        (0..self.args.len()).try_for_each(|place| self.fits(place, types))
    }

    fn each(&self, types: &[&[ColumnType]]) -> Result<(), Mismatch> {
        types.iter().enumerate().try_for_each(|(place, types)| self.fits(place, types))
    }

    fn fits(&self, place: usize, types: &[ColumnType]) -> Result<(), Mismatch> {
        match self.args.get(place).copied().flatten() {
            Some(ty) if !types.contains(&ty) => Err(self.unfit(place, ty, types)),
            _ => Ok(()),
        }
    }

    /// All are numbers: whole where all are.
    fn number(&self) -> Result<ColumnType, Mismatch> {
        self.all(NUMBER)?;
        Ok(if self.args.contains(&Some(ColumnType::Float)) { ColumnType::Float } else { ColumnType::Integer })
    }

    /// Numbers, or a day with days, or a day less a day.
    fn sum(&self) -> Result<ColumnType, Mismatch> {
        use ColumnType::{Date, Integer};
        match (self.function, self.args) {
            (_, [Some(Date), Some(Integer) | None]) | (Function::Add, [Some(Integer) | None, Some(Date)]) => Ok(Date),
            (Function::Subtract, [Some(Date) | None, Some(Date)]) => Ok(Integer),
            (Function::Add, [Some(Date), Some(other)] | [Some(other), Some(Date)]) | (_, [Some(Date), Some(other)]) => {
                Err(Mismatch { message: format!("{} takes a day and a whole number of days, and here is {}", self.name(), described(*other)), hint: "write day + 7".to_owned() })
            }
            (_, _) => self.number(),
        }
    }

    fn unfit(&self, place: usize, found: ColumnType, types: &[ColumnType]) -> Mismatch {
        let wanted: Vec<&str> = types.iter().map(|&ty| described(ty)).collect();
        let wanted = if types == NUMBER { "numbers".to_owned() } else { wanted.join(" or ") };
        let message = format!("{} takes {wanted}, and its {} argument is {}", self.name(), ordinal(place), described(found));
        let hint = match (types, found) {
            (WHOLE, ColumnType::Float) => "write CAST(… AS integer), or round it".to_owned(),
            (CONDITION, _) => "compare it with something".to_owned(),
            (TEXT, _) => "write CAST(… AS text)".to_owned(),
            (NUMBER, ColumnType::Text) => "write CAST(… AS float): null where it is no number".to_owned(),
            (TIME, ColumnType::Text) => "write CAST(… AS date): null where it is no day".to_owned(),
            _ => self.usage(),
        };
        Mismatch { message, hint }
    }

    fn usage(&self) -> String {
        format!("write {}", self.function.usage())
    }

    /// `lower()`, `AND`, `+`.
    fn name(&self) -> String {
        let sql = self.function.sql();
        if sql.starts_with(|c: char| c.is_ascii_lowercase()) { format!("{sql}()") } else { format!("`{sql}`") }
    }
}

fn identifier() -> Mismatch {
    Mismatch { message: "an identifier cannot be looked at".to_owned(), hint: "join on it, or count(distinct subject_id)".to_owned() }
}

fn together(a: ColumnType, b: ColumnType) -> String {
    match (a, b) {
        (ColumnType::Text, other) | (other, ColumnType::Text) => format!("write CAST(… AS {other}) or CAST(… AS text)"),
        (ColumnType::Date, ColumnType::Timestamp) | (ColumnType::Timestamp, ColumnType::Date) => "write CAST(… AS date)".to_owned(),
        _ => "make both the same type".to_owned(),
    }
}

const fn described(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Id => "an identifier",
        ColumnType::Boolean => "a condition",
        ColumnType::Text => "text",
        ColumnType::Integer => "a whole number",
        ColumnType::Float => "a number",
        ColumnType::Date => "a day",
        ColumnType::Timestamp => "an instant",
    }
}

fn plural(count: usize) -> String {
    if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") }
}

fn ordinal(place: usize) -> String {
    match place {
        0 => "1st".to_owned(),
        1 => "2nd".to_owned(),
        2 => "3rd".to_owned(),
        later => format!("{}th", later.saturating_add(1)),
    }
}
