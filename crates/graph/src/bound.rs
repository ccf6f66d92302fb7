//! A query that is ready to run. It is made by [`crate::bind`] and never changes: every variable is
//! the slot of the row that holds it, every function is found, and every clause knows the width of
//! the rows that it gets. Parts that the steps of a running query share are counted references.

mod children;

use std::sync::Arc;

use crate::functions::Function;
use crate::kinds::{AggregateKind, Binary, Quantifier, Shortest, SubqueryKind, Unary};
use crate::label::LabelExpression;
use crate::store::Direction;
use crate::value::Value;

/// Lists of clauses joined by UNION.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub parts: Vec<Vec<Clause>>,
    /// UNION ALL rather than UNION.
    pub keeps_duplicates: bool,
    /// Whether running this may change the graph.
    pub writes: bool,
    /// Whether the query hands rows to the client.
    pub returns: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    Match {
        optional: bool,
        patterns: Arc<[Pattern]>,
        filter: Option<Arc<Expression>>,
    },
    Unwind {
        items: Arc<Unwound>,
        slot: usize,
    },
    /// WITH, and RETURN as the last clause.
    Project(Arc<Projection>),
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
        slot: usize,
        list: Expression,
        body: Vec<Clause>,
    },
    Call(Arc<Call>),
    /// The columns of the subquery follow the `width` variables of the row that called it.
    Subquery {
        query: Arc<Query>,
        optional: bool,
        width: usize,
    },
    Finish,
}

/// What UNWIND takes apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Unwound {
    /// The arguments of `range()`: its numbers are made as they are needed, however many there are.
    Range(Vec<Expression>),
    List(Expression),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    pub distinct: bool,
    /// How many variables of the query around a subquery stay in front of the results.
    pub kept: usize,
    /// How many variables the incoming row has.
    pub width: usize,
    /// The results of the aggregates follow the variables of the incoming row.
    pub aggregates: Vec<Aggregate>,
    /// Which of the items make the groups for the aggregates.
    pub keys: Vec<usize>,
    pub items: Vec<Expression>,
    /// Sort keys see the incoming row, the results of the aggregates, and then the items.
    pub order: Vec<SortKey>,
    pub skip: Option<Expression>,
    pub limit: Option<Expression>,
    pub filter: Option<Filter>,
}

/// WHERE after WITH.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Looks at the incoming row, followed by the results.
    WithInput(Expression),
    /// Looks at the results.
    OfOutput(Expression),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub kind: AggregateKind,
    pub distinct: bool,
    /// `None` for `count(*)`.
    pub argument: Option<Expression>,
    /// The fraction of a percentile.
    pub fraction: Option<Expression>,
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
        slot: usize,
        value: Expression,
        merge: bool,
    },
    Labels {
        slot: usize,
        labels: Vec<Arc<str>>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum RemoveItem {
    Property { target: Expression, key: Arc<str> },
    Labels { slot: usize, labels: Vec<Arc<str>> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// In lower case.
    pub procedure: Arc<str>,
    pub arguments: Vec<Expression>,
    /// Pairs of the place of a result column and the slot that takes it.
    pub yields: Vec<(usize, usize)>,
    pub filter: Option<Expression>,
}

/// Nodes joined by relationships: `relationships[i]` lies between `nodes[i]` and `nodes[i + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The slot of the whole path.
    pub path: Option<usize>,
    pub shortest: Option<Shortest>,
    pub nodes: Vec<NodePattern>,
    pub relationships: Vec<RelationshipPattern>,
    /// Variables in slots below this one had a value before the pattern.
    pub bound_below: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodePattern {
    pub variable: Option<Variable>,
    pub labels: Option<LabelExpression>,
    pub properties: Option<Expression>,
    pub filter: Option<Expression>,
}

/// A variable whose name an error may have to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: Arc<str>,
    pub slot: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RelationshipPattern {
    pub slot: Option<usize>,
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
    /// The value in this slot of the row.
    Variable(usize),
    /// The result of an aggregate, in this slot of the row.
    Aggregated(usize),
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
        function: Function,
        arguments: Vec<Expression>,
    },
    /// `slot` takes each element of the list in turn.
    ListComprehension {
        slot: usize,
        list: Box<Expression>,
        filter: Option<Box<Expression>>,
        map: Option<Box<Expression>>,
    },
    /// `slot` takes each element of the list in turn.
    Quantifier {
        kind: Quantifier,
        slot: usize,
        list: Box<Expression>,
        filter: Box<Expression>,
    },
    /// `slot` takes each element of the list in turn, `accumulator` what there is so far.
    Reduce {
        accumulator: usize,
        initial: Box<Expression>,
        slot: usize,
        list: Box<Expression>,
        step: Box<Expression>,
    },
    /// There is one pattern. It is in a list because the search takes lists.
    PatternComprehension {
        pattern: Arc<[Pattern]>,
        filter: Option<Box<Expression>>,
        map: Box<Expression>,
    },
    /// A pattern in a place for a truth value: whether it is found.
    PatternExists(Arc<[Pattern]>),
    ShortestPath(Box<Pattern>),
    Subquery {
        kind: SubqueryKind,
        query: Arc<Query>,
    },
}
