//! Reading a rule pack, and saying precisely what is wrong with one.

use super::{Grounds, Outcome, Residence, Rule, RulePack};
use crate::Purpose;
use crate::refusal::{Refusal, RefusalCode};

/// The layout that this version reads.
const SCHEMA: u32 = 1;

const HINT: &str = "docs/rule-packs.md describes the layout; `fairshare rule-pack show eu-gdpr` prints one that is whole";

/// Reads one pack from its text.
///
/// # Errors
/// [`RefusalCode::PackText`] for what is not TOML or has an unknown field, word or outcome;
/// [`RefusalCode::PackGrounds`] for a rule without source or certainty, or a pack without review date;
/// [`RefusalCode::PackRule`] for a rule that contradicts itself; [`RefusalCode::PackRegion`] for an unknown region.
/// The message names the pack, the rule and the line, as far as there are any.
pub fn parse(text: &str) -> Result<RulePack, Refusal> {
    let source = Source(text);
    let table: toml::Table = toml::from_str(text).map_err(|e| source.unreadable(&e))?;
    // First of all, for another layout has other fields.
    match table.get("schema").and_then(toml::Value::as_integer) {
        Some(schema) if schema == i64::from(SCHEMA) => {}
        Some(schema) => return Err(source.refusal(RefusalCode::PackText, None, &format!("schema {schema} is not known; this version reads schema {SCHEMA}"))),
        None => return Err(source.refusal(RefusalCode::PackText, None, &format!("it does not begin with its layout, schema = {SCHEMA}"))),
    }
    let pack: RulePack = toml::from_str(text).map_err(|e| source.unreadable(&e))?;
    source.check(&pack)?;
    Ok(pack)
}

/// A pack's text, to find the place of what is wrong with it.
#[derive(Clone, Copy)]
struct Source<'t>(&'t str);

/// A place: the table and the id of a rule, and a line, counted from 1.
struct At<'t> {
    rule: Option<(&'t str, &'t str)>,
    line: usize,
}

impl<'t> Source<'t> {
    fn lines(self) -> impl Iterator<Item = (usize, &'t str)> {
        (1..).zip(self.0.lines())
    }

    /// What a line says of `key`, without quotes.
    fn value(line: &'t str, key: &str) -> Option<&'t str> {
        let rest = line.trim_start().strip_prefix(key)?.trim_start().strip_prefix('=')?;
        rest.trim_start().strip_prefix('"')?.split('"').next()
    }

    fn header(line: &'t str) -> Option<&'t str> {
        line.trim_start().strip_prefix("[[")?.split(']').next()
    }

    /// The rules, as kind, id and first line.
    fn rules(self) -> Vec<(&'t str, Option<&'t str>, usize)> {
        let mut rules = Vec::new();
        for (number, line) in self.lines() {
            if let Some(kind) = Self::header(line) {
                rules.push((kind, None, number));
            } else if let (Some(id), Some((_, slot @ None, _))) = (Self::value(line, "id"), rules.last_mut()) {
                *slot = Some(id);
            }
        }
        rules
    }

    fn rule(self, kind: &str, id: &str) -> Option<At<'t>> {
        // Of several the last: the one too many.
        let rules = self.rules();
        let (kind, id, line) = *rules.iter().rev().find(|(k, i, _)| *k == kind && *i == Some(id))?;
        Some(At { rule: Some((kind, id?)), line })
    }

    fn containing(self, text: &str) -> Option<At<'t>> {
        self.lines().find(|(_, line)| line.contains(text)).map(|(number, _)| self.at_line(number))
    }

    fn at_line(self, line: usize) -> At<'t> {
        let rule = self.rules().into_iter().rev().find(|(_, _, first)| *first <= line).and_then(|(kind, id, _)| Some((kind, id?)));
        At { rule, line }
    }

    fn refusal(self, code: RefusalCode, at: Option<At<'_>>, what: &str) -> Refusal {
        let id = self.lines().take_while(|(_, line)| Self::header(line).is_none()).find_map(|(_, line)| Self::value(line, "id"));
        let mut place = id.map_or_else(|| "the rule pack".to_owned(), |id| format!("rule pack {id}"));
        if let Some(At { rule, line }) = at {
            if let Some((kind, id)) = rule {
                place = format!("{place}, {kind} rule `{id}`");
            }
            place = format!("{place}, line {line}");
        }
        Refusal::new(code, format!("{place}: {what}")).hint(HINT)
    }

    fn unreadable(self, error: &toml::de::Error) -> Refusal {
        let line = error.span().and_then(|span| self.0.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        let message = error.message();
        let lacks = |field: &str| message.contains(&format!("missing field `{field}`"));
        // A rule without grounds is told as such: it is what matters most about a rule.
        let code = if ["grounds", "source", "certainty", "reviewed"].into_iter().any(lacks) { RefusalCode::PackGrounds } else { RefusalCode::PackText };
        self.refusal(code, line.map(|line| self.at_line(line)), message)
    }

    fn check(self, pack: &RulePack) -> Result<(), Refusal> {
        self.check_head(pack)?;
        let mut seen = std::collections::BTreeSet::new();
        for (kind, id, Grounds { source, .. }) in pack.rules() {
            let no = |code, what: &str| Err(self.refusal(code, self.rule(kind, id), what));
            if source.trim().is_empty() {
                return no(RefusalCode::PackGrounds, "it names no source");
            }
            if id.is_empty() || !id.chars().all(|c| is_plain(c) || c == '_') {
                return no(RefusalCode::PackRule, "an id has lower-case letters, digits, hyphens and underscores");
            }
            if !seen.insert((kind, id)) {
                return no(RefusalCode::PackRule, "two rules of one kind have this id");
            }
        }
        for rule in &pack.consent {
            self.check_uses(rule, &rule.purposes)?;
            self.check_outcome(rule, rule.outcome)?;
        }
        for rule in &pack.prohibition {
            self.check_uses(rule, &rule.purposes)?;
        }
        for rule in &pack.signal {
            self.check_uses(rule, &rule.purposes)?;
        }
        for rule in &pack.sensitive {
            self.check_outcome(rule, rule.outcome)?;
        }
        for rule in &pack.age {
            if rule.parental_below.is_none() && rule.opt_in_below.is_none() && rule.parental_below_in.is_empty() {
                return self.contradiction(rule, "it names no age");
            }
            if rule.two_step && rule.opt_in_below.is_none() {
                return self.contradiction(rule, "it asks for a yes to be confirmed and names no age below which (opt_in_below)");
            }
        }
        for rule in &pack.validity {
            if [rule.term, rule.quiet].into_iter().flatten().any(|term| term.n == 0) {
                return self.contradiction(rule, "a term of 0 is none");
            }
        }
        Ok(())
    }

    fn check_head(self, pack: &RulePack) -> Result<(), Refusal> {
        if pack.id.is_empty() || pack.id.len() > 64 || !pack.id.chars().all(is_plain) {
            return Err(self.refusal(RefusalCode::PackText, self.containing("id"), "an id has 1 to 64 lower-case letters, digits and hyphens"));
        }
        if pack.version == 0 {
            return Err(self.refusal(RefusalCode::PackText, self.containing("version"), "versions begin at 1"));
        }
        for region in pack.regions.iter().chain(pack.age.iter().flat_map(|rule| rule.parental_below_in.keys())) {
            if !Residence::is_region(region) {
                let what = format!("`{region}` is not a region: EU, EEA, a country as DE or a state as US-CA");
                return Err(self.refusal(RefusalCode::PackRegion, self.containing(region), &what));
            }
        }
        if pack.regions.is_empty() && !pack.fallback && !pack.is_abstract {
            return Err(self.refusal(RefusalCode::PackRegion, None, "it concerns nobody: name regions, or say fallback = true or abstract = true"));
        }
        Ok(())
    }

    fn check_uses<R: Rule>(self, rule: &R, purposes: &[Purpose]) -> Result<(), Refusal> {
        if purposes.is_empty() { self.contradiction(rule, "it names no purpose") } else { Ok(()) }
    }

    fn check_outcome<R: Rule>(self, rule: &R, outcome: Outcome) -> Result<(), Refusal> {
        if outcome == Outcome::Prohibit { self.contradiction(rule, "it forbids: that is a rule of the kind prohibition") } else { Ok(()) }
    }

    fn contradiction<R: Rule>(self, rule: &R, what: &str) -> Result<(), Refusal> {
        Err(self.refusal(RefusalCode::PackRule, self.rule(R::KIND, rule.id()), what))
    }
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::super::Law;
    use super::*;

    const HEAD: &str = "schema = 1\nid = \"zz\"\nversion = 1\ntitle = \"Law of Z\"\nregions = [\"DE\"]\nreviewed = 2026-11-24\n";
    const GROUNDS: &str = "grounds = { source = \"Z 1\", certainty = \"high\" }\n";

    fn sale(rest: &str) -> String {
        format!("{HEAD}\n[[consent]]\nid = \"sale\"\n{rest}")
    }

    fn refused(text: &str, code: RefusalCode, message: &str) {
        let refusal = parse(text).expect_err(text);
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
        assert!(refusal.hint.is_some());
    }

    /// What begins like this.
    fn refused_with(text: &str, code: RefusalCode, begin: &str) {
        let refusal = parse(text).expect_err(text);
        assert_eq!(refusal.code, code, "{refusal}");
        assert!(refusal.message.starts_with(begin), "{}", refusal.message);
    }

    #[test]
    fn a_pack_that_is_whole_is_read() {
        let text = sale(&format!("purposes = [\"sale_or_sharing\"]\noutcome = \"opt_in\"\n{GROUNDS}"));
        assert_eq!(parse(&text).unwrap().consent.len(), 1);
        assert_eq!(parse(HEAD).unwrap().rules(), []);
    }

    #[test]
    fn what_is_no_pack() {
        refused_with("id = ", RefusalCode::PackText, "the rule pack, line 1: ");
        refused("id = \"zz\"", RefusalCode::PackText, "rule pack zz: it does not begin with its layout, schema = 1");
        refused(&HEAD.replace("schema = 1", "schema = 2"), RefusalCode::PackText, "rule pack zz: schema 2 is not known; this version reads schema 1");
        // Whatever else another layout has.
        refused(&format!("{}colour = 3\n", HEAD.replace("schema = 1", "schema = 2")), RefusalCode::PackText, "rule pack zz: schema 2 is not known; this version reads schema 1");
        refused(&HEAD.replace("version = 1", "version = 0"), RefusalCode::PackText, "rule pack zz, line 3: versions begin at 1");
        refused(&HEAD.replace("zz", "Zz!"), RefusalCode::PackText, "rule pack Zz!, line 2: an id has 1 to 64 lower-case letters, digits and hyphens");
        refused_with(&HEAD.replace("2026-11-24", "\"yesterday\""), RefusalCode::PackText, "rule pack zz, line 6: `yesterday` is not a day");
    }

    #[test]
    fn unknown_words() {
        let at = "rule pack zz, consent rule `sale`, line ";
        refused_with(&sale(&format!("purposes = [\"sale_or_sharing\"]\noutcome = \"opt-in\"\n{GROUNDS}")), RefusalCode::PackText, &format!("{at}11: unknown variant `opt-in`"));
        refused_with(&sale(&format!("purposes = [\"sales\"]\noutcome = \"opt_in\"\n{GROUNDS}")), RefusalCode::PackText, &format!("{at}10: unknown variant `sales`"));
        refused_with(
            &sale(&format!("colour = 3\npurposes = [\"sale_or_sharing\"]\noutcome = \"opt_in\"\n{GROUNDS}")),
            RefusalCode::PackText,
            &format!("{at}10: unknown field `colour`"),
        );
        refused_with(&format!("colour = 3\n{HEAD}"), RefusalCode::PackText, "rule pack zz, line 1: unknown field `colour`");
        refused_with(&format!("{HEAD}\n[[consents]]\nid = \"sale\""), RefusalCode::PackText, "rule pack zz, consents rule `sale`, line 8: unknown field `consents`");
        let certainty = GROUNDS.replace("high", "sure");
        refused_with(&sale(&format!("purposes = [\"sale_or_sharing\"]\noutcome = \"opt_in\"\n{certainty}")), RefusalCode::PackText, &format!("{at}12: unknown variant `sure`"));
    }

    #[test]
    fn rules_without_grounds() {
        let rule = "purposes = [\"sale_or_sharing\"]\noutcome = \"opt_in\"\n";
        let at = "rule pack zz, consent rule `sale`, line ";
        refused(&sale(rule), RefusalCode::PackGrounds, &format!("{at}8: missing field `grounds`"));
        refused(&sale(&format!("{rule}grounds = {{ certainty = \"high\" }}")), RefusalCode::PackGrounds, &format!("{at}12: missing field `source`"));
        refused(&sale(&format!("{rule}grounds = {{ source = \"Z 1\" }}")), RefusalCode::PackGrounds, &format!("{at}12: missing field `certainty`"));
        refused(&sale(&format!("{rule}[consent.grounds]\nsource = \"Z 1\"")), RefusalCode::PackGrounds, &format!("{at}12: missing field `certainty`"));
        refused(&sale(&format!("{rule}{}", GROUNDS.replace("Z 1", " "))), RefusalCode::PackGrounds, &format!("{at}8: it names no source"));
        refused_with(&HEAD.replace("reviewed = 2026-11-24\n", ""), RefusalCode::PackGrounds, "rule pack zz, line 1: missing field `reviewed`");
    }

    #[test]
    fn rules_that_contradict_themselves() {
        let at = |kind: &str, id: &str, line: usize| format!("rule pack zz, {kind} rule `{id}`, line {line}");
        let one = |kind: &str, rest: &str| format!("{HEAD}\n[[{kind}]]\nid = \"sale\"\n{rest}{GROUNDS}");
        let no = |text: &str, place: String, what: &str| refused(text, RefusalCode::PackRule, &format!("{place}: {what}"));
        no(&one("consent", "purposes = []\noutcome = \"opt_in\"\n"), at("consent", "sale", 8), "it names no purpose");
        no(&one("prohibition", "purposes = []\nrule = \"no\"\n"), at("prohibition", "sale", 8), "it names no purpose");
        no(&one("signal", "purposes = []\n"), at("signal", "sale", 8), "it names no purpose");
        no(&one("consent", "purposes = [\"ai_training\"]\noutcome = \"prohibit\"\n"), at("consent", "sale", 8), "it forbids: that is a rule of the kind prohibition");
        no(&one("sensitive", "sensitivity = \"special\"\noutcome = \"prohibit\"\n"), at("sensitive", "sale", 8), "it forbids: that is a rule of the kind prohibition");
        no(&one("age", ""), at("age", "sale", 8), "it names no age");
        no(&one("age", "parental_below = 13\ntwo_step = true\n"), at("age", "sale", 8), "it asks for a yes to be confirmed and names no age below which (opt_in_below)");
        no(&one("validity", "term = { n = 0, unit = \"month\" }\n"), at("validity", "sale", 8), "a term of 0 is none");
        let ages = format!("id = \"children\"\nparental_below = 13\n{GROUNDS}");
        no(&format!("{HEAD}\n[[age]]\n{ages}\n[[age]]\n{ages}"), at("age", "children", 13), "two rules of one kind have this id");
        no(&format!("{HEAD}\n[[age]]\n{}", ages.replace("children", "Children")), at("age", "Children", 8), "an id has lower-case letters, digits, hyphens and underscores");
    }

    #[test]
    fn regions_that_nobody_lives_in() {
        refused(&HEAD.replace("DE", "US-XX"), RefusalCode::PackRegion, "rule pack zz, line 5: `US-XX` is not a region: EU, EEA, a country as DE or a state as US-CA");
        refused(
            &HEAD.replace("[\"DE\"]", "[\"unknown\"]"),
            RefusalCode::PackRegion,
            "rule pack zz, line 5: `unknown` is not a region: EU, EEA, a country as DE or a state as US-CA",
        );
        refused(&HEAD.replace("[\"DE\"]", "[]"), RefusalCode::PackRegion, "rule pack zz: it concerns nobody: name regions, or say fallback = true or abstract = true");
        let ages = format!("{HEAD}\n[[age]]\nid = \"children\"\n{GROUNDS}[age.parental_below_in]\nEL = 15\n");
        refused(&ages, RefusalCode::PackRegion, "rule pack zz, age rule `children`, line 12: `EL` is not a region: EU, EEA, a country as DE or a state as US-CA");
    }

    #[test]
    fn packs_that_inherit_what_they_cannot() {
        let pack = |id: &str, parent: &str, more: &str| parse(&format!("{}inherits = \"{parent}\"\n{more}", HEAD.replace("zz", id))).unwrap();
        let no = |packs: &[RulePack], code, message: &str| {
            let refusal = Law::new(packs.to_vec(), "2026-11-25".parse().unwrap()).unwrap_err();
            assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
        };
        no(&[pack("a", "b", "")], RefusalCode::PackInheritance, "rule pack a inherits from b, which is not there");
        no(&[pack("a", "a", "")], RefusalCode::PackInheritance, "rule pack a inherits from itself by way of a");
        no(&[pack("a", "b", ""), pack("b", "c", ""), pack("c", "b", "")], RefusalCode::PackInheritance, "rule pack a inherits in a circle by way of b");
        // Also where nobody is under them.
        no(&[pack("a", "b", "abstract = true\n"), pack("b", "a", "abstract = true\n")], RefusalCode::PackInheritance, "rule pack a inherits from itself by way of b");
        no(&[parse(HEAD).unwrap(), parse(HEAD).unwrap()], RefusalCode::PackRule, "rule pack zz is there twice");
    }
}
