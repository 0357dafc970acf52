//! Features of a text: its language, hashtags, first link and length.
//!
//! # Guarantee
//! Functions of one text and of constants of this version only: nothing is learnt from the people in
//! the lake, so that nobody's features depend on anybody else.

use domain::port::FeatureExtractor;
use domain::record::Features;
use whatlang::Lang;

use crate::normalize;

/// Letters that a text needs for its language to be told.
const LETTERS: usize = 24;

/// Characters that are read to tell it.
const READ: usize = 2_000;

/// Features of texts by public rules: version 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextFeatures;

impl FeatureExtractor for TextFeatures {
    fn version(&self) -> u32 {
        1
    }

    fn extract(&self, text: &str, said_language: Option<&str>) -> Features {
        Features {
            language: said_language.map_or_else(|| language(text), |_| None).map(str::to_owned),
            tags: normalize::tags(hashtags(text)),
            link_domain: text.split_whitespace().filter_map(link).find_map(normalize::host),
            word_count: normalize::word_count(Some(text)),
        }
    }
}

/// The language of a text, when there is enough of it and the verdict is reliable.
fn language(text: &str) -> Option<&'static str> {
    // Addresses, names and hashtags are of no language.
    let words: Vec<&str> = text.split_whitespace().filter(|word| link(word).is_none() && !word.starts_with(['#', '@'])).collect();
    let prose: String = words.join(" ").chars().take(READ).collect();
    if prose.chars().filter(|c| c.is_alphabetic()).count() < LETTERS {
        return None;
    }
    whatlang::detect(&prose).filter(whatlang::Info::is_reliable).map(|info| tag(info.lang()))
}

/// A word's web address, without brackets or the like before it.
fn link(word: &str) -> Option<&str> {
    let begin = word.find("https://").or_else(|| word.find("http://"))?;
    word.get(begin..)
}

/// What follows a `#` at the beginning of a word, if it has a letter in it.
fn hashtags(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices('#').filter_map(move |(at, _)| {
        // Not the place in a page of an address, nor a colour or the end of a word.
        let before = text.get(..at)?.chars().next_back();
        let rest = text.get(at + 1..)?;
        let tag = rest.get(..rest.find(|c| !inside(c)).unwrap_or(rest.len()))?;
        let begins = before.is_none_or(|c| !inside(c) && !"/#&?=".contains(c));
        (begins && tag.chars().any(char::is_alphabetic)).then_some(tag)
    })
}

/// BCP 47: two letters where there are two.
const fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        Lang::Cym => "cy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(text: &str) -> Features {
        TextFeatures.extract(text, None)
    }

    #[test]
    fn languages_are_told_when_there_is_enough_to_read() {
        for (text, expected) in [
            ("The harbour was closed this morning because of the storm, and everybody waited.", Some("en")),
            ("Der Hafen war heute Morgen wegen des Sturms geschlossen, und alle warteten.", Some("de")),
            ("Сегодня утром порт был закрыт из-за сильного шторма, и все жители города долго ждали, когда он откроется снова.", Some("ru")),
            ("ok", None),
            ("#hashtag #another @somebody https://example.org/die/lange/adresse/der/seite", None),
            ("", None),
        ] {
            assert_eq!(features(text).language.as_deref(), expected, "{text}");
        }
        assert_eq!(TextFeatures.extract("Der Hafen war heute Morgen wegen des Sturms geschlossen.", Some("nds")).language, None, "the source knows better");
    }

    #[test]
    fn hashtags_are_words_after_a_sign() {
        for (text, expected) in [
            ("#Harbour and (#storm), #Ärger!", vec!["harbour", "storm", "ärger"]),
            ("#1 of #2026 #covid19", vec!["covid19"]),
            ("a#b ##c https://example.org/#place &#39;", vec![]),
            ("#two_words#joined", vec!["two_words"]),
            ("#", vec![]),
        ] {
            let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            expected.sort();
            assert_eq!(features(text).tags, expected, "{text}");
        }
    }

    #[test]
    fn the_first_link_counts() {
        for (text, expected) in [
            ("see (https://News.Example/a) and https://other.example", Some("news.example")),
            ("https:// then http://b.example?x", Some("b.example")),
            ("ftp://a.example and www.b.example", None),
        ] {
            assert_eq!(features(text).link_domain.as_deref(), expected, "{text}");
        }
    }

    /// Whatever people write, nothing breaks, and nothing is longer than the model allows.
    #[test]
    fn every_text_has_features() {
        let signs: Vec<char> = "#@/:.?&=_ \n\u{0}aZé字🦀\u{202e}\u{301}1-".chars().collect();
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let text: String = (0..24)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    signs[usize::try_from(state >> 33).unwrap() % signs.len()]
                })
                .collect();
            let features = features(&format!("https://{text}#{text}"));
            assert!(features.tags.iter().all(|t| !t.is_empty() && t.chars().count() <= crate::limits::TAG_CHARS), "{text:?}");
        }
        assert_eq!(features(&"#a ".repeat(1_000)).tags, ["a"]);
        assert!(features(&"#".repeat(60_000)).tags.is_empty());
    }

    #[test]
    fn words_are_counted() {
        assert_eq!(features(" two\n words ").word_count, Some(2));
    }
}
