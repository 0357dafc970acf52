//! Text, by characters.

use super::MAX_TEXT_BYTES;
use crate::question::Value;

pub(super) fn length(text: &str) -> i64 {
    whole(text.chars().count())
}

/// The characters at the places `from` to `from + count`, where the first is 1.
pub(super) fn substr(text: &str, from: i64, count: i64) -> Value {
    if count < 0 {
        return Value::Null;
    }
    let first = from.max(1);
    let last = from.saturating_add(count);
    between(text, first - 1, last.saturating_sub(first))
}

pub(super) fn left(text: &str, n: i64) -> Value {
    between(text, 0, if n < 0 { length(text).saturating_add(n) } else { n })
}

pub(super) fn right(text: &str, n: i64) -> Value {
    between(text, if n < 0 { n.saturating_neg() } else { length(text).saturating_sub(n) }, i64::MAX)
}

fn between(text: &str, skip: i64, take: i64) -> Value {
    Value::Text(text.chars().skip(size(skip)).take(size(take)).collect())
}

pub(super) fn replace(text: &str, from: &str, to: &str) -> Value {
    if from.is_empty() {
        return Value::Text(text.to_owned());
    }
    let times = text.matches(from).count();
    let removed = times.saturating_mul(from.len());
    let long = text.len().saturating_sub(removed).saturating_add(times.saturating_mul(to.len()));
    if times > 0 && long > MAX_TEXT_BYTES { Value::Null } else { Value::Text(text.replace(from, to)) }
}

pub(super) fn concat(parts: &[Value]) -> Value {
    let mut out = String::new();
    for part in parts {
        let Value::Text(part) = part else { return Value::Null };
        if out.len().saturating_add(part.len()) > MAX_TEXT_BYTES {
            return Value::Null;
        }
        out.push_str(part);
    }
    Value::Text(out)
}

pub(super) fn strpos(text: &str, part: &str) -> i64 {
    text.find(part).map_or(0, |place| whole(text.char_indices().take_while(|(i, _)| *i < place).count()).saturating_add(1))
}

/// The n-th part, from the end where n is negative; null where n is 0, for which PostgreSQL has no answer.
pub(super) fn split_part(text: &str, separator: &str, n: i64) -> Value {
    let nth = size(n.saturating_abs().saturating_sub(1));
    let part = match (n, separator) {
        (0, _) => return Value::Null,
        (_, "") => std::iter::once(text).nth(nth),
        (1.., _) => text.split(separator).nth(nth),
        // From the left all the same: parts overlap nowhere else either ("aaa" without "aa" ends in "a").
        _ => {
            let parts: Vec<&str> = text.split(separator).collect();
            parts.into_iter().rev().nth(nth)
        }
    };
    Value::Text(part.unwrap_or("").to_owned())
}

fn whole(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Nothing where it is negative.
fn size(whole: i64) -> usize {
    usize::try_from(whole.max(0)).unwrap_or(usize::MAX)
}

/// SQL `LIKE`: `%` is any run of characters, `_` any one.
pub(in crate::question) fn like(text: &str, pattern: &str) -> bool {
    enum Part {
        Run,
        One,
        Just(char),
    }
    let parts: Vec<Part> = pattern
        .chars()
        .map(|c| match c {
            '%' => Part::Run,
            '_' => Part::One,
            other => Part::Just(other),
        })
        .collect();
    // Row by row over the table "do the first i characters match the first j parts?".
    let mut reach = vec![true];
    reach.extend(parts.iter().scan(true, |open, part| {
        *open = *open && matches!(part, Part::Run);
        Some(*open)
    }));
    for c in text.chars() {
        let mut next = vec![false];
        for (j, part) in parts.iter().enumerate() {
            let diagonal = reach.get(j).copied().unwrap_or(false);
            let above = reach.get(j + 1).copied().unwrap_or(false);
            let left = next.get(j).copied().unwrap_or(false);
            next.push(match part {
                Part::Run => above || left,
                Part::One => diagonal,
                Part::Just(want) => diagonal && *want == c,
            });
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_follows_sql() {
        for (text, pattern, expected) in [
            ("rust", "rust", true),
            ("rust", "r%", true),
            ("rust", "%st", true),
            ("rust", "r_s_", true),
            ("rust", "r_s", false),
            ("", "%", true),
            ("", "_", false),
            ("naïve", "na_ve", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
