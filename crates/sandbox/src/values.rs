//! Engine values to PackStream and back, in the structures of the connection's Bolt version.

use std::sync::Arc;

use bolt::Version;
use bolt::packstream::{
    Put, put_dictionary_header, put_list_header, put_structure_header, put_value,
};
use bytes::BytesMut;
use graph::temporal::{Date, DateTime, Duration, LocalDateTime, LocalTime, Time, Zone};
use graph::{Error, Graph, Map, Path, Point, Result, Value, element_id};

/// How one connection writes its values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub version: Version,
    /// Date-times count from UTC: always from Bolt 5.0, and on 4.4 if the client asked for it.
    pub utc: bool,
    /// One record's bytes: shared values count once in memory and every time on the wire.
    pub record_max: usize,
}

/// Appends a value; nodes and relationships are looked up in `graph`.
pub(crate) fn put(
    output: &mut BytesMut,
    value: &Value,
    graph: &Graph,
    dialect: Dialect,
) -> Result<()> {
    if output.len() > dialect.record_max.saturating_add(BUFFER_BYTES) {
        return Err(Error::MemoryLimit { limit: dialect.record_max });
    }
    match value {
        Value::Null => put_value(output, &bolt::Value::Null),
        Value::Boolean(boolean) => put_value(output, &bolt::Value::Boolean(*boolean)),
        Value::Integer(integer) => integer.put(output),
        Value::Float(float) => float.put(output),
        Value::String(string) => (&**string).put(output),
        Value::Bytes(bytes) => put_value(output, &bolt::Value::Bytes(bytes.to_vec().into())),
        Value::List(list) => {
            put_list_header(output, list.len());
            return list.iter().try_for_each(|value| put(output, value, graph, dialect));
        }
        Value::Map(map) => return put_map(output, map, graph, dialect),
        Value::Node(id) => return put_node(output, *id, graph, dialect),
        Value::Relationship(id) => return put_relationship(output, *id, graph, dialect),
        Value::Path(path) => return put_path(output, path, graph, dialect),
        Value::DateTime(datetime) => return put_datetime(output, datetime, dialect),
        Value::Date(Date(days)) => put_integers(output, b'D', &[*days]),
        Value::LocalTime(LocalTime(nanos)) => put_integers(output, b't', &[*nanos]),
        Value::Time(time) => put_integers(output, b'T', &[time.nanos, time.offset_seconds.into()]),
        Value::LocalDateTime(local) => {
            put_integers(output, b'd', &[local.seconds, local.nanos.into()])
        }
        Value::Duration(d) => put_integers(output, b'E', &[d.months, d.days, d.seconds, d.nanos]),
        Value::Point(point) => put_point(output, point),
    }
    Ok(())
}

fn put_integers(output: &mut BytesMut, tag: u8, fields: &[i64]) {
    put_structure_header(output, tag, fields.len());
    fields.iter().for_each(|field| field.put(output));
}

fn put_map(output: &mut BytesMut, map: &Map, graph: &Graph, dialect: Dialect) -> Result<()> {
    put_dictionary_header(output, map.len());
    map.iter().try_for_each(|(key, value)| {
        (&**key).put(output);
        put(output, value, graph, dialect)
    })
}

fn put_node(output: &mut BytesMut, id: u64, graph: &Graph, dialect: Dialect) -> Result<()> {
    let node = graph.existing_node(id)?;
    let has_element_id = dialect.version.has_element_ids();
    put_structure_header(output, b'N', if has_element_id { 4 } else { 3 });
    (id as i64).put(output);
    put_list_header(output, node.labels.len());
    node.labels.iter().for_each(|label| (&**label).put(output));
    put_map(output, &node.properties, graph, dialect)?;
    if has_element_id {
        element_id(&Value::Node(id)).as_str().put(output);
    }
    Ok(())
}

fn put_relationship(output: &mut BytesMut, id: u64, graph: &Graph, dialect: Dialect) -> Result<()> {
    let relationship = graph.existing_relationship(id)?;
    let has_element_id = dialect.version.has_element_ids();
    put_structure_header(output, b'R', if has_element_id { 8 } else { 5 });
    for number in [id, relationship.start, relationship.end] {
        (number as i64).put(output);
    }
    (&*relationship.kind).put(output);
    put_map(output, &relationship.properties, graph, dialect)?;
    if has_element_id {
        let ends = [
            Value::Relationship(id),
            Value::Node(relationship.start),
            Value::Node(relationship.end),
        ];
        ends.iter().for_each(|entity| element_id(entity).as_str().put(output));
    }
    Ok(())
}

fn put_unbound_relationship(
    output: &mut BytesMut,
    id: u64,
    graph: &Graph,
    dialect: Dialect,
) -> Result<()> {
    let relationship = graph.existing_relationship(id)?;
    let has_element_id = dialect.version.has_element_ids();
    put_structure_header(output, b'r', if has_element_id { 4 } else { 3 });
    (id as i64).put(output);
    (&*relationship.kind).put(output);
    put_map(output, &relationship.properties, graph, dialect)?;
    if has_element_id {
        element_id(&Value::Relationship(id)).as_str().put(output);
    }
    Ok(())
}

/// Distinct nodes, distinct relationships, and from the second node on pairs of a relationship
/// (counted from 1, negative if it points back) and a node (counted from 0).
fn put_path(output: &mut BytesMut, path: &Path, graph: &Graph, dialect: Dialect) -> Result<()> {
    let (nodes, relationships) = (distinct(&path.nodes), distinct(&path.relationships));
    let place =
        |all: &[u64], id: u64| all.iter().position(|known| *known == id).unwrap_or_default() as i64;
    put_structure_header(output, b'P', 3);
    put_list_header(output, nodes.len());
    nodes.iter().try_for_each(|id| put_node(output, *id, graph, dialect))?;
    put_list_header(output, relationships.len());
    relationships
        .iter()
        .try_for_each(|id| put_unbound_relationship(output, *id, graph, dialect))?;
    put_list_header(output, 2 * path.relationships.len());
    for (index, id) in path.relationships.iter().enumerate() {
        let points_on = graph.relationship(*id).is_some_and(|r| r.start == path.nodes[index]);
        let number = place(&relationships, *id) + 1;
        (if points_on { number } else { -number }).put(output);
        place(&nodes, path.nodes[index + 1]).put(output);
    }
    Ok(())
}

fn distinct(ids: &[u64]) -> Vec<u64> {
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        if !seen.contains(id) {
            seen.push(*id);
        }
    }
    seen
}

fn put_datetime(output: &mut BytesMut, datetime: &DateTime, dialect: Dialect) -> Result<()> {
    let seconds = if dialect.utc { datetime.seconds } else { datetime.to_local()?.seconds };
    let (with_offset, with_name) = if dialect.utc { (b'I', b'i') } else { (b'F', b'f') };
    match &datetime.zone {
        Zone::OffsetSeconds(offset) => {
            put_integers(output, with_offset, &[seconds, datetime.nanos.into(), (*offset).into()]);
        }
        Zone::Named(name) => {
            put_structure_header(output, with_name, 3);
            seconds.put(output);
            i64::from(datetime.nanos).put(output);
            (&**name).put(output);
        }
    }
    Ok(())
}

fn put_point(output: &mut BytesMut, point: &Point) {
    let (tag, fields) = if point.z.is_some() { (b'Y', 4) } else { (b'X', 3) };
    put_structure_header(output, tag, fields);
    point.srid.put(output);
    [Some(point.x), Some(point.y), point.z]
        .into_iter()
        .flatten()
        .for_each(|coordinate| coordinate.put(output));
}

/// A parameter as the engine takes it.
///
/// # Errors
/// [`Error::Unsupported`] for a structure that the engine has no type for, [`Error::Argument`] for
/// one whose fields are wrong.
pub(crate) fn from_bolt(value: bolt::Value, dialect: Dialect) -> Result<Value> {
    Ok(match value {
        bolt::Value::Null => Value::Null,
        bolt::Value::Boolean(boolean) => Value::Boolean(boolean),
        bolt::Value::Integer(integer) => Value::Integer(integer),
        bolt::Value::Float(float) => Value::Float(float),
        bolt::Value::Bytes(bytes) => Value::Bytes(Arc::from(&*bytes)),
        bolt::Value::String(string) => Value::String(string.into()),
        bolt::Value::List(values) => {
            let values: Result<Vec<_>> =
                values.into_iter().map(|value| from_bolt(value, dialect)).collect();
            Value::list(values?)
        }
        bolt::Value::Dictionary(dictionary) => Value::map(map_from_bolt(dictionary, dialect)?),
        bolt::Value::Structure(structure) => from_structure(&structure, dialect)?,
        bolt::Value::Uuid(_) => return Err(Error::Unsupported("the type UUID".into())),
    })
}

pub(crate) fn map_from_bolt(dictionary: bolt::Dictionary, dialect: Dialect) -> Result<Map> {
    dictionary
        .into_iter()
        .map(|(key, value)| Ok((key.into(), from_bolt(value, dialect)?)))
        .collect()
}

fn from_structure(structure: &bolt::Structure, dialect: Dialect) -> Result<Value> {
    use bolt::Value::{Float, Integer, String};
    Ok(match (structure.tag, &structure.fields[..]) {
        (b'D', [Integer(days)]) if days.unsigned_abs() <= SECONDS_MAX / 86_400 => {
            Value::Date(Date(*days))
        }
        (b't', [Integer(nanos)]) => {
            check_time(*nanos, 0)?;
            Value::LocalTime(LocalTime(*nanos))
        }
        (b'T', [Integer(nanos), Integer(offset)]) => {
            check_time(*nanos, *offset)?;
            Value::Time(Time { nanos: *nanos, offset_seconds: *offset as i32 })
        }
        (b'd', [Integer(seconds), Integer(n)]) => Value::LocalDateTime(LocalDateTime {
            seconds: *seconds,
            nanos: check_datetime(*seconds, *n)?,
        }),
        (b'I' | b'F' | b'i' | b'f', [Integer(seconds), Integer(n), zone]) => {
            let zone = match zone {
                Integer(offset) => {
                    Zone::OffsetSeconds(i32::try_from(*offset).map_err(|_| invalid())?)
                }
                String(name) => Zone::Named(name.as_str().into()),
                _ => return Err(invalid()),
            };
            datetime(
                *seconds,
                check_datetime(*seconds, *n)?,
                zone,
                matches!(structure.tag, b'I' | b'i'),
                dialect,
            )?
        }
        (b'E', [Integer(months), Integer(days), Integer(seconds), Integer(nanos)]) => {
            Value::Duration(Duration::new(*months, *days, *seconds, *nanos))
        }
        (b'X', [Integer(srid), Float(x), Float(y)]) => {
            Value::Point(Point { srid: *srid, x: *x, y: *y, z: None })
        }
        (b'Y', [Integer(srid), Float(x), Float(y), Float(z)]) => {
            Value::Point(Point { srid: *srid, x: *x, y: *y, z: Some(*z) })
        }
        (b'V', _) => return Err(Error::Unsupported("the type VECTOR".into())),
        (b'N' | b'R' | b'r' | b'P', _) => {
            return Err(Error::Argument(
                "nodes, relationships and paths can't be parameters".into(),
            ));
        }
        _ => return Err(invalid()),
    })
}

fn datetime(seconds: i64, nanos: u32, zone: Zone, is_utc: bool, dialect: Dialect) -> Result<Value> {
    if is_utc != dialect.utc {
        return Err(invalid());
    }
    let datetime = if is_utc {
        DateTime { seconds, nanos, zone }
    } else {
        DateTime::from_local(LocalDateTime { seconds, nanos }, zone)?
    };
    // Names the zone if it is unknown.
    datetime.offset_seconds()?;
    Ok(Value::DateTime(datetime))
}

/// Whether the parts are in the ranges that Bolt gives them.
fn check_time(nanos_of_day: i64, offset_seconds: i64) -> Result<()> {
    let is_time = (0..86_400 * 1_000_000_000).contains(&nanos_of_day);
    if is_time && offset_seconds.abs() <= OFFSET_SECONDS_MAX { Ok(()) } else { Err(invalid()) }
}

fn check_datetime(seconds: i64, nanos: i64) -> Result<u32> {
    let nanos =
        u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(invalid)?;
    if seconds.unsigned_abs() <= SECONDS_MAX { Ok(nanos) } else { Err(invalid()) }
}

fn invalid() -> Error {
    Error::Argument("a parameter holds a structure that this Bolt version does not have".into())
}

/// Eighteen hours, the widest that ISO 8601 has.
/// When so many bytes of records are encoded, they are written out before there are more.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;
const OFFSET_SECONDS_MAX: i64 = 18 * 3600;
/// To the years ±9999, which is as far as calendars go here.
const SECONDS_MAX: u64 = 377_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use bolt::Reader;

    fn round_trip(value: &Value, dialect: Dialect) -> Value {
        let mut wire = BytesMut::new();
        put(&mut wire, value, &Graph::default(), dialect).unwrap();
        from_bolt(Reader::new(&wire).value().unwrap(), dialect).unwrap()
    }

    #[test]
    fn date_times_survive_in_both_forms() {
        let summer = DateTime {
            seconds: 1_719_828_000,
            nanos: 5,
            zone: Zone::Named("Europe/Berlin".into()),
        };
        for (version, utc) in [(Version::V4_4, false), (Version::V4_4, true), (Version::V5_8, true)]
        {
            let dialect = Dialect { version, utc, record_max: 1 << 20 };
            let value = Value::DateTime(summer.clone());
            assert_eq!(round_trip(&value, dialect), value, "{dialect:?}");
        }
    }

    #[test]
    fn a_path_walked_backwards_has_negative_numbers() {
        let mut graph = Graph::default();
        let (a, b) =
            (graph.create_node(Vec::new(), Vec::new()), graph.create_node(Vec::new(), Vec::new()));
        let r = graph.create_relationship(a, b, "R".into(), Vec::new()).unwrap();
        let path = Value::Path(Arc::new(Path { nodes: vec![b, a], relationships: vec![r] }));
        let mut wire = BytesMut::new();
        put(
            &mut wire,
            &path,
            &graph,
            Dialect { version: Version::V5_8, utc: true, record_max: 1 << 20 },
        )
        .unwrap();
        let bolt::Value::Structure(path) = Reader::new(&wire).value().unwrap() else { panic!() };
        assert_eq!(path.fields[2], bolt::Value::List(vec![(-1_i64).into(), 1_i64.into()]));
    }
}
