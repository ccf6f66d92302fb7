//! What the parser makes of a query: its text as a tree. Variables and functions are still names
//! here; [`crate::bind`] finds out what they stand for.

mod children;

use std::sync::Arc;

use crate::kinds::{AggregateKind, Binary, Quantifier, Shortest, SubqueryKind, Unary};
use crate::label::LabelExpression;
use crate::store::Direction;
use crate::value::Value;

/// An index changes no result, so these commands are accepted and have no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaCommand {
    CreateIndex,
    DropIndex,
}

/// Single queries joined by UNION; each is a list of clauses.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub parts: Vec<Single>,
    /// UNION ALL rather than UNION.
    pub keeps_duplicates: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Single {
    pub clauses: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    Match {
        optional: bool,
        patterns: Vec<Pattern>,
        filter: Option<Expression>,
    },
    Unwind {
        list: Expression,
        variable: Arc<str>,
    },
    /// WITH, and RETURN as the last clause.
    Project(Projection),
    Create(Vec<Pattern>),
    Merge {
        pattern: Pattern,
        on_create: Vec<SetItem>,
        on_match: Vec<SetItem>,
    },
    Set(Vec<SetItem>),
    Remove(Vec<RemoveItem>),
    Delete {
        detach: bool,
        targets: Vec<Expression>,
    },
    Foreach {
        variable: Arc<str>,
        list: Expression,
        body: Vec<Clause>,
    },
    Call(Call),
    Subquery {
        imports: Imports,
        query: Query,
        optional: bool,
    },
    Finish,
}

/// Which variables of the outer row a CALL subquery sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Imports {
    /// By a leading WITH inside the braces, or none.
    ByWith,
    All,
    Named(Vec<Arc<str>>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    pub is_return: bool,
    pub distinct: bool,
    /// `*` before the items.
    pub all: bool,
    pub items: Vec<Item>,
    pub order: Vec<SortKey>,
    pub skip: Option<Expression>,
    pub limit: Option<Expression>,
    pub filter: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub expression: Expression,
    /// The alias, or the text of the expression as it was written.
    pub name: Arc<str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    pub expression: Expression,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SetItem {
    Property {
        target: Expression,
        key: Arc<str>,
        value: Expression,
    },
    /// `n = map`, or `n += map` when `merge`.
    Properties {
        target: Arc<str>,
        value: Expression,
        merge: bool,
    },
    Labels {
        target: Arc<str>,
        labels: Vec<Arc<str>>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum RemoveItem {
    Property { target: Expression, key: Arc<str> },
    Labels { target: Arc<str>, labels: Vec<Arc<str>> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub procedure: Arc<str>,
    /// `None` when written without parentheses.
    pub arguments: Option<Vec<Expression>>,
    /// Pairs of a result column and the variable that takes it; `None`: every column.
    pub yields: Option<Vec<(Arc<str>, Arc<str>)>>,
    pub filter: Option<Expression>,
}

/// Nodes joined by relationships: `relationships[i]` lies between `nodes[i]` and `nodes[i + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub path: Option<Arc<str>>,
    pub shortest: Option<Shortest>,
    pub nodes: Vec<NodePattern>,
    pub relationships: Vec<RelationshipPattern>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodePattern {
    pub variable: Option<Arc<str>>,
    pub labels: Option<LabelExpression>,
    pub properties: Option<Expression>,
    pub filter: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RelationshipPattern {
    pub variable: Option<Arc<str>>,
    pub types: Option<LabelExpression>,
    pub direction: Direction,
    /// Fewest and most hops of a variable-length relationship.
    pub length: Option<(u64, Option<u64>)>,
    pub properties: Option<Expression>,
    pub filter: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Literal(Value),
    Parameter(Arc<str>),
    Variable(Arc<str>),
    Property(Box<Expression>, Arc<str>),
    HasLabels(Box<Expression>, LabelExpression),
    Unary(Unary, Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    IsNull {
        operand: Box<Expression>,
        negated: bool,
    },
    /// `a < b <= c`: each pair compared, all must hold.
    Chain(Vec<Expression>, Vec<Binary>),
    Index(Box<Expression>, Box<Expression>),
    Slice {
        list: Box<Expression>,
        from: Option<Box<Expression>>,
        to: Option<Box<Expression>>,
    },
    List(Vec<Expression>),
    Map(Vec<(Arc<str>, Expression)>),
    MapProjection {
        source: Box<Expression>,
        all: bool,
        entries: Vec<(Arc<str>, Expression)>,
    },
    Case {
        operand: Option<Box<Expression>>,
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Function {
        name: Arc<str>,
        arguments: Vec<Expression>,
    },
    Aggregate(Aggregate),
    ListComprehension {
        variable: Arc<str>,
        list: Box<Expression>,
        filter: Option<Box<Expression>>,
        map: Option<Box<Expression>>,
    },
    Quantifier {
        kind: Quantifier,
        variable: Arc<str>,
        list: Box<Expression>,
        filter: Box<Expression>,
    },
    Reduce {
        accumulator: Arc<str>,
        initial: Box<Expression>,
        variable: Arc<str>,
        list: Box<Expression>,
        step: Box<Expression>,
    },
    PatternComprehension {
        pattern: Box<Pattern>,
        filter: Option<Box<Expression>>,
        map: Box<Expression>,
    },
    /// A pattern in a place for a truth value: whether it is found.
    PatternExists(Box<Pattern>),
    ShortestPath(Box<Pattern>),
    Subquery {
        kind: SubqueryKind,
        query: Box<Query>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub kind: AggregateKind,
    pub distinct: bool,
    /// `None` for `count(*)`.
    pub argument: Option<Box<Expression>>,
    /// The fraction of a percentile.
    pub fraction: Option<Box<Expression>>,
}

impl Query {
    /// Whether running this may change the graph.
    pub fn writes(&self) -> bool {
        self.parts.iter().any(|part| part.clauses.iter().any(Clause::writes))
    }

    /// Whether the query hands rows to the client.
    pub fn returns(&self) -> bool {
        self.parts.iter().any(|part| match part.clauses.last() {
            Some(Clause::Project(projection)) => projection.is_return,
            Some(Clause::Call(_)) => true,
            _ => false,
        })
    }
}

impl Clause {
    /// Whether the clause itself changes the graph.
    pub(crate) fn is_update(&self) -> bool {
        matches!(
            self,
            Self::Create(_)
                | Self::Merge { .. }
                | Self::Set(_)
                | Self::Remove(_)
                | Self::Delete { .. }
                | Self::Foreach { .. }
        )
    }

    /// Whether the clause takes rows from the graph, a list or a procedure.
    pub(crate) fn reads(&self) -> bool {
        matches!(self, Self::Match { .. } | Self::Unwind { .. } | Self::Call(_))
    }

    fn writes(&self) -> bool {
        match self {
            Self::Subquery { query, .. } => query.writes(),
            clause => clause.is_update(),
        }
    }
}
