use std::collections::BTreeMap;

use super::*;

fn town(seed: u64) -> (tempfile::TempDir, Town) {
    let folder = tempfile::tempdir().unwrap();
    let options = TownOptions { people: 600, seed, today: "2026-11-24".parse().unwrap() };
    let town = build(folder.path(), &options).unwrap();
    (folder, town)
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for folder in [folder.to_owned(), folder.join("archives")] {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            all.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap());
        }
    }
    all
}

#[test]
fn the_same_seed_makes_the_same_town() {
    let ((a, _), (b, _), (c, _)) = (town(1), town(1), town(2));
    assert_eq!(bytes(a.path()), bytes(b.path()));
    assert_ne!(bytes(a.path()), bytes(c.path()));
}

#[test]
fn the_town_is_lifelike() {
    let (folder, town) = town(3);
    let csv = fs::read_to_string(folder.path().join("activity.csv")).unwrap();
    let mut by_person: BTreeMap<&str, usize> = BTreeMap::new();
    for line in csv.lines().skip(1) {
        *by_person.entry(line.split(',').nth(1).unwrap()).or_default() += 1;
    }
    let mut sizes: Vec<usize> = by_person.into_values().collect();
    sizes.sort_unstable();
    let (median, most) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!((8..40).contains(&median) && most > 20 * median, "median {median}, most {most}");
    assert_eq!(town.sources.len(), 2 + 600 / 17);
    let gave = town.citizens.iter().filter(|c| c.choices.iter().any(|c| c.action == ConsentAction::Give)).count();
    let withdrew = town.citizens.iter().filter(|c| c.choices.iter().any(|c| c.action == ConsentAction::Withdraw)).count();
    assert!((300..560).contains(&gave) && withdrew > 5, "{gave} gave, {withdrew} withdrew");
}
