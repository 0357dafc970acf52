//! Sorting by person. A bucket holds few thousand of them: rows are dealt out to their persons first,
//! and each person's few rows are sorted then, which takes a fraction of sorting all of them together.

/// Entries by person, those of one person by the rest of the entry.
pub(super) fn by_subject<K: Ord + Copy>(mut entries: Vec<(u32, K)>) -> Vec<(u32, K)> {
    let subjects = || entries.iter().map(|(subject, _)| *subject);
    let (Some(low), Some(high), Some(first)) = (subjects().min(), subjects().max(), entries.first()) else { return entries };
    let people = usize::try_from(high - low).unwrap_or(usize::MAX);
    if people > entries.len().saturating_mul(8).saturating_add(1 << 16) {
        entries.sort_unstable();
        return entries;
    }
    let place = |subject: u32| usize::try_from(subject - low).unwrap_or(usize::MAX);
    // Where the next entry of each person goes: after all of those before.
    let mut next = vec![0_usize; people + 2];
    subjects().for_each(|subject| next.get_mut(place(subject) + 1).into_iter().for_each(|n| *n += 1));
    next.iter_mut().fold(0, |sum, n| {
        *n += sum;
        *n
    });
    let mut sorted = vec![*first; entries.len()];
    for entry in &entries {
        if let Some(next) = next.get_mut(place(entry.0)) {
            sorted.get_mut(*next).into_iter().for_each(|to| *to = *entry);
            *next += 1;
        }
    }
    sorted.chunk_by_mut(|a, b| a.0 == b.0).for_each(|person| person.sort_unstable());
    sorted
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use testkit::{Generator, env_seed};

    use super::*;

    #[test]
    fn the_order_is_that_of_sorting() {
        let seed = env_seed(3);
        eprintln!("seed {seed}");
        let mut rng = Generator::new(seed).0;
        for people in [1, 2, 100, 10_000, u32::MAX] {
            for rows in [0, 1, 2, 1_000, 20_000] {
                let entries: Vec<(u32, (u8, usize))> = (0..rows).map(|row| (u32::MAX - rng.random_range(0..people), (rng.random(), row))).collect();
                let mut expected = entries.clone();
                expected.sort_unstable();
                assert_eq!(by_subject(entries), expected, "{people} people, {rows} rows");
            }
        }
    }
}
