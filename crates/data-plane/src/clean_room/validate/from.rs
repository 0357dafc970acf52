//! `FROM`: one table or subquery, or several that are joined within each person.
//!
//! # Guarantee
//! Every join that is accepted ties rows of one person to rows of the same person and to no others: all
//! tables and subqueries are tied by `subject_id`, acts and their hashtags by `activity_id` as well,
//! whatever else the question says. What a person contributes to joined rows is therefore a function of
//! their own rows. The list of creators is public and tied to acts by `creator_id`, to each at most one row of it.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, ObjectName, Select, Spanned, TableFactor, TableWithJoins};
use domain::catalog::TableName;
use domain::question::{PerSubject, PlanLimits};
use domain::{Refusal, RefusalCode};

use super::clauses::normalize;
use super::refuse::{clause, refuse};
use super::relation::{ACT, CREATOR, Named, Names, PERSON, Source, TIES, named, plain_alias, single_name};
use super::scope::Scope;
use super::subquery::{self, Understood};

impl Scope {
    /// The names of a question's `FROM`.
    pub(super) fn of(from: Vec<TableWithJoins>, names: Names<'_>, whole: &Select) -> Result<Self, Refusal> {
        let mentioned = mentioned(&from, names);
        if let [_, second, ..] = from.as_slice() {
            let refusal = refuse(RefusalCode::Table, &second.relation, "tables beside each other are not offered: they pair everybody with everybody");
            return Err(refusal.hint(rewrite(&mentioned)));
        }
        let Some(TableWithJoins { relation, joins }) = from.into_iter().next() else {
            return Err(refuse(RefusalCode::Table, whole, "a question is about one table, or several that are joined").hint(names.tables()));
        };
        let mut scope = Self::default();
        scope.add(relation, names, whole)?;
        for join in joins {
            scope.join(join, names, &mentioned, whole)?;
        }
        scope.settle();
        Ok(scope)
    }

    /// Adds a table or subquery under its name or alias, and says where it is named.
    fn add(&mut self, relation: TableFactor, names: Names<'_>, whole: &Select) -> Result<(), Refusal> {
        let at = relation.clone();
        let named = match relation {
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let alias = alias.map_or_else(|| Ok(String::new()), |alias| plain_alias(alias, &at))?;
                self.subquery(subquery::understand(&subquery, names)?, alias, &at)?
            }
            TableFactor::Derived { .. } => {
                return Err(refuse(RefusalCode::Clause, &at, "a subquery has no LATERAL or sample").hint("write FROM (SELECT subject_id, … GROUP BY subject_id) AS t"));
            }
            TableFactor::Table { ref name, ref alias, .. } if let Some((cte, before)) = names.cte(name) => {
                let alias = alias.clone().map_or_else(|| Ok(cte.name.clone()), |alias| plain_alias(alias, &at))?;
                self.subquery(cte.understood(before)?, alias, &at)?
            }
            relation => named(relation, names, whole)?,
        };
        if let Some(known) = named.table().filter(|known| self.relations.iter().any(|other| other.table().is_some_and(|other| other.name == known.name))) {
            let called = if let TableName::Partner(_) = known.name { named.alias } else { known.name.to_string() };
            return Err(refuse(RefusalCode::Table, &at, format!("`{called}` is joined with itself")).hint("aggregate one of them per subject, in a subquery"));
        }
        if let Some(other) = self.relations.iter().find(|other| other.multiplies(&named)) {
            let message = format!("{} and {} can both have many rows of a person, and a join would pair each with each", other.called(), named.called());
            return Err(
                refuse(RefusalCode::Clause, &at, message).hint(format!("aggregate both in one subquery, with FILTER; or make one row per person of one: {}", subquery::ONE_ROW))
            );
        }
        if self.relations.iter().any(|other| !named.alias.is_empty() && other.alias == named.alias) {
            return Err(refuse(RefusalCode::Table, &at, format!("two tables are called `{}`", named.alias)).hint("give each table its own alias"));
        }
        self.relations.push(named);
        Ok(())
    }

    fn subquery(&mut self, understood: Understood, alias: String, at: &impl Spanned) -> Result<Named, Refusal> {
        let Understood { inner, mut columns, having } = understood;
        let several = (!inner.keys.is_empty()).then_some(inner.contract);
        let place = self.per_subject.iter().position(|other| *other == inner).unwrap_or(self.per_subject.len());
        if place == self.per_subject.len() {
            self.per_subject.push(inner);
        }
        if self.per_subject.iter().map(PerSubject::count).sum::<usize>() > PlanLimits::PER_SUBJECT {
            let refusal = refuse(RefusalCode::Limit, at, format!("more than {} different subqueries", PlanLimits::PER_SUBJECT));
            return Err(refusal.hint("aggregate over the same rows in one subquery"));
        }
        columns.iter_mut().for_each(|column| column.value.expr = subquery::renumbered(column.value.expr.clone(), &[place]));
        self.having.extend(having.map(|having| subquery::renumbered(having, &[place])));
        Ok(Named { source: Source::Subquery { columns, several }, alias })
    }

    fn join(&mut self, join: Join, names: Names<'_>, mentioned: &[String], whole: &Select) -> Result<(), Refusal> {
        let Join { relation, global, join_operator } = join;
        let node = relation.clone();
        let constraint = match join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) if !global => constraint,
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_) => {
                return Err(clause(&node, "an outer join", &rewrite(mentioned)));
            }
            JoinOperator::CrossJoin(_) => return Err(clause(&node, "a CROSS JOIN", &rewrite(mentioned))),
            _ => return Err(clause(&node, "this kind of join", &rewrite(mentioned))),
        };
        self.add(relation, names, whole)?;
        let tied = match constraint {
            JoinConstraint::Using(columns) => self.using(&columns, mentioned)?,
            JoinConstraint::On(condition) => {
                let mut tied = Vec::new();
                self.on(&condition, mentioned, &mut tied)?;
                tied
            }
            JoinConstraint::Natural => return Err(clause(&node, "a NATURAL JOIN", &rewrite(mentioned))),
            JoinConstraint::None => return Err(clause(&node, "a join without its columns", &rewrite(mentioned))),
        };
        let Some((new, earlier)) = self.relations.split_last() else { return Ok(()) };
        // Acts and hashtags of one person belong together by the act; all others by the person.
        let shares_act = |named: &Named| new.has_key(ACT) && named.has_key(ACT);
        // Creators belong to acts by the account; whoever comes after them alone has only that.
        let by = |wanted: &str| tied.iter().any(|(_, key)| *key == wanted);
        let (enough, lacks) = match earlier.iter().position(shares_act) {
            _ if new.is_public() || earlier.iter().all(Named::is_public) => (by(CREATOR), "the account that acts are about"),
            Some(other) => (tied.contains(&(other, ACT)), "the act that its rows belong to"),
            None => (by(PERSON), "the person"),
        };
        if enough {
            return Ok(());
        }
        let message = format!("{} is not joined by {lacks}", new.called());
        Err(refuse(RefusalCode::Clause, &node, message).hint(rewrite(mentioned)))
    }

    /// What `USING` ties the newest relation to: relations by their places, and columns.
    fn using(&self, columns: &[ObjectName], mentioned: &[String]) -> Result<Vec<(usize, &'static str)>, Refusal> {
        let mut tied = Vec::new();
        for column in columns {
            let name = single_name(column).map(normalize).unwrap_or_default();
            let key = TIES.into_iter().find(|key| *key == name);
            let Some((key, (new, earlier))) = key.zip(self.relations.split_last()).filter(|(key, (new, _))| new.has_key(key)) else {
                return Err(other_column(column, &format!("`{column}`"), mentioned));
            };
            let before = tied.len();
            tied.extend(earlier.iter().enumerate().filter(|(_, named)| named.has_key(key)).map(|(place, _)| (place, key)));
            if tied.len() == before {
                let message = format!("no table before `{}` has a column `{key}`", new.alias);
                return Err(refuse(RefusalCode::Column, column, message).hint(rewrite(mentioned)));
            }
        }
        Ok(tied)
    }

    /// The relation and key that an expression names, if it names one.
    fn key(&self, expr: &Expr) -> Option<(usize, &'static str)> {
        let parts: Vec<String> = match expr {
            Expr::Identifier(ident) => vec![normalize(ident)],
            Expr::CompoundIdentifier(parts) => parts.iter().map(normalize).collect(),
            _ => return None,
        };
        let (name, before) = parts.split_last()?;
        let key = TIES.into_iter().find(|key| key == name)?;
        let meant = |named: &Named| match before {
            [] => true,
            [alias] => named.alias == *alias,
            [schema, table] => named.is_partners(schema, table),
            _ => false,
        };
        self.relations.iter().position(|named| meant(named) && named.has_key(key)).map(|place| (place, key))
    }

    /// What `ON` ties the newest relation to.
    fn on(&self, condition: &Expr, mentioned: &[String], tied: &mut Vec<(usize, &'static str)>) -> Result<(), Refusal> {
        match condition {
            Expr::Nested(inner) => self.on(inner, mentioned, tied),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.on(left, mentioned, tied)?;
                self.on(right, mentioned, tied)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if let (Some(of_left), Some(of_right)) = (self.found(left), self.found(right)) => {
                of_left?;
                of_right?;
                let new = self.relations.len().saturating_sub(1);
                let sides = self.key(left).zip(self.key(right));
                let ties = sides.filter(|((left, a), (right, b))| a == b && left != right && (*left == new || *right == new));
                let Some(((left, key), (right, _))) = ties else { return Err(other_column(condition, &format!("`{condition}`"), mentioned)) };
                tied.push((if left == new { right } else { left }, key));
                Ok(())
            }
            other => {
                let refusal = refuse(RefusalCode::Clause, other, format!("`{other}` is not offered in ON, which names the columns that tie a person's rows together"));
                Err(refusal.hint(format!("put conditions into WHERE; {}", rewrite(mentioned))))
            }
        }
    }
}

fn other_column(node: &impl Spanned, written: &str, mentioned: &[String]) -> Refusal {
    refuse(RefusalCode::Clause, node, format!("{written} does not tie rows of one person together")).hint(rewrite(mentioned))
}

/// The tables that `FROM` names, in the catalogue's order, for the rewrite of a join.
fn mentioned(from: &[TableWithJoins], names: Names<'_>) -> Vec<String> {
    let relations = from.iter().flat_map(|part| std::iter::once(&part.relation).chain(part.joins.iter().map(|join| &join.relation)));
    let mut tables: Vec<(TableName, String)> = relations
        .filter_map(|relation| match relation {
            TableFactor::Table { name, .. } => names.table(name).map(|(known, _)| (known.name, name.to_string().to_ascii_lowercase())),
            _ => None,
        })
        .collect();
    tables.sort();
    tables.dedup();
    tables.into_iter().map(|(_, written)| written).collect()
}

/// A `FROM` over these tables that is accepted.
pub(super) fn rewrite(tables: &[String]) -> String {
    let is_public = |table: &String| table.parse().is_ok_and(TableName::is_public);
    let lacks_acts = tables.iter().any(is_public) && !tables.iter().any(|table| table == "activity");
    let tables: Vec<String> = lacks_acts.then(|| "activity".to_owned()).into_iter().chain(tables.iter().cloned()).collect();
    let Some((first, rest)) = tables.split_first() else { return "join tables within each person: FROM activity JOIN subject USING (subject_id)".to_owned() };
    let joined = rest.iter().map(|table| {
        let both_acts = first == "activity" && table == "activity_tag";
        let key = if is_public(table) {
            CREATOR
        } else if both_acts {
            ACT
        } else {
            PERSON
        };
        format!(" JOIN {table} USING ({key})")
    });
    format!("write FROM {first}{}", joined.collect::<String>())
}
