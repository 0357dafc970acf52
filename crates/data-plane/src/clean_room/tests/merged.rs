//! Two ids of one person are one person to the clean room.

use super::*;

/// The arrivals as if every act of `other` had been `keep`'s: what both had is `keep`'s.
fn united(arrivals: &[Arrival], keep: SubjectId, other: SubjectId) -> Vec<Arrival> {
    let [arrival] = arrivals else { panic!("one arrival") };
    let place = |id| u32::try_from(arrival.ids.iter().position(|s| *s == id).unwrap()).unwrap();
    let (keep, other) = (place(keep), place(other));
    let (mut theirs, mut acts): (Vec<_>, Vec<_>) = arrival.batch.activities.iter().partition(|act| act.owner == other);
    theirs.iter_mut().for_each(|act| act.owner = keep);
    acts.extend(theirs);
    vec![Arrival { batch: NormalizedBatch { activities: acts.into_iter().collect(), ..arrival.batch.clone() }, ids: arrival.ids.clone() }]
}

fn at(world: &World, manifest: domain::lake::Manifest) -> World {
    let lake = ParquetLake::new(world._folder.path());
    let room = DataFusionCleanRoom::new(lake, Arc::new(ZeroNoise), 3).unwrap();
    World { _folder: tempfile::tempdir().unwrap(), room, snapshot: Snapshot { manifest, ..world.snapshot.clone() } }
}

/// I5: merging never raises what one person can change, and changes nobody else.
#[test]
fn merged_ids_are_one_person() {
    let seed = env_seed(55);
    eprintln!("seed {seed}");
    let mut mattered = 0;
    for n in 0..25 {
        let mut generator = Generator::new(seed + n);
        let mut layout = ChaCha20Rng::seed_from_u64(seed ^ n);
        let arrivals = data(&mut generator);
        let world = World::lay_out(&arrivals, 3, &mut layout);
        let ids = &arrivals[0].ids;
        let keep = ids[generator.0.random_range(0..ids.len())];
        let other = *ids.iter().cycle().skip_while(|s| **s != keep).nth(1).unwrap();
        let lake = ParquetLake::new(world._folder.path());
        let manifest = lake.merge(&world.snapshot.manifest, keep, other).unwrap();
        let back = lake.split(&manifest, keep, other).unwrap();
        let (merged, apart) = (at(&world, manifest), at(&world, back));
        let one = united(&arrivals, keep, other);
        let smaller = World::lay_out(&without(&one, keep), 3, &mut layout);
        for _ in 0..5 {
            let prepared = prepare(&mut generator);
            let case = format!("FAIRSHARE_SEED={} {}", seed + n, prepared.plan.to_json());
            let mut eligible: SubjectSet = ids.iter().copied().filter(|_| generator.0.random_ratio(4, 5)).collect();
            eligible.insert(keep);
            eligible.remove(other);
            let key = BoundingKey::from_bytes(generator.0.random());
            let expected = Reference { plan: &prepared.plan, eligible: &eligible, key: &key, creators: &testkit::listed(&prepared.creators) }
                .answer(&tables(&Reference::tables(&prepared.plan), &one));
            assert_eq!(merged.exact(&prepared, &eligible, &key), expected, "{case}");
            mattered += u64::from(check_removal(&merged, &smaller, &prepared, &eligible, &key, keep, &case));
            // Split again, all but what both had is where it was.
            let mut others = eligible.clone();
            others.remove(keep);
            assert_eq!(apart.exact(&prepared, &others, &key), world.exact(&prepared, &others, &key), "{case}");
            let only: SubjectSet = [keep].into_iter().collect();
            assert_eq!(apart.exact(&prepared, &only, &key), world.exact(&prepared, &only, &key), "{case}");
        }
    }
    assert!(mattered > 25, "the person hardly ever mattered: {mattered}");
}
