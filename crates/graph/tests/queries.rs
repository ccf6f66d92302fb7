//! What queries answer. One case a line: statements, then what the last one gives, as text.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use graph::{
    Context, Control, Cursor, Database, Error, Procedures, Result, Signatures, Statement,
    Transaction, Value,
};

struct NoProcedures;

impl Signatures for NoProcedures {
    fn columns(&self, procedure: &str) -> Result<Vec<Arc<str>>> {
        match procedure {
            "test.pair" => Ok(vec!["a".into(), "b".into()]),
            other => Err(Error::UnknownProcedure(other.into())),
        }
    }
}

impl Procedures for NoProcedures {
    fn call(&self, _: &str, arguments: &[Value], _: &Context) -> Result<Vec<Vec<Value>>> {
        Ok(vec![
            vec![arguments[0].clone(), Value::Integer(2)],
            vec![Value::Null, Value::Integer(3)],
        ])
    }
}

/// On a thread with the stack that the engine asks for.
fn on_engine_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(graph::STACK_BYTES).spawn(work).unwrap().join().unwrap()
}

fn start(transaction: &mut Transaction, query: &str, control: Control) -> Result<Cursor> {
    let procedures: Arc<dyn Procedures> = Arc::new(NoProcedures);
    let statement = Statement::parse(query, &*procedures)?;
    let list = Value::list(vec![Value::Integer(3), Value::Integer(1)]);
    let map = Value::map(vec![("x".into(), Value::Integer(7)), ("y".into(), Value::string("z"))]);
    let parameters =
        vec![("n".into(), Value::Integer(5)), ("list".into(), list), ("map".into(), map)];
    transaction.run(
        &statement,
        Arc::new(parameters),
        Arc::new(control),
        procedures,
        Duration::from_secs(5),
    )
}

fn run(database: &Arc<Database>, query: &str) -> Result<(Cursor, Vec<Vec<Value>>)> {
    let mut transaction = Transaction::begin(database);
    let mut cursor = start(&mut transaction, query, Control::default())?;
    let rows: Result<Vec<_>> = cursor.by_ref().collect();
    transaction.commit()?;
    Ok((cursor, rows?))
}

fn text(value: &Value) -> String {
    let join = |values: Vec<String>| values.join(", ");
    match value {
        Value::Null => "null".into(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => format!("{float:?}"),
        Value::String(string) => format!("'{string}'"),
        Value::List(list) => format!("[{}]", join(list.iter().map(text).collect())),
        Value::Map(map) => {
            format!("{{{}}}", join(map.iter().map(|(k, v)| format!("{k}: {}", text(v))).collect()))
        }
        Value::Path(path) => format!("path {:?} {:?}", path.nodes, path.relationships),
        other => graph::temporal::format(other)
            .map_or_else(|| format!("{other:?}"), |text| text.unwrap()),
    }
}

/// Rows as `a, b | a, b`; an error as its text after `!`.
fn answer(script: &str) -> String {
    let database = Arc::new(Database::default());
    let mut last = String::new();
    for query in script.split(";;") {
        last = match run(&database, query.trim()) {
            Err(error) => return format!("! {error}"),
            Ok((_, rows)) => {
                let rows: Vec<String> = rows
                    .iter()
                    .map(|row| row.iter().map(text).collect::<Vec<_>>().join(", "))
                    .collect();
                rows.join(" | ")
            }
        };
    }
    last
}

#[test]
fn queries_answer_as_neo4j_does() {
    on_engine_stack(|| {
        let mut wrong = Vec::new();
        for line in
            CASES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (script, expected) = line.split_once("=>>").expect("a case has =>>");
            let found = answer(script);
            let expected = expected.trim();
            let fits = match expected.strip_prefix("! ") {
                Some(part) => found.starts_with('!') && found.contains(part),
                None => found == expected,
            };
            if !fits {
                wrong.push(format!("{script}\n   expected {expected}\n   found    {found}"));
            }
        }
        assert!(wrong.is_empty(), "{}\n{} wrong", wrong.join("\n"), wrong.len());
    });
}

#[test]
fn columns_are_named_by_their_text() {
    let columns = |query: &str| -> Vec<String> {
        let statement = Statement::parse(query, &NoProcedures).unwrap();
        statement.columns.iter().map(ToString::to_string).collect()
    };
    assert_eq!(columns("RETURN 1 + 1, 'a', count( * ) AS c"), ["1 + 1", "'a'", "c"]);
    assert_eq!(columns("MATCH (n) RETURN n.name, n"), ["n.name", "n"]);
    assert_eq!(columns("CALL test.pair(1)"), ["a", "b"]);
    assert_eq!(columns("MATCH (b)-->(a) RETURN *"), ["a", "b"]);
}

#[test]
fn counters_tell_what_changed() {
    on_engine_stack(|| {
        let database = Arc::new(Database::default());
        let (cursor, _) =
            run(&database, "CREATE (:A:B {x: 1, y: null})-[:R {z: 1}]->(), ()").unwrap();
        let counters = cursor.counters;
        assert_eq!((counters.nodes_created, counters.relationships_created), (3, 1));
        assert_eq!((counters.properties_set, counters.labels_added), (2, 2));
        let several = run(&database, "MATCH (n:A) SET n.p = null, n.q = 1").unwrap().0;
        assert_eq!(several.counters.properties_set, 2);
        let single = run(&database, "MATCH (n:A) SET n.p = null").unwrap().0;
        assert_eq!(single.counters.properties_set, 0);
        let (cursor, _) = run(&database, "MATCH (n) DETACH DELETE n").unwrap();
        assert_eq!((cursor.counters.nodes_deleted, cursor.counters.relationships_deleted), (3, 1));
    });
}

#[test]
fn a_reader_sees_its_snapshot_while_others_commit() {
    on_engine_stack(|| {
        let database = Arc::new(Database::default());
        run(&database, "UNWIND range(1, 1000) AS i CREATE (:N {i: i})").unwrap();
        let mut reader = Transaction::begin(&database);
        let mut cursor = start(&mut reader, "MATCH (n:N) RETURN n.i", Control::default()).unwrap();
        assert!(cursor.next().is_some());
        run(&database, "MATCH (n:N) DELETE n").unwrap();
        assert_eq!(cursor.count(), 999);
        let mut cursor = start(&mut reader, "MATCH (n:N) RETURN n.i", Control::default()).unwrap();
        assert!(cursor.next().is_none());
    });
}

#[test]
fn a_transaction_sees_its_own_writes_and_others_do_not() {
    on_engine_stack(|| {
        let database = Arc::new(Database::default());
        let mut writer = Transaction::begin(&database);
        start(&mut writer, "CREATE (:N)", Control::default()).unwrap();
        let count = |transaction: &mut Transaction| {
            start(transaction, "MATCH (n:N) RETURN n", Control::default()).unwrap().count()
        };
        let mut other = Transaction::begin(&database);
        assert_eq!((count(&mut writer), count(&mut other)), (1, 0));
        drop(writer);
        assert_eq!(count(&mut other), 0);
    });
}

#[test]
fn a_second_writer_waits_and_gives_up_in_time() {
    on_engine_stack(|| {
        let database = Arc::new(Database::default());
        let mut first = Transaction::begin(&database);
        start(&mut first, "CREATE ()", Control::default()).unwrap();
        let procedures: Arc<dyn Procedures> = Arc::new(NoProcedures);
        let statement = Statement::parse("CREATE ()", &*procedures).unwrap();
        let attempt = |wait| {
            let mut second = Transaction::begin(&database);
            second
                .run(&statement, Arc::default(), Arc::default(), procedures.clone(), wait)
                .map(drop)
        };
        assert_eq!(attempt(Duration::ZERO), Err(Error::LockTimeout { waited_ms: 0 }));
        drop(first);
        assert_eq!(attempt(Duration::ZERO), Ok(()));
    });
}

#[test]
fn increments_of_many_writers_are_all_kept() {
    let database = Arc::new(Database::default());
    run(&database, "CREATE (:C {n: 0})").unwrap();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    run(&database, "MATCH (c:C) SET c.n = c.n + 1").unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(run(&database, "MATCH (c:C) RETURN c.n").unwrap().1, [[Value::Integer(160)]]);
}

#[test]
fn endless_queries_end_when_cancelled() {
    let queries = [
        "UNWIND range(1, 1000000000000) AS x RETURN count(*)",
        "UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y WITH x, y WHERE x < 0 RETURN x",
        "RETURN reduce(t = 0, x IN range(1, 3000000) | t + size([y IN range(1, 3000) | y]))",
        "UNWIND range(1, 1000000000) AS x CREATE (:A)-[:R]->(:B)",
    ];
    for query in queries {
        on_engine_stack(move || {
            let database = Arc::new(Database::default());
            let control = Arc::new(Control::new(1 << 28));
            let (canceller, stopper) = (control.clone(), std::sync::mpsc::channel::<()>());
            let (running, started) = (stopper.0, stopper.1);
            let thread = std::thread::spawn(move || {
                started.recv().unwrap();
                canceller.cancel();
            });
            let procedures: Arc<dyn Procedures> = Arc::new(NoProcedures);
            let statement = Statement::parse(query, &*procedures).unwrap();
            let mut transaction = Transaction::begin(&database);
            running.send(()).unwrap();
            let result = transaction
                .run(&statement, Arc::default(), control, procedures, Duration::from_secs(1))
                .and_then(|mut cursor| cursor.try_for_each(|row| row.map(drop)));
            thread.join().unwrap();
            let ended = matches!(result, Err(Error::Cancelled | Error::MemoryLimit { .. }));
            assert!(ended, "{query}: {result:?}");
        });
    }
}

#[test]
fn memory_is_bounded() {
    for query in [
        "RETURN range(1, 1000000000000)",
        "RETURN size(range(-9223372036854775807, 9223372036854775807))",
        "UNWIND range(1, 1000000000) AS x RETURN collect(x)",
        "UNWIND range(1, 1000000000) AS x RETURN x ORDER BY x",
        "UNWIND range(1, 1000000000) AS x RETURN DISTINCT x",
        "RETURN reduce(s = 'x', i IN range(1, 60) | s + s)",
        "UNWIND range(1, 1000000000) AS x CREATE (:A {x: x})",
    ] {
        on_engine_stack(move || {
            let mut transaction = Transaction::begin(&Arc::new(Database::default()));
            let result = start(&mut transaction, query, Control::new(1 << 22))
                .and_then(|mut cursor| cursor.try_for_each(|row| row.map(drop)));
            assert_eq!(result, Err(Error::MemoryLimit { limit: 1 << 22 }), "{query}");
        });
    }
}

const CASES: &str = include_str!("queries.txt");
