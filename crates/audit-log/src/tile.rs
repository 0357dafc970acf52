//! Tiles (C2SP tlog-tiles): the tree in files that are written once and served as they are.

use crate::Hash;
use crate::tree::root_of;

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;

/// One tile: `width` hashes of level 8·`level`, from hash `index`·256 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Level of the tile, from the leaves (0) upwards; each is eight levels of the tree.
    pub level: u8,
    /// Place in the level.
    pub index: u64,
    /// Hashes in it: 256 when full.
    pub width: u64,
}

/// The tiles of a tree of `new_size` leaves that differ from those of `old_size`.
#[must_use]
pub fn tiles_for(old_size: u64, new_size: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let (mut old, mut new) = (old_size, new_size);
    for level in 0_u8..8 {
        if new == 0 {
            break;
        }
        if new > old {
            for index in old / WIDTH..new.div_ceil(WIDTH) {
                tiles.push(Tile { level, index, width: (new - index * WIDTH).min(WIDTH) });
            }
        }
        (old, new) = (old / WIDTH, new / WIDTH);
    }
    tiles
}

/// Where a tile is published: `tile/0/x001/067`, with `.p/8` for a tile of 8 hashes.
#[must_use]
pub fn tile_path(tile: &Tile) -> String {
    path(&format!("tile/{}", tile.level), tile)
}

/// Where the entries below a leaf tile are published.
#[must_use]
pub fn entries_path(tile: &Tile) -> String {
    path("tile/entries", tile)
}

fn path(prefix: &str, tile: &Tile) -> String {
    let mut groups = vec![format!("{:03}", tile.index % 1_000)];
    let mut rest = tile.index / 1_000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1_000));
        rest /= 1_000;
    }
    groups.reverse();
    let partial = if tile.width < WIDTH { format!(".p/{}", tile.width) } else { String::new() };
    format!("{prefix}/{}{partial}", groups.join("/"))
}

/// The content of a tile, from all leaves of the tree; `None` when they are too few.
#[must_use]
pub fn hash_tiles(tile: &Tile, leaves: &[Hash]) -> Option<Vec<u8>> {
    let span = usize::try_from(WIDTH.checked_pow(u32::from(tile.level))?).ok()?;
    let begin = usize::try_from(tile.index.checked_mul(WIDTH)?).ok()?.checked_mul(span)?;
    let end = begin.checked_add(usize::try_from(tile.width).ok()?.checked_mul(span)?)?;
    let below = leaves.get(begin..end)?;
    Some(below.chunks(span).flat_map(|chunk| *root_of(chunk).as_bytes()).collect())
}

/// The hash that stands for a full tile in the tile above it; `None` when it is not full.
#[must_use]
pub fn tile_root(content: &[u8]) -> Option<Hash> {
    let (hashes, rest) = content.as_chunks::<32>();
    let hashes: Vec<Hash> = hashes.iter().map(|h| Hash::from_bytes(*h)).collect();
    (rest.is_empty() && hashes.len() as u64 == WIDTH).then(|| root_of(&hashes))
}
