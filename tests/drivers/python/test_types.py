"""Values travel to the server as parameters and come back unchanged."""

from __future__ import annotations

import datetime
import math

import pytest
import pytz
from neo4j import Session
from neo4j.spatial import CartesianPoint, Point, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time


def echo(session: Session, value: object) -> object:
    return session.run("RETURN $x AS x", x=value).single(strict=True)["x"]


@pytest.mark.parametrize("value", [None, True, False])
def test_null_and_booleans_keep_their_identity(session: Session, value: object) -> None:
    assert echo(session, value) is value


@pytest.mark.parametrize("edge", [4, 7, 8, 15, 16, 31, 32, 63])
def test_integers_survive_around_every_encoding_boundary(
    session: Session, edge: int
) -> None:
    candidates = [s * 2**edge + d for s in (-1, 1) for d in (-1, 0, 1)]
    values = [n for n in candidates if -(2**63) <= n < 2**63]
    answer = echo(session, values)
    assert answer == values
    assert all(type(n) is int for n in answer)


@pytest.mark.parametrize("value", [0.0, 1.5, -0.1, 1e308, 5e-324, math.inf, -math.inf])
def test_floats_are_exact(session: Session, value: float) -> None:
    answer = echo(session, value)
    assert type(answer) is float
    assert answer == value


def test_nan_stays_nan_and_negative_zero_keeps_its_sign(session: Session) -> None:
    nan, zero = echo(session, [math.nan, -0.0])
    assert math.isnan(nan)
    assert math.copysign(1.0, zero) == -1.0


@pytest.mark.parametrize(
    "value", ["", "plain", "äöü ß €", "日本語", "🐘👩‍👩‍👧", "a\0b\n'\"\\"]
)
def test_strings_are_unicode(session: Session, value: str) -> None:
    assert echo(session, value) == value


def test_a_string_longer_than_one_chunk_survives(session: Session) -> None:
    value = "0123456789" * 10_000 + "é"
    assert echo(session, value) == value


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536])
def test_bytes_survive_at_every_length_boundary(session: Session, size: int) -> None:
    value = bytes(i % 256 for i in range(size))
    assert echo(session, value) == value


@pytest.mark.parametrize("size", [0, 15, 16, 255, 256, 70_000])
def test_lists_survive_at_every_length_boundary(session: Session, size: int) -> None:
    value = list(range(size))
    assert echo(session, value) == value


def test_lists_and_maps_nest(session: Session) -> None:
    value = {
        "empty": [{}, []],
        "mixed": [1, "two", 3.0, None, True, [[["deep"]]]],
        "map": {"inner": {"wide": {f"key{i}": i for i in range(300)}}},
    }
    assert echo(session, value) == value


def test_record_keys_keep_the_order_of_the_return_clause(session: Session) -> None:
    record = session.run("RETURN 1 AS z, 2 AS a, 3 AS m").single(strict=True)
    assert record.keys() == ["z", "a", "m"]
    assert record.values() == [1, 2, 3]
    assert dict(record) == {"z": 1, "a": 2, "m": 3}


def test_parameters_can_be_indexed_and_unwound(session: Session) -> None:
    query = "UNWIND $rows AS row RETURN row.name AS name, row.tags[1] AS tag"
    rows = [{"name": "a", "tags": [1, 2]}, {"name": "b", "tags": [3]}]
    assert session.run(query, rows=rows).values() == [["a", 2], ["b", None]]


def test_literals_have_the_types_their_syntax_says(session: Session) -> None:
    record = session.run("RETURN 1, 1.0, 'a', true, null, [1, 'b'], {k: 1}").single()
    assert [type(value) for value in record.values()] == [
        int,
        float,
        str,
        bool,
        type(None),
        list,
        dict,
    ]


@pytest.mark.parametrize(
    "value", [Date(2024, 2, 29), Date(1, 1, 1), Date(1969, 12, 31)]
)
def test_dates_survive(session: Session, value: Date) -> None:
    answer = echo(session, value)
    assert type(answer) is Date
    assert answer == value


@pytest.mark.parametrize("minutes", [0, 330, -480])
def test_times_keep_their_offset(session: Session, minutes: int) -> None:
    value = Time(23, 59, 58, 123_456_789, tzinfo=pytz.FixedOffset(minutes))
    answer = echo(session, value)
    assert answer == value
    assert answer.utcoffset() == datetime.timedelta(minutes=minutes)
    assert answer.nanosecond == 123_456_789


def test_local_times_have_no_offset(session: Session) -> None:
    value = Time(0, 0, 0, 1)
    answer = echo(session, value)
    assert answer == value
    assert answer.tzinfo is None


@pytest.mark.parametrize("year", [1900, 1969, 2024])
def test_date_times_keep_their_offset(session: Session, year: int) -> None:
    offset = pytz.FixedOffset(-210)
    value = DateTime(year, 12, 31, 23, 59, 59, 999_999_999, tzinfo=offset)
    answer = echo(session, value)
    assert answer == value
    assert answer.utcoffset() == datetime.timedelta(minutes=-210)
    assert answer.iso_format() == value.iso_format()


@pytest.mark.parametrize("month, hours", [(1, 1), (7, 2)])
def test_date_times_keep_their_named_zone(
    session: Session, month: int, hours: int
) -> None:
    zone = pytz.timezone("Europe/Stockholm")
    value = zone.localize(DateTime(2024, month, 15, 12, 30, 0, 500))
    answer = echo(session, value)
    assert answer == value
    assert str(answer.tzinfo) == "Europe/Stockholm"
    assert answer.utcoffset() == datetime.timedelta(hours=hours)


def test_local_date_times_have_no_zone(session: Session) -> None:
    value = DateTime(1955, 11, 5, 6, 15, 0, 42)
    answer = echo(session, value)
    assert answer == value
    assert answer.tzinfo is None


def test_native_datetimes_are_accepted_and_returned(session: Session) -> None:
    value = datetime.datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=datetime.UTC)
    assert echo(session, value).to_native() == value
    assert echo(session, value.date()).to_native() == value.date()


@pytest.mark.parametrize(
    "value",
    [
        Duration(),
        Duration(months=14, days=3, seconds=4, nanoseconds=5),
        Duration(months=-1, days=-2, seconds=-3, nanoseconds=-4),
        Duration(days=40, hours=30),
    ],
)
def test_durations_keep_their_four_parts(session: Session, value: Duration) -> None:
    answer = echo(session, value)
    assert type(answer) is Duration
    assert tuple(answer) == tuple(value)


@pytest.mark.parametrize(
    "value, srid",
    [
        (CartesianPoint((1.5, -2.5)), 7203),
        (CartesianPoint((1.5, -2.5, 3.25)), 9157),
        (WGS84Point((12.99, 55.61)), 4326),
        (WGS84Point((12.99, 55.61, 40.0)), 4979),
    ],
)
def test_points_keep_their_coordinates_and_reference_system(
    session: Session, value: Point, srid: int
) -> None:
    answer = echo(session, value)
    assert type(answer) is type(value)
    assert tuple(answer) == tuple(value)
    assert answer.srid == srid


def test_temporal_values_and_points_nest_in_collections(session: Session) -> None:
    value = {"list": [Date(2000, 1, 1), CartesianPoint((0.0, 1.0))], "t": Time(1, 2, 3)}
    assert echo(session, value) == value
