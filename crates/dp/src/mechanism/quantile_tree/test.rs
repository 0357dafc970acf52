use std::collections::BTreeMap;
use std::sync::Mutex;

use super::shape::Node;
use super::tree::NoisyTree;
use super::*;
use crate::bounds::L2Squared;
use crate::testing::{Seeded, SeededNoise, Silence, assert_fits, assert_spends, certified_rho, two_samples};

fn bounds(groups: u32, rows: u32) -> ContributionBounds {
    ContributionBounds::new(groups, rows, 100_000).unwrap()
}

fn quantile(millionths: u32) -> Quantile {
    Quantile::from_millionths(millionths).unwrap()
}

fn counts(shape: &Shape, values: &[i64]) -> LeafCounts {
    let mut counts = LeafCounts::default();
    values.iter().for_each(|value| counts.add(shape.leaf(*value)));
    counts
}

fn tree(shape: Shape, rho: &str) -> QuantileTree {
    QuantileTree::for_cost(shape, &bounds(1, 1), rho.parse().unwrap()).unwrap()
}

fn nodes(shape: &Shape) -> Vec<Node> {
    let (mut all, mut next) = (Vec::new(), 0);
    let mut parents = vec![Node::ROOT];
    while next < parents.len() {
        let children: Vec<Node> = shape.children(parents[next]).collect();
        all.extend(&children);
        parents.extend(children);
        next += 1;
    }
    all
}

/// Values of every kind: small ranges, large ones, the ends of the numbers.
fn random_shape(bits: &mut Seeded) -> Shape {
    let low = [0, -5, i64::MIN, -1_000_000, 7][bits.below(5) as usize];
    let most = [3, 40, 1_000, 1_000_000_000, u64::MAX / 2][bits.below(5) as usize];
    let span = 1 + bits.below(most);
    let high = i64::try_from((i128::from(low) + i128::from(span)).min(i64::MAX.into())).unwrap();
    Shape::new(low, high, 2 + bits.below(16) as u32, 1 + bits.below(5) as u32).unwrap()
}

#[test]
fn leaves_divide_the_range() {
    let mut bits = Seeded::new(1);
    for _ in 0..300 {
        let shape = random_shape(&mut bits);
        let leaves = [0, 1, 2, shape.leaves() / 2, shape.leaves() - 1].map(|leaf| leaf.min(shape.leaves() - 1));
        let width = |leaf| i128::from(shape.values_of(leaf).1) - i128::from(shape.values_of(leaf).0) + 1;
        for leaf in leaves {
            let (low, high) = shape.values_of(leaf);
            assert!(low <= high, "{shape:?}: leaf {leaf} is empty");
            assert_eq!((shape.leaf(low), shape.leaf(high)), (leaf, leaf), "{shape:?}");
            assert!(leaf == 0 || shape.values_of(leaf - 1).1 + 1 == low, "{shape:?}: a gap before {leaf}");
            assert!(width(leaf).abs_diff(width(0)) <= 1, "{shape:?}");
        }
        assert_eq!((shape.leaf(i64::MIN), shape.leaf(i64::MAX)), (0, shape.leaves() - 1));
        assert_eq!((shape.values_of(0).0, shape.values_of(shape.leaves() - 1).1), (shape.low(), shape.high()));
    }
    assert_eq!(Shape::usual(0, 9).unwrap().leaves(), 10);
    assert_eq!(Shape::usual(i64::MIN, i64::MAX).unwrap().leaves(), 65_536);
    assert_eq!((Shape::usual(0, 255).unwrap().height(), Shape::usual(0, 256).unwrap().height()), (2, 3));
}

#[test]
fn levels_divide_the_leaves() {
    let mut bits = Seeded::new(2);
    for _ in 0..60 {
        let low = bits.below(100) as i64;
        let shape = Shape::new(low, low + 1 + bits.below(900) as i64, 2 + bits.below(8) as u32, 1 + bits.below(5) as u32).unwrap();
        for level in 1..=shape.height() {
            let mut reached = 0;
            for node in nodes(&shape).into_iter().filter(|node| node.level == level) {
                let (from, to) = shape.leaves_of(node);
                assert!(from == reached && to > from, "{shape:?}: {node:?}");
                reached = to;
            }
            assert_eq!(reached, shape.leaves(), "{shape:?}: level {level}");
        }
        assert_eq!(nodes(&shape).into_iter().filter(|node| node.level == shape.height()).count(), shape.leaves() as usize);
    }
}

#[test]
fn what_makes_no_tree_is_refused() {
    for (low, high, branching, height) in [(1, 1, 16, 4), (2, 1, 16, 4), (0, 9, 1, 4), (0, 9, 257, 4), (0, 9, 16, 0), (i64::MIN, i64::MAX, 2, 32), (i64::MIN, i64::MAX, 16, 8)] {
        assert!(Shape::new(low, high, branching, height).is_err(), "{low}..{high}, {branching}^{height}");
    }
    assert!(Shape::new(i64::MIN, i64::MAX, 2, 31).is_ok());
    assert!(Quantile::from_millionths(1_000_001).is_err());
    assert!(QuantileTree::for_cost(Shape::usual(0, 9).unwrap(), &bounds(1, 1), Rho::ZERO).is_err());
    assert!(QuantileTree::for_cost(Shape::new(0, 99_999, 8, 5).unwrap(), &bounds(u32::MAX, u32::MAX), "1".parse().unwrap()).is_err());
}

/// The squared L2 norm of what a person's values change in all trees, added up node by node.
fn change(shape: &Shape, groups: &[Vec<i64>]) -> u128 {
    let of_group = |values: &Vec<i64>| {
        let mut by_node: BTreeMap<Node, u128> = BTreeMap::new();
        for value in values {
            let leaf = shape.leaf(*value);
            for node in nodes(shape).into_iter().filter(|node| (shape.leaves_of(*node).0..shape.leaves_of(*node).1).contains(&leaf)) {
                *by_node.entry(node).or_default() += 1;
            }
        }
        by_node.values().map(|n| n * n).sum::<u128>()
    };
    groups.iter().map(of_group).sum()
}

#[test]
fn nobody_changes_the_tree_by_more_than_its_sensitivity() {
    let mut bits = Seeded::new(3);
    for _ in 0..150 {
        let shape = Shape::new(0, 1 + bits.below(60) as i64, 2 + bits.below(5) as u32, 1 + bits.below(4) as u32).unwrap();
        let (c, k) = (1 + bits.below(4) as u32, 1 + bits.below(5) as u32);
        let m = 1 + bits.below(u64::from(c * k + 3));
        let (plain, capped) = (shape.sensitivity(&bounds(c, k)).unwrap(), shape.sensitivity(&bounds(c, k).with_rows_overall(u32::try_from(m).unwrap()).unwrap()).unwrap());
        assert!(capped <= plain);
        let mut left = m;
        let groups: Vec<Vec<i64>> = (0..c)
            .map(|_| {
                let rows = bits.below(u64::from(k) + 1).min(left);
                left -= rows;
                (0..rows).map(|_| bits.below(80) as i64 - 10).collect()
            })
            .collect();
        assert!(change(&shape, &groups) <= capped.get(), "{shape:?}, c = {c}, k = {k}, m = {m}: {groups:?}");
        // Both bounds are reached by equal values.
        let full: Vec<Vec<i64>> = (0..c).map(|_| vec![5; k as usize]).collect();
        assert_eq!(change(&shape, &full), plain.get());
        let mut left = m;
        let packed: Vec<Vec<i64>> = (0..c)
            .map(|_| {
                let rows = u64::from(k).min(left);
                left -= rows;
                vec![5; rows as usize]
            })
            .collect();
        assert_eq!(change(&shape, &packed), capped.get());
    }
    assert_eq!(Shape::usual(0, 99_999).unwrap().sensitivity(&bounds(3, 10)), L2Squared::of_vector(12, 10));
}

#[test]
fn without_noise_quantiles_are_those_of_the_values() {
    let mut bits = Seeded::new(4);
    for _ in 0..200 {
        let shape = random_shape(&mut bits);
        let span = u64::try_from(i128::from(shape.high()) - i128::from(shape.low())).unwrap();
        let mut values: Vec<i64> = (0..1 + bits.below(40)).map(|_| (i128::from(shape.low()) + i128::from(bits.below(span + 1))) as i64).collect();
        values.sort_unstable();
        let counts = counts(&shape, &values);
        let tree = tree(shape.clone(), "1");
        for q in [0, 1, 100_000, 250_000, 500_000, 777_777, 999_999, 1_000_000].map(quantile) {
            let found = tree.release(&counts, &[q], &Silence).unwrap()[0];
            // The values with #(<x) ≤ q·n ≤ #(≤x), as millionths; their leaves.
            let rank = u64::from(q.millionths()) * values.len() as u64;
            let lowest = values[usize::try_from(rank.saturating_sub(1) / 1_000_000).unwrap()];
            let highest = values[usize::try_from(rank / 1_000_000).unwrap().min(values.len() - 1)];
            let leaf = shape.leaf(found.value);
            // A double's rounding may move a rank that is between two values to either of them.
            assert!(shape.leaf(lowest) <= leaf && leaf <= shape.leaf(highest), "{shape:?} {values:?} {q:?}: {found:?}");
            assert!(found.low <= found.value && found.value <= found.high);
        }
    }
}

/// OpenDP reads quantiles off exact counts, in straight lines within a leaf; ours end on whole numbers.
#[test]
fn without_noise_quantiles_are_those_of_opendp() {
    use opendp::transformations::{Interpolation, make_quantiles_from_counts};
    let mut bits = Seeded::new(14);
    for _ in 0..30 {
        let shape = Shape::new(0, 4 + bits.below(400) as i64, 4, 3).unwrap();
        // Some values in every leaf: in empty ones lines differ.
        let mut values: Vec<i64> = (0..=shape.high()).collect();
        values.extend((0..bits.below(3_000)).map(|_| bits.below(shape.high() as u64 + 1) as i64));
        let exact = counts(&shape, &values);
        let edges: Vec<f64> = (0..shape.leaves()).map(|leaf| shape.values_of(leaf).0 as f64).chain([shape.high() as f64 + 1.0]).collect();
        let asked: Vec<u32> = (1..20).map(|i| i * 50_000).collect();
        let theirs = make_quantiles_from_counts::<f64, f64>(edges, asked.iter().map(|q| f64::from(*q) * 1e-6).collect(), Interpolation::Linear).unwrap();
        let theirs = theirs.eval(&exact.iter().map(|(_, count)| count as f64).collect()).unwrap();
        let ours = tree(shape.clone(), "1").release(&exact, &asked.into_iter().map(quantile).collect::<Vec<_>>(), &Silence).unwrap();
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!(ours.value as f64 <= theirs + 1e-6 && theirs <= ours.value as f64 + 1.0 + 1e-6, "{shape:?}: {ours:?}, {theirs}");
        }
    }
}

#[test]
fn one_leaf_per_value_gives_the_value_itself() {
    let shape = Shape::usual(0, 99).unwrap();
    let tree = tree(shape.clone(), "1");
    let values: Vec<i64> = (0..99).collect();
    let found = tree.release(&counts(&shape, &values), &[quantile(0), Quantile::MEDIAN, quantile(990_000), quantile(1_000_000)], &Silence).unwrap();
    assert_eq!(found.iter().map(|f| f.value).collect::<Vec<_>>(), [0, 49, 98, 98]);
}

#[test]
fn of_nobody_the_middle_is_given_and_the_range_says_nothing() {
    let shape = Shape::usual(100, 299).unwrap();
    let tree = tree(shape, "0.1");
    for q in [0, 500_000, 1_000_000].map(quantile) {
        let found = tree.release(&LeafCounts::default(), &[q], &Silence).unwrap()[0];
        assert_eq!((found.value, found.low, found.high), (200, 100, 299));
    }
}

#[test]
fn quantiles_of_one_release_never_cross() {
    let noise = SeededNoise::new(5);
    let mut bits = Seeded::new(6);
    for _ in 0..300 {
        let shape = random_shape(&mut bits);
        let n = bits.below(60);
        let values: Vec<i64> = (0..n).map(|_| (i128::from(shape.low()) + i128::from(bits.below(1_000))) as i64).collect();
        let asked: Vec<Quantile> = (0..=50).map(|i| quantile(i * 20_000)).collect();
        let found = tree(shape.clone(), "0.05").release(&counts(&shape, &values), &asked, &noise).unwrap();
        for (a, b) in found.iter().zip(found.iter().skip(1)) {
            assert!(a.value <= b.value, "{shape:?}: {a:?} and then {b:?}");
        }
        for f in &found {
            assert!(shape.low() <= f.low && f.low <= f.value && f.value <= f.high && f.high <= shape.high(), "{shape:?}: {f:?}");
        }
    }
}

/// Counts draws.
struct Counting(SeededNoise, Mutex<u64>);

impl Noise for Counting {
    fn discrete_gaussian(&self, variance: &Variance) -> Result<i128, NoiseError> {
        *self.1.lock().unwrap() += 1;
        self.0.discrete_gaussian(variance)
    }
}

#[test]
fn each_node_is_noised_once_and_most_never() {
    let shape = Shape::usual(0, 65_535).unwrap();
    let tree = tree(shape.clone(), "0.5");
    let values: Vec<i64> = (0..5_000).map(|i| i * 13).collect();
    let exact = counts(&shape, &values);
    let draws = |asked: &[Quantile]| {
        let noise = Counting(SeededNoise::new(7), Mutex::new(0));
        let found = tree.release(&exact, asked, &noise).unwrap();
        let drawn = *noise.1.lock().unwrap();
        (found, drawn)
    };
    let (once, few) = draws(&[Quantile::MEDIAN]);
    assert!(few <= 16 * (1 + 3 * 3), "{few} draws for one quantile");
    let (again, same) = draws(&[Quantile::MEDIAN; 20]);
    assert_eq!(few, same, "asking again draws again");
    assert!(again.iter().all(|found| *found == once[0]));
    let all: Vec<Quantile> = (0..=1_000_000).step_by(500).map(quantile).collect();
    let (_, many) = draws(&all);
    assert!(many <= nodes(&shape).len() as u64, "{many} draws are more than there are nodes");
}

/// A one for the draw of that number, and nothing for all others.
struct One(u64, Mutex<u64>);

impl Noise for One {
    fn discrete_gaussian(&self, _: &Variance) -> Result<i128, NoiseError> {
        let mut drawn = self.1.lock().unwrap();
        *drawn += 1;
        Ok(i128::from(*drawn == self.0))
    }
}

#[test]
fn tolerances_are_those_of_the_noise_in_them() {
    let mut bits = Seeded::new(15);
    let (mut corrected, mut plain) = (0.0, 0.0);
    for _ in 0..60 {
        let (branching, height) = (2 + bits.below(16) as u32, 2 + bits.below(3) as u32);
        // Some with families that are not full.
        let shape = Shape::new(0, 1 + bits.below(u64::from(branching).pow(height)) as i64, branching, height).unwrap();
        let (tree, q) = (tree(shape.clone(), "0.3"), quantile(bits.below(1_000_001) as u32));
        let path: Vec<usize> = (0..shape.height()).map(|_| bits.below(u64::from(branching)) as usize).collect();
        // By level, the places between nodes: their weight of each draw, by its square.
        let mut squares: Vec<Vec<f64>> = Vec::new();
        let mut tolerances: Vec<Vec<f64>> = Vec::new();
        for draw in 1..=u64::from(branching * height) {
            let noise = One(draw, Mutex::new(0));
            let mut seen = NoisyTree::new(&shape, &LeafCounts::default(), tree.variance(), &noise);
            let levels = std::cell::RefCell::new(Vec::new());
            let choose = |ends: &[estimate::End]| {
                levels.borrow_mut().push(ends.iter().map(|end| (end.above.powi(2), end.tolerance)).collect::<Vec<_>>());
                path[levels.borrow().len() - 1].min(ends.len())
            };
            estimate::search(&mut seen, q, tree.variance(), choose).unwrap();
            for (level, ends) in levels.into_inner().into_iter().enumerate() {
                if squares.len() <= level {
                    squares.push(vec![0.0; ends.len()]);
                    tolerances.push(ends.iter().map(|end| end.1).collect());
                }
                squares[level].iter_mut().zip(ends).for_each(|(sum, (square, _))| *sum += square);
            }
        }
        let mut before = 0;
        for (level, (squares, tolerances)) in squares.iter().zip(&tolerances).enumerate() {
            for (place, (square, said)) in squares.iter().zip(tolerances).enumerate() {
                let tolerance = estimate::tolerance(*square, shape.height(), tree.variance());
                assert!((tolerance - said).abs() <= 1e-9 * said, "{shape:?} {q:?} {path:?}, level {level}, place {place}: {tolerance} is not {said}");
                assert!(*said <= tree.rank_half_width_95(q) * (1.0 + 1e-9), "{shape:?} {q:?}: {said}");
                if level > 0 {
                    let top = path[0].min(squares.len()) as f64;
                    let part = f64::from(q.millionths()) * 1e-6;
                    corrected += square;
                    plain += top * (1.0 - part).powi(2) + (f64::from(branching) - top).max(0.0) * part.powi(2) + (before + place + 1) as f64;
                }
            }
            before += if level == 0 { 0 } else { path[level].min(squares.len()) };
        }
    }
    assert!(corrected < 0.6 * plain, "corrections leave {corrected} of {plain}");
}

#[test]
fn exact_numbers_stay_exact() {
    let shape = Shape::usual(0, 65_535).unwrap();
    let mut bits = Seeded::new(16);
    let values: Vec<i64> = (0..20_000).map(|_| ((bits.below(65_536) * bits.below(65_536)) >> 16) as i64).collect();
    let exact = counts(&shape, &values);
    let tree = tree(shape.clone(), "1");
    let mut seen = NoisyTree::new(&shape, &exact, tree.variance(), &Silence);
    let before = |leaf: u32| values.iter().filter(|value| shape.leaf(**value) < leaf).count() as f64;
    for q in [1, 250_000, 500_000, 990_000].map(quantile) {
        let rank = f64::from(q.millionths()) * 1e-6 * values.len() as f64;
        // Down to where the rank is reached, without any tolerance.
        let leaf = estimate::search(&mut seen, q, tree.variance(), |ends| ends.iter().position(|end| end.above >= 0.0).unwrap_or(ends.len())).unwrap();
        assert!(before(leaf) < rank && rank <= before(leaf + 1), "{q:?}: leaf {leaf}");
    }
}

/// A tree whose numbers were all drawn before anybody looked gives the same distribution.
#[test]
fn drawing_what_is_looked_at_is_like_drawing_everything() {
    let shape = Shape::new(0, 26, 3, 3).unwrap();
    let tree = tree(shape.clone(), "0.2");
    let exact = counts(&shape, &[3, 3, 4, 10, 11, 11, 12, 20, 25]);
    let asked = [quantile(250_000), quantile(800_000)];
    let shown = |found: &[QuantileEstimate]| found.iter().fold(0_i128, |all, f| all * 27 + i128::from(f.value));
    let (lazy, eager) = (SeededNoise::new(8), SeededNoise::new(9));
    let lazily = crate::testing::counts(40_000, || shown(&tree.release(&exact, &asked, &lazy).unwrap()));
    let eagerly = crate::testing::counts(40_000, || {
        let mut all = NoisyTree::new(&shape, &exact, tree.variance(), &eager);
        for parent in std::iter::once(Node::ROOT).chain(nodes(&shape)).filter(|node| node.level < 3) {
            all.family(parent).unwrap();
        }
        shown(&asked.map(|q| estimate::estimate(&mut all, q, tree.variance()).unwrap()))
    });
    assert_fits("lazy against eager", two_samples(&lazily, &eagerly));
}

#[test]
fn ranges_hold_the_quantile_19_times_out_of_20() {
    let noise = SeededNoise::new(10);
    let mut bits = Seeded::new(11);
    let shape = Shape::usual(0, 9_999).unwrap();
    let (mut runs, mut missed, mut widths) = (0_u32, 0_u32, 0.0);
    for round in 0..400 {
        let n = 500 + bits.below(3_000);
        // Even rounds: anything; odd rounds: near 100, and a few far away.
        let mut values: Vec<i64> = (0..n).map(|_| if round % 2 == 0 || bits.below(10) == 0 { bits.below(10_000) as i64 } else { 50 + bits.below(100) as i64 }).collect();
        values.sort_unstable();
        let tree = tree(shape.clone(), "0.1");
        for q in [50_000, 500_000, 900_000].map(quantile) {
            let found = tree.release(&counts(&shape, &values), &[q], &noise).unwrap()[0];
            let rank = (f64::from(q.millionths()) * 1e-6 * n as f64) as usize;
            let truth = values[rank];
            missed += u32::from(truth < found.low || truth > found.high);
            let reached = |x: i64| values.partition_point(|v| *v < x) as f64;
            // From rank to rank; both ends are one leaf wide at most.
            widths += (reached(found.high) - reached(found.low)) / 2.0 / tree.rank_half_width_95(q);
            runs += 1;
        }
    }
    assert!(f64::from(missed) <= 0.05 * f64::from(runs), "{missed} of {runs} ranges miss");
    let relative = widths / f64::from(runs);
    assert!((0.3..1.1).contains(&relative), "ranges are {relative} times as wide as was said");
}

#[test]
fn noise_of_any_size_breaks_nothing() {
    let shape = Shape::usual(i64::MIN, i64::MAX).unwrap();
    for (rho, rows) in [(1, 1_u32 << 31), (1, 1), (u64::MAX, 1)] {
        let tree = QuantileTree::for_cost(shape.clone(), &bounds(1_000, rows), Rho::from_nano(rho)).unwrap();
        let mut exact = LeafCounts::default();
        exact.add(0);
        exact.merge(&exact.clone());
        exact.add(u32::MAX);
        for found in tree.release(&exact, &[quantile(0), Quantile::MEDIAN, quantile(1_000_000)], &SeededNoise::new(12)).unwrap() {
            assert!(found.low <= found.value && found.value <= found.high);
        }
        assert!(tree.rank_half_width_95(Quantile::MEDIAN).is_finite());
    }
}

#[test]
fn thinning_keeps_the_spread_and_forgets_the_order() {
    let mut bits = Seeded::new(13);
    for _ in 0..500 {
        let (n, most) = (bits.below(60), 1 + bits.below(20) as u32);
        let values: Vec<i64> = (0..n).map(|_| bits.below(50) as i64).collect();
        let mut kept = values.clone();
        thin(&mut kept, most);
        assert_eq!(kept.len(), values.len().min(most as usize), "{values:?} to {most}");
        let mut shuffled = values.clone();
        shuffled.reverse();
        thin(&mut shuffled, most);
        kept.sort_unstable();
        shuffled.sort_unstable();
        assert_eq!(kept, shuffled);
    }
    let mut hundred: Vec<i64> = (0..100).collect();
    thin(&mut hundred, 4);
    assert_eq!(hundred, [12, 37, 62, 87]);
    let mut three = vec![9, 1, 5];
    thin(&mut three, 1);
    assert_eq!(three, [5]);
    thin(&mut three, 0);
    assert!(three.is_empty());
}

#[test]
fn parts_add_up_in_any_order() {
    let shape = Shape::usual(0, 999).unwrap();
    let (a, b) = (counts(&shape, &[1, 2, 2, 900]), counts(&shape, &[2, 5, 900, 999]));
    let merged = |first: &LeafCounts, second: &LeafCounts| {
        let mut all = first.clone();
        all.merge(second);
        all
    };
    assert!(merged(&a, &b) == merged(&b, &a) && merged(&a, &b) == counts(&shape, &[1, 2, 2, 2, 5, 900, 900, 999]));
    assert_eq!(a.iter().collect::<Vec<_>>(), [(1, 1), (2, 2), (900, 1)]);
}

/// One person's ten equal values among others: all that a tree shows of them is on one path.
#[test]
fn a_tree_spends_what_it_says() {
    let shape = Shape::new(0, 59_999, 2, 4).unwrap();
    let tree = QuantileTree::for_cost(shape.clone(), &bounds(1, 10), "0.5".parse().unwrap()).unwrap();
    let others: Vec<i64> = (0..50).map(|i| i * 1_000).collect();
    let without = counts(&shape, &others);
    let mut with = without.clone();
    (0..10).for_each(|_| with.add(shape.leaf(30_303)));
    assert_spends("a quantile tree", 0.5, 20, |noise| {
        let path = |exact: &LeafCounts| {
            let mut seen = NoisyTree::new(&shape, exact, tree.variance(), noise);
            let mut node = Node::ROOT;
            let mut sum = 0;
            while node.level < shape.height() {
                let place = shape.children(node).position(|child| (shape.leaves_of(child).0..shape.leaves_of(child).1).contains(&shape.leaf(30_303))).unwrap();
                sum += seen.family(node).unwrap()[place];
                node = shape.children(node).nth(place).unwrap();
            }
            sum as f64
        };
        certified_rho(160_000, || path(&with), || path(&without))
    });
}
