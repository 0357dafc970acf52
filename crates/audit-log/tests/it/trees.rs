use audit_log::{Frontier, Hash, consistency_proof, empty_root, hash_tiles, inclusion_proof, leaf_hash, root_of, tile_path, tiles_for, verify_consistency, verify_inclusion};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

pub(crate) fn random_leaves(rng: &mut ChaCha20Rng, n: usize) -> Vec<Hash> {
    (0..n)
        .map(|_| {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            Hash::from_bytes(bytes)
        })
        .collect()
}

/// The eight inputs and roots that Certificate Transparency implementations share.
#[test]
fn roots_of_the_known_tree() {
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let leaves: Vec<Hash> = inputs.iter().map(|hex_text| leaf_hash(&hex::decode(hex_text).unwrap())).collect();
    assert_eq!(empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(root_of(&leaves[..1]).to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert_eq!(root_of(&leaves).to_string(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

#[test]
fn every_proof_verifies_and_no_altered_one_does() {
    let seed = 7;
    eprintln!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let all = random_leaves(&mut rng, 70);
    for size in 1..=all.len() {
        let leaves = &all[..size];
        let root = root_of(leaves);
        for index in 0..size {
            let proof = inclusion_proof(leaves, index as u64).unwrap();
            verify_inclusion(&leaves[index], &proof, &root).unwrap();
            let mut moved = proof.clone();
            moved.index = (moved.index + 1) % (size as u64 + 1);
            assert!(verify_inclusion(&leaves[index], &moved, &root).is_err(), "moved, size {size}, index {index}");
            assert!(verify_inclusion(&all[(index + 1) % all.len()], &proof, &root).is_err());
            for place in 0..proof.hashes.len() {
                let mut altered = proof.clone();
                altered.hashes[place] = leaf_hash(b"altered");
                assert!(verify_inclusion(&leaves[index], &altered, &root).is_err());
            }
            let mut longer = proof.clone();
            longer.hashes.push(root);
            assert!(verify_inclusion(&leaves[index], &longer, &root).is_err());
        }
        for old in 1..=size {
            let old_root = root_of(&all[..old]);
            let proof = consistency_proof(leaves, old as u64).unwrap();
            verify_consistency(&proof, &old_root, &root).unwrap();
            assert!(verify_consistency(&proof, &leaf_hash(b"forked"), &root).is_err());
            assert!(verify_consistency(&proof, &old_root, &leaf_hash(b"forked")).is_err());
            for place in 0..proof.hashes.len() {
                let mut altered = proof.clone();
                altered.hashes[place] = leaf_hash(b"altered");
                assert!(verify_consistency(&altered, &old_root, &root).is_err());
            }
        }
    }
}

#[test]
fn frontiers_survive_storage() {
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let leaves = random_leaves(&mut rng, 300);
    let mut frontier = Frontier::default();
    for (n, leaf) in leaves.iter().enumerate() {
        frontier = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
        frontier.push(*leaf);
        assert_eq!(frontier.root(), root_of(&leaves[..=n]));
    }
    let mut bytes = frontier.to_bytes();
    bytes.pop();
    assert!(Frontier::from_bytes(&bytes).is_err());
    assert!(Frontier::from_bytes(&[0; 40]).is_err());
}

#[test]
fn tiles_hold_the_tree() {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let leaves = random_leaves(&mut rng, 70_000);
    let tiles = tiles_for(0, 70_000);
    let last_leaf_tile = tiles.iter().rfind(|t| t.level == 0).unwrap();
    assert_eq!(tile_path(last_leaf_tile), "tile/0/273.p/112");
    let top = tiles.iter().rfind(|t| t.level == 2).unwrap();
    assert_eq!((top.index, top.width), (0, 1));
    assert_eq!(hash_tiles(top, &leaves).unwrap(), root_of(&leaves[..65_536]).as_bytes());
    assert_eq!(tile_path(&audit_log::Tile { level: 1, index: 1_234_067, width: 256 }), "tile/1/x001/x234/067");
    assert_eq!(tiles_for(70_000, 70_001).len(), 1);
}
