//! Lines that differ only inside their strings. Nearly every like, repost or follow is as long as others of
//! its kind, with everything at the same place: it is compared with what such a line may hold, all bytes at
//! once, and not parsed.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use super::event::{Commit, Event, Operation, Record};
use super::pointed::Pointed;

/// Shapes that are remembered.
const SHAPES: usize = 64;

/// Lines of as many bytes and of another shape before one is forgotten.
const PATIENCE: u8 = 8;

/// What a string may hold here: no mark, no escape, nothing that is not ASCII.
const LETTERS: RangeInclusive<u8> = b'#'..=b'~';

/// The shapes of lines that came lately, by length.
pub(super) struct Shapes(Vec<Option<Shape>>);

impl Default for Shapes {
    fn default() -> Self {
        Self((0..SHAPES).map(|_| None).collect())
    }
}

impl Shapes {
    /// The event of a line that is like an earlier one.
    #[inline]
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Option<Event<'a>> {
        let shape = self.0.get_mut(line.len() % SHAPES)?.as_mut()?;
        if !shape.fits(line.as_bytes()) {
            return None;
        }
        shape.patience = PATIENCE;
        shape.event(line)
    }

    /// Remembers the shape of a line that was parsed.
    pub(super) fn learn(&mut self, line: &str, event: &Event<'_>) {
        match self.0.get_mut(line.len() % SHAPES) {
            Some(Some(shape)) if shape.patience > 0 => shape.patience -= 1,
            Some(slot) => *slot = Shape::of(line, event).or(slot.take()),
            None => {}
        }
    }
}

/// What a line may hold, byte by byte, and where that lies which is read of it.
struct Shape {
    /// The lowest byte that may be at a place.
    lowest: Vec<u8>,
    /// How many of those above it may.
    more: Vec<u8>,
    patience: u8,
    did: Range<usize>,
    time_us: Option<Range<usize>>,
    operation: Operation,
    collection: Range<usize>,
    rkey: Range<usize>,
    record: Option<Shown>,
}

/// Where a record says when it was made, and what it is about.
struct Shown {
    created_at: Option<Range<usize>>,
    subject: Option<Range<usize>>,
}

impl Shape {
    /// The shape of a line of which no more is read than there is room for here.
    ///
    /// # Guarantee
    /// The parser reads a line that fits as it read this one, with other strings and another time at the same
    /// places: what is outside of strings is the same, names and what they decide as well.
    fn of(line: &str, event: &Event<'_>) -> Option<Self> {
        let Event { did, time_us, commit: Some(Commit { operation, collection, rkey, record }), identity: None, account: None } = event else { return None };
        let record = match record {
            None => None,
            Some(Record { created_at, text: None, langs: None, tags: None, subject: subject @ (None | Some(Pointed(Some(_)))), reply: None, facets: None, embed: None }) => {
                Some((created_at, subject))
            }
            Some(_) => return None,
        };
        // Without escapes, what is outside of strings and what is inside take turns between marks.
        if line.contains('\\') {
            return None;
        }
        let parts: Vec<&str> = line.split('"').collect();
        let (mut lowest, mut more) = (line.as_bytes().to_vec(), vec![0; line.len()]);
        let mut allow = |places: Range<usize>, bytes: RangeInclusive<u8>| {
            lowest.get_mut(places.clone())?.fill(*bytes.start());
            more.get_mut(places)?.fill(bytes.end() - bytes.start());
            Some(())
        };
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| at % 2 == 1) {
            let is_name = parts.get(at + 1)?.trim_start().starts_with(':');
            let decides = at.checked_sub(2).and_then(|name| parts.get(name)).is_some_and(|name| matches!(*name, "operation" | "collection"));
            if !is_name && !decides {
                allow(place(line, part)?, LETTERS)?;
            }
        }
        let time_us = match time_us {
            None => None,
            Some(_) => {
                let mut after = parts.iter().zip(parts.get(1..)?).filter(|(name, _)| **name == "time_us").map(|(_, after)| after);
                let (Some(value), None) = (after.next().and_then(|after| after.strip_prefix(':')), after.next()) else { return None };
                let digits = value.get(..value.bytes().take_while(u8::is_ascii_digit).count())?;
                let places = place(line, digits)?;
                if digits.starts_with('0') || !value.get(digits.len()..)?.starts_with([',', '}']) {
                    return None;
                }
                allow(places.start..places.start + 1, b'1'..=b'9')?;
                allow(places.start + 1..places.end, b'0'..=b'9')?;
                Some(places)
            }
        };
        let of = |part: Option<&str>| part.map_or(Some(None), |part| place(line, part).map(Some));
        let record = match record {
            None => None,
            Some((created_at, subject)) => Some(Shown { created_at: of(created_at.as_deref())?, subject: of(subject.as_ref().and_then(|subject| subject.0.as_deref()))? }),
        };
        let (did, collection, rkey) = (place(line, did)?, place(line, collection)?, place(line, rkey)?);
        Some(Self { lowest, more, patience: PATIENCE, did, time_us, operation: *operation, collection, rkey, record })
    }

    /// Whether a line is of this shape.
    #[inline]
    fn fits(&self, line: &[u8]) -> bool {
        let Self { lowest, more, .. } = self;
        // Looks at all bytes, which is faster than to stop at one.
        let differs = |(byte, (lowest, more)): (&u8, (&u8, &u8))| byte.wrapping_sub(*lowest).saturating_sub(*more) | u8::from(*byte == b'\\');
        line.len() == lowest.len() && line.iter().zip(lowest.iter().zip(more)).map(differs).fold(0, |all, one| all | one) == 0
    }

    /// What a line says that is of this shape.
    #[inline]
    fn event<'a>(&self, line: &'a str) -> Option<Event<'a>> {
        let text = |places: &Range<usize>| line.get(places.clone()).map(Cow::Borrowed);
        let record = match &self.record {
            None => None,
            Some(Shown { created_at, subject }) => {
                let part = |places: &Option<Range<usize>>| places.as_ref().map_or(Some(None), |places| text(places).map(Some));
                Some(Record { created_at: part(created_at)?, subject: part(subject)?.map(|subject| Pointed(Some(subject))), ..Record::default() })
            }
        };
        let time_us = match &self.time_us {
            None => None,
            Some(places) => Some(line.get(places.clone())?.parse().ok()?),
        };
        let commit = Commit { operation: self.operation, collection: text(&self.collection)?, rkey: text(&self.rkey)?, record };
        Some(Event { did: text(&self.did)?, time_us, commit: Some(commit), identity: None, account: None })
    }
}

/// Where in a line a part of it lies.
fn place(line: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
    let places = start..start.checked_add(part.len())?;
    (line.get(places.clone()) == Some(part)).then_some(places)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use testkit::{Generator, env_seed};

    use super::super::tests::{alter, told};
    use super::*;

    const LIKE: &str = r#"{"did":"did:plc:aaaa","time_us":1735689600000000,"kind":"commit","commit":{"rev":"3l2","operation":"create","collection":"app.bsky.feed.like","rkey":"3lp","record":{"$type":"app.bsky.feed.like","createdAt":"2025-01-01T00:00:00.000Z","subject":{"cid":"bafy","uri":"at://x"}},"cid":"bafyq"}}"#;
    const LINES: [&str; 5] = [
        LIKE,
        r#"{"did":"did:plc:aaaa","time_us":1735689600000000,"kind":"commit","commit":{"rev":"3l2","operation":"delete","collection":"app.bsky.feed.like","rkey":"3lp"}}"#,
        r#"{ "time_us":12, "did" : "did:plc:b", "other" : {"did":"x","n":[1,{"operation":"y"}],"createdAt" : "z"}, "commit": {"collection" :"c","rkey":"","operation":"update","record":{"other":{"createdAt":"2024"}}} }"#,
        r#"{"commit":{"operation":"create","collection":"app.bsky.graph.follow","rkey":"3","record":{"createdAt":"2025","subject":"did:plc:c"}},"did":"d"}"#,
        r#"{"did":"did:plc:a","time_us":0,"a":{"time_us":12},"commit":{"operation":"create","collection":"c","rkey":"3","record":{"createdAt":null}}}"#,
    ];

    fn learned(lines: &[&str]) -> Shapes {
        let mut shapes = Shapes::default();
        lines.iter().for_each(|line| shapes.learn(line, &sonic_rs::from_str(line).unwrap()));
        shapes
    }

    #[test]
    fn a_line_of_a_shape_is_read_as_the_parser_reads_it() {
        let seed = env_seed(22);
        eprintln!("seed {seed}");
        let mut rng = Generator::new(seed).0;
        let mut shapes = learned(&LINES);
        let mut read = 0;
        for round in 0..200_000 {
            let original = LINES[rng.random_range(0..LINES.len())];
            let mut line = original.as_bytes().to_vec();
            // Half of the time letters and digits by others; else anything, which nearly never fits.
            let plain = round % 2 == 0;
            for _ in 0..rng.random_range(0..if plain { 3 } else { 8 }) {
                let at = rng.random_range(0..line.len());
                if !plain || line[at].is_ascii_alphanumeric() {
                    line[at] = *b"abz019TZ:._-~#![{}],\"\\ ".get(rng.random_range(0..if plain { 8 } else { 23 })).unwrap();
                }
            }
            (0..if plain { 0 } else { round % 3 }).for_each(|_| alter(&mut line, &mut rng));
            let Ok(text) = std::str::from_utf8(&line) else { continue };
            match (shapes.read(text), sonic_rs::from_str::<Event<'_>>(text)) {
                (Some(event), parsed) => {
                    read += u32::from(text != original);
                    assert_eq!(told(&event), told(&parsed.unwrap_or_else(|e| panic!("{e}: {text}"))), "{text}");
                }
                (None, Ok(event)) => shapes.learn(text, &event),
                (None, Err(_)) => {}
            }
        }
        assert!(read > 5_000, "{read} altered lines were read by their shape");
    }

    #[test]
    fn what_decides_how_a_line_is_read_is_part_of_its_shape() {
        let mut shapes = learned(&[LIKE]);
        assert!(shapes.read(&LIKE.replace("aaaa", "bbbb").replace("1735", "9999").replace("at://x", "ab://y")).is_some());
        for (from, to) in [
            ("create", "update"),
            ("feed.like\",\"rkey", "feed.post\",\"rkey"),
            ("createdAt", "createdat"),
            ("1735", "0735"),
            ("aaaa", "aa\\n"),
            ("aaaa", "aa\"a"),
            ("bafyq", "baf\u{e9}"),
        ] {
            let line = LIKE.replace(from, to);
            assert_eq!(line.len(), LIKE.len());
            assert!(shapes.read(&line).is_none(), "{line}");
        }
    }

    #[test]
    fn lines_of_another_shape_take_its_place_in_the_end() {
        let other = LIKE.replace("create\"", "update\"");
        let event = sonic_rs::from_str(&other).unwrap();
        let mut shapes = learned(&[LIKE]);
        for _ in 0..=PATIENCE {
            assert!(shapes.read(&other).is_none());
            shapes.learn(&other, &event);
        }
        assert!(shapes.read(&other).is_some() && shapes.read(LIKE).is_none());
    }
}
