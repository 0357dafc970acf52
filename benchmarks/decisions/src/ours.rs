//! Our own function: the law compiled to one table for each use.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use domain::Purpose;
use domain::consent::{AgreementStanding, DataScope, Decision, Effect, Facts, PackedFacts, compile, decide, permitted};
use domain::law::{Law, Requirement, Use};

use crate::case::{Case, SCOPES};

/// The tables of all uses.
pub struct Ours {
    tables: BTreeMap<(Purpose, DataScope), Requirement>,
}

impl Ours {
    /// Compiles the law.
    pub fn new(law: &Law) -> Result<Self> {
        let uses = Purpose::ALL.iter().flat_map(|&purpose| SCOPES.map(|scope| (purpose, scope)));
        let table = |(purpose, scope): (Purpose, DataScope)| Ok(((purpose, scope), law.requirement(Use { purpose, sensitivity: scope.sensitivity() })?));
        Ok(Self { tables: uses.map(table).collect::<Result<_>>()? })
    }

    fn table(&self, case: &Case) -> Result<&Requirement> {
        self.tables.get(&(case.purpose, case.scope)).context("a use without a table")
    }

    /// Yes or no.
    pub fn permits(&self, case: &Case) -> Result<bool> {
        let (facts, table) = (&case.facts, self.table(case)?);
        Ok(permitted(facts, table.of(facts.residence, facts.age), table.opens_classes(facts.residence)))
    }

    /// With every rule that spoke.
    pub fn decides(&self, case: &Case) -> Result<Decision<'_>> {
        let asked = self.table(case)?.asked(case.facts.residence, case.facts.age).context("a person without a law")?;
        Ok(decide(&case.facts, asked, &AgreementStanding::Covers))
    }

    /// The rules that deny.
    pub fn denials(&self, case: &Case) -> Result<Vec<String>> {
        Ok(self.decides(case)?.reasons.into_iter().filter(|reason| reason.effect == Effect::Deny).map(|reason| reason.rule.into_owned()).collect())
    }
}

/// Everybody at once: people by use, as one question asks of them.
pub struct Everybody<'a> {
    groups: Vec<(&'a Requirement, Vec<usize>, Vec<Facts>)>,
}

impl<'a> Everybody<'a> {
    /// Sorts `cases` by use.
    pub fn new(ours: &'a Ours, cases: &[Case]) -> Self {
        let group = |(&(purpose, scope), table): (&(Purpose, DataScope), &'a Requirement)| {
            let of_use = || cases.iter().enumerate().filter(move |(_, case)| (case.purpose, case.scope) == (purpose, scope));
            (table, of_use().map(|(i, _)| i).collect(), of_use().map(|(_, case)| case.facts).collect())
        };
        Self { groups: ours.tables.iter().map(group).collect() }
    }

    /// One bit for each person of each use, from their facts.
    pub fn bits(&self) -> Vec<Vec<u8>> {
        self.groups.iter().map(|(table, _, people)| compile(&people.iter().map(PackedFacts::new).collect::<Vec<_>>(), table)).collect()
    }

    /// Yes or no by case.
    pub fn permits(&self, n: usize) -> Vec<bool> {
        let mut permits = vec![false; n];
        for ((_, places, _), bits) in self.groups.iter().zip(self.bits()) {
            for (i, &place) in places.iter().enumerate() {
                permits[place] = bits[i / 8] >> (i % 8) & 1 != 0;
            }
        }
        permits
    }
}
