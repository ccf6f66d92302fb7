//! Cypher's functions and arithmetic. A name that isn't here is an error, never a null.

mod list;
mod number;
pub mod temporal;
mod text;

use std::sync::Arc;

use rand::RngExt;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::value::{Map, Path, Point, Value, map_get, mismatch};

pub use list::range;
pub use number::{arithmetic, overflow};
pub use text::matches_regex;

/// Calls a function, whose name is in lower case.
pub fn call(context: &Context, name: &str, arguments: &[Value]) -> Result<Value> {
    if let Some(result) = of_graph(context, name, arguments) {
        return result;
    }
    let found = number::call(name, arguments)
        .or_else(|| text::call(name, arguments))
        .or_else(|| list::call(context, name, arguments))
        .or_else(|| of_time(context, name, arguments));
    let value = found.unwrap_or_else(|| Err(Error::UnknownFunction(name.to_owned())))?;
    context.control.fits(value.size())?;
    Ok(value)
}

/// Functions of nodes, relationships and paths, and of no argument at all.
fn of_graph(context: &Context, name: &str, arguments: &[Value]) -> Option<Result<Value>> {
    let result = match (name, arguments) {
        (
            "id" | "elementid" | "labels" | "type" | "startnode" | "endnode" | "properties",
            [Value::Null],
        ) => Ok(Value::Null),
        ("id", [Value::Node(id) | Value::Relationship(id)]) => Ok(Value::Integer(*id as i64)),
        ("elementid", [value @ (Value::Node(_) | Value::Relationship(_))]) => {
            Ok(element_id(value).into())
        }
        ("labels", [Value::Node(id)]) => context.graph.existing_node(*id).map(|node| {
            Value::list(node.labels.iter().map(|label| Value::String(label.clone())).collect())
        }),
        ("type", [Value::Relationship(id)]) => {
            context.graph.existing_relationship(*id).map(|r| r.kind.clone().into())
        }
        ("startnode", [Value::Relationship(id)]) => {
            context.graph.existing_relationship(*id).map(|r| Value::Node(r.start))
        }
        ("endnode", [Value::Relationship(id)]) => {
            context.graph.existing_relationship(*id).map(|r| Value::Node(r.end))
        }
        ("properties", [value]) => context.properties(value).map(Value::map),
        ("keys", [Value::Null]) => Ok(Value::Null),
        ("keys", [value]) => context.properties(value).map(|mut map| {
            map.sort_by(|a, b| a.0.cmp(&b.0));
            Value::list(map.into_iter().map(|(key, _)| Value::String(key)).collect())
        }),
        ("nodes", [path]) => path_of(path).map(|path| {
            path.map_or(Value::Null, |path| {
                Value::list(path.nodes.iter().map(|id| Value::Node(*id)).collect())
            })
        }),
        ("relationships" | "rels", [path]) => path_of(path).map(|path| {
            path.map_or(Value::Null, |path| {
                Value::list(path.relationships.iter().map(|id| Value::Relationship(*id)).collect())
            })
        }),
        ("length", [path]) => path_of(path).map(|path| {
            path.map_or(Value::Null, |path| Value::Integer(path.relationships.len() as i64))
        }),
        ("randomuuid", []) => Ok(random_uuid().into()),
        ("timestamp", []) => Ok(Value::Integer(context.now.milliseconds())),
        ("point", [Value::Null]) => Ok(Value::Null),
        ("point", [Value::Map(map)]) => point(map),
        ("point.distance" | "distance", [Value::Point(a), Value::Point(b)]) => distance(a, b),
        ("id" | "elementid" | "labels" | "type" | "startnode" | "endnode" | "point", [other]) => {
            Err(mismatch("a node or a relationship", other))
        }
        _ => return None,
    };
    Some(result)
}

/// The argument of a function on paths.
fn path_of(value: &Value) -> Result<Option<Arc<Path>>> {
    match value {
        Value::Null => Ok(None),
        Value::Path(path) => Ok(Some(path.clone())),
        other => Err(mismatch("PATH", other)),
    }
}

fn of_time(context: &Context, name: &str, arguments: &[Value]) -> Option<Result<Value>> {
    let base = name.split('.').next().unwrap_or(name);
    let is_constructor =
        matches!(base, "date" | "time" | "localtime" | "datetime" | "localdatetime" | "duration");
    if !is_constructor {
        return None;
    }
    Some(match (name, arguments) {
        ("duration", [argument]) => temporal::construct("duration", Some(argument), context.now),
        ("datetime.fromepoch", [Value::Integer(seconds), Value::Integer(nanos)]) => {
            let map = vec![
                ("epochSeconds".into(), (*seconds).into()),
                ("nanosecond".into(), (*nanos).into()),
            ];
            temporal::construct("datetime", Some(&Value::map(map)), context.now)
        }
        ("datetime.fromepochmillis", [Value::Integer(millis)]) => {
            let map = vec![("epochMillis".into(), (*millis).into())];
            temporal::construct("datetime", Some(&Value::map(map)), context.now)
        }
        _ if name == base && base != "duration" && arguments.len() < 2 => {
            temporal::construct(base, arguments.first(), context.now)
        }
        _ if matches!(name, "duration.between" | "date.truncate" | "datetime.truncate") => {
            Err(Error::Unsupported(format!("the function {name}()")))
        }
        _ => return None,
    })
}

/// The form that this engine's `elementId()` and Bolt structures share.
pub fn element_id(value: &Value) -> String {
    match value {
        Value::Node(id) => format!("4:{ELEMENT_STORE}:{id}"),
        Value::Relationship(id) => format!("5:{ELEMENT_STORE}:{id}"),
        _ => String::new(),
    }
}

pub fn point_component(point: &Point, key: &str) -> Result<Value> {
    let geographic = matches!(point.srid, WGS_84 | WGS_84_3D);
    Ok(match key {
        "x" => point.x.into(),
        "y" => point.y.into(),
        "z" if point.z.is_some() => point.z.into(),
        "longitude" if geographic => point.x.into(),
        "latitude" if geographic => point.y.into(),
        "height" if geographic && point.z.is_some() => point.z.into(),
        "srid" => point.srid.into(),
        "crs" => match point.srid {
            WGS_84 => "wgs-84",
            WGS_84_3D => "wgs-84-3d",
            CARTESIAN_3D => "cartesian-3d",
            _ => "cartesian",
        }
        .into(),
        _ => return Err(Error::Argument(format!("Field: {key} is not available on this point"))),
    })
}

fn random_uuid() -> String {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn point(map: &Map) -> Result<Value> {
    let coordinate = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| map_get(map, name))
            .map(|value| value.as_float().ok_or_else(|| mismatch("INTEGER or FLOAT", value)))
    };
    let geographic = map_get(map, "longitude").is_some() || map_get(map, "latitude").is_some();
    let (Some(x), Some(y)) = (coordinate(["x", "longitude"]), coordinate(["y", "latitude"])) else {
        return Err(Error::Argument(
            "A point must contain either 'x' and 'y', or 'latitude' and 'longitude'".into(),
        ));
    };
    let z = coordinate(["z", "height"]).transpose()?;
    let srid = match (map_get(map, "srid"), map_get(map, "crs")) {
        (Some(Value::Integer(srid)), _) => *srid,
        (_, Some(Value::String(crs))) => match crs.to_lowercase().as_str() {
            "wgs-84" => WGS_84,
            "wgs-84-3d" => WGS_84_3D,
            "cartesian" => CARTESIAN,
            "cartesian-3d" => CARTESIAN_3D,
            _ => {
                return Err(Error::Argument(format!("Unknown coordinate reference system: {crs}")));
            }
        },
        _ => match (geographic, z.is_some()) {
            (true, false) => WGS_84,
            (true, true) => WGS_84_3D,
            (false, false) => CARTESIAN,
            (false, true) => CARTESIAN_3D,
        },
    };
    let (x, y) = (x?, y?);
    let dimensions = match srid {
        CARTESIAN | WGS_84 => 2,
        CARTESIAN_3D | WGS_84_3D => 3,
        _ => return Err(Error::Argument(format!("Unknown coordinate reference system: {srid}"))),
    };
    if dimensions != 2 + usize::from(z.is_some()) {
        return Err(Error::Argument(
            "the coordinates do not fit the coordinate reference system".into(),
        ));
    }
    let is_on_earth = (-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y);
    if matches!(srid, WGS_84 | WGS_84_3D) && !is_on_earth {
        return Err(Error::Argument(
            "Longitude must lie within -180 to 180 and latitude within -90 to 90".into(),
        ));
    }
    Ok(Value::Point(Point { srid, x, y, z }))
}

/// Straight for cartesian points, along a great circle for geographic ones.
fn distance(a: &Point, b: &Point) -> Result<Value> {
    if a.srid != b.srid {
        return Ok(Value::Null);
    }
    if !matches!(a.srid, WGS_84 | WGS_84_3D) {
        return Ok(((a.x - b.x).powi(2)
            + (a.y - b.y).powi(2)
            + (a.z.unwrap_or(0.0) - b.z.unwrap_or(0.0)).powi(2))
        .sqrt()
        .into());
    }
    if a.srid == WGS_84_3D {
        return Err(Error::Unsupported(
            "point.distance() of geographic points with a height".into(),
        ));
    }
    let (lat_a, lat_b) = (a.y.to_radians(), b.y.to_radians());
    let (d_lat, d_lon) = (lat_b - lat_a, (b.x - a.x).to_radians());
    let h = (d_lat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (d_lon / 2.0).sin().powi(2);
    Ok((2.0 * EARTH_RADIUS_M * h.sqrt().asin()).into())
}

/// Strings of a list of names.
fn strings<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    Value::list(names.into_iter().map(|name| Value::String(Arc::from(name))).collect())
}

pub const CARTESIAN: i64 = 7203;
pub const CARTESIAN_3D: i64 = 9157;
pub const WGS_84: i64 = 4326;
pub const WGS_84_3D: i64 = 4979;
/// The mean radius that Neo4j takes.
const EARTH_RADIUS_M: f64 = 6_378_140.0;
/// Where Neo4j has the database's id.
const ELEMENT_STORE: &str = "5a6d0b0c-1e5c-4b0e-8f53-0b0171b01700";
