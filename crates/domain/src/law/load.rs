//! Reading a rule pack, and saying precisely what is wrong with one.

use super::{Grounds, Outcome, Residence, RulePack};
use crate::refusal::{Refusal, RefusalCode};

/// The layout that this version reads.
const SCHEMA: u32 = 1;

/// Reads one pack from its text.
///
/// # Errors
/// [`RefusalCode::PackText`] for what is not TOML or has an unknown field, word or outcome, with the place;
/// [`RefusalCode::PackGrounds`] for a rule without source or review date;
/// [`RefusalCode::PackRule`] for a rule that contradicts itself; [`RefusalCode::PackRegion`] for an unknown region.
pub fn parse(text: &str) -> Result<RulePack, Refusal> {
    let pack: RulePack = toml::from_str(text).map_err(|e| unreadable(text, &e))?;
    check(&pack)?;
    Ok(pack)
}

fn unreadable(text: &str, error: &toml::de::Error) -> Refusal {
    let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let place = line.map(|line| format!(" at line {line}")).unwrap_or_default();
    // A rule without grounds is told as such: it is what matters most about a rule.
    let code = if error.message().contains("missing field `source`") || error.message().contains("missing field `grounds`") || error.message().contains("missing field `certainty`")
    {
        RefusalCode::PackGrounds
    } else {
        RefusalCode::PackText
    };
    Refusal::new(code, format!("the rule pack cannot be read{place}: {}", error.message()))
        .hint("docs/rule-packs.md describes the layout; `fairshare rule-pack show eu-gdpr` prints one that is whole")
}

fn check(pack: &RulePack) -> Result<(), Refusal> {
    let no = |code, text: String| Err(Refusal::new(code, format!("rule pack {}: {text}", pack.id)));
    if pack.schema != SCHEMA {
        return no(RefusalCode::PackText, format!("schema {} is not known; this version reads {SCHEMA}", pack.schema));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if pack.id.is_empty() || pack.id.len() > 64 || !pack.id.chars().all(plain) {
        return no(RefusalCode::PackText, "an id has 1 to 64 lower-case letters, digits and hyphens".into());
    }
    if pack.version == 0 {
        return no(RefusalCode::PackText, "versions begin at 1".into());
    }
    for region in pack.regions.iter().chain(pack.age.iter().flat_map(|rule| rule.parental_below_in.keys())) {
        if !Residence::is_region(region) {
            return no(RefusalCode::PackRegion, format!("`{region}` is not a region: EU, EEA, a country as DE or a state as US-CA"));
        }
    }
    if pack.regions.is_empty() && !pack.fallback && !pack.is_abstract {
        return no(RefusalCode::PackRegion, "it concerns nobody: name regions, or say fallback = true or abstract = true".into());
    }
    let mut seen = std::collections::BTreeSet::new();
    for (kind, id, Grounds { source, .. }) in pack.rules() {
        if source.trim().is_empty() {
            return no(RefusalCode::PackGrounds, format!("the {kind} rule `{id}` names no source"));
        }
        if id.is_empty() || !id.chars().all(|c| plain(c) || c == '_') {
            return no(RefusalCode::PackRule, format!("`{id}` is not an id of a {kind} rule: lower-case letters, digits, hyphens and underscores"));
        }
        if !seen.insert((kind, id)) {
            return no(RefusalCode::PackRule, format!("two {kind} rules are called `{id}`"));
        }
    }
    for rule in &pack.consent {
        if rule.purposes.is_empty() {
            return no(RefusalCode::PackRule, format!("the consent rule `{}` names no purpose", rule.id));
        }
        if rule.outcome == Outcome::Prohibit {
            return no(RefusalCode::PackRule, format!("the consent rule `{}` forbids: that is a prohibition", rule.id));
        }
    }
    for rule in &pack.prohibition {
        if rule.purposes.is_empty() {
            return no(RefusalCode::PackRule, format!("the prohibition `{}` names no purpose", rule.id));
        }
    }
    for rule in &pack.age {
        if rule.parental_below.is_none() && rule.opt_in_below.is_none() && rule.parental_below_in.is_empty() {
            return no(RefusalCode::PackRule, format!("the age rule `{}` names no age", rule.id));
        }
    }
    Ok(())
}
