//! Points: making them, their coordinates, and the distance of two.

use super::function::Function;
use crate::error::{Error, Result};
use crate::value::{Map, Point, Value, map_get, mismatch};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("point", |call| match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [Value::Map(map)] => point(map),
        [other] => Err(mismatch("a node or a relationship", other)),
        _ => Err(call.unknown()),
    }),
    Function::new("point.distance", |call| match call.arguments {
        [Value::Point(a), Value::Point(b)] => distance(a, b),
        _ => Err(call.unknown()),
    }),
    Function::new("distance", |call| match call.arguments {
        [Value::Point(a), Value::Point(b)] => distance(a, b),
        _ => Err(call.unknown()),
    }),
];

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

const CARTESIAN: i64 = 7203;
const CARTESIAN_3D: i64 = 9157;
const WGS_84: i64 = 4326;
const WGS_84_3D: i64 = 4979;
/// The mean radius that Neo4j takes.
const EARTH_RADIUS_M: f64 = 6_378_140.0;
