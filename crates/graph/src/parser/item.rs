//! The items of WITH, RETURN, SET and REMOVE.

use super::tokens::Parser;
use crate::ast::{Expression, Item, Projection, RemoveItem, SetItem, SortKey};
use crate::error::Result;

impl Parser<'_> {
    pub(super) fn projection(&mut self, is_return: bool) -> Result<Projection> {
        let mut projection =
            Projection { is_return, distinct: self.keyword("DISTINCT"), ..Projection::default() };
        projection.all = self.symbol("*");
        if !projection.all || self.symbol(",") {
            projection.items = self.separated(|parser| parser.item(is_return))?;
        }
        if self.is_keyword("ORDER") {
            self.at += 1;
            self.expect_keyword("BY")?;
            projection.order = self.separated(Self::sort_key)?;
        }
        if self.keyword("SKIP") || self.keyword("OFFSET") {
            projection.skip = Some(self.expression()?);
        }
        if self.keyword("LIMIT") {
            projection.limit = Some(self.expression()?);
        }
        if !is_return {
            projection.filter = self.filter()?;
        }
        Ok(projection)
    }

    fn item(&mut self, is_return: bool) -> Result<Item> {
        let start = self.tokens[self.at].start;
        let expression = self.expression()?;
        let text = &self.query[start..self.tokens[self.at - 1].end];
        if self.keyword("AS") {
            return Ok(Item { expression, name: self.name()? });
        }
        if !is_return && !matches!(expression, Expression::Variable(_)) {
            return Err(self.semantic("Expression in WITH must be aliased (use AS)"));
        }
        // `` `a b` `` is the name `a b`; everything else is named by its own text.
        let name = match &expression {
            Expression::Variable(variable) => variable.clone(),
            _ => text.into(),
        };
        Ok(Item { expression, name })
    }

    fn sort_key(&mut self) -> Result<SortKey> {
        let expression = self.expression()?;
        let descending = self.keyword("DESC") || self.keyword("DESCENDING");
        let _ = !descending && (self.keyword("ASC") || self.keyword("ASCENDING"));
        Ok(SortKey { expression, descending })
    }

    pub(super) fn set_item(&mut self) -> Result<SetItem> {
        let target = self.postfix()?;
        match target {
            Expression::Property(target, key) => {
                self.expect("=")?;
                Ok(SetItem::Property { target: *target, key, value: self.expression()? })
            }
            Expression::HasLabels(target, labels) => {
                let (target, labels) = self.plain_labels(*target, &labels)?;
                Ok(SetItem::Labels { target, labels })
            }
            Expression::Variable(target) => {
                let merge = self.symbol("+=");
                if !merge {
                    self.expect("=")?;
                }
                Ok(SetItem::Properties { target, value: self.expression()?, merge })
            }
            _ => Err(self.unexpected("a property, a label or a variable to set")),
        }
    }

    pub(super) fn remove_item(&mut self) -> Result<RemoveItem> {
        match self.postfix()? {
            Expression::Property(target, key) => Ok(RemoveItem::Property { target: *target, key }),
            Expression::HasLabels(target, labels) => {
                let (target, labels) = self.plain_labels(*target, &labels)?;
                Ok(RemoveItem::Labels { target, labels })
            }
            _ => Err(self.unexpected("a property or a label to remove")),
        }
    }
}
