// Values travel to the server as parameters and come back unchanged.

import assert from 'node:assert/strict'
import test from 'node:test'
import neo4j from 'neo4j-driver'
import { openSession, uniqueLabel } from './server.mjs'

const { Date, DateTime, Duration, LocalDateTime, LocalTime, Time } = neo4j.types

async function echo (session, value) {
  const { records } = await session.run('RETURN $x AS x', { x: value })
  assert.equal(records.length, 1)
  return records[0].get('x')
}

test('null, booleans, floats and strings survive', async t => {
  const session = openSession(t)
  const values = [null, true, false, 1.5, -1e308, Infinity, '', '日本語 🐘', 'a\0b']
  assert.deepEqual(await echo(session, values), values)
  assert.ok(Number.isNaN(await echo(session, NaN)))
  assert.ok(Object.is(await echo(session, -0.0), -0))
})

test('a string longer than one chunk survives', async t => {
  const value = '0123456789'.repeat(10_000) + 'é'
  assert.equal(await echo(openSession(t), value), value)
})

test('64-bit integers are lossless Integer objects by default', async t => {
  const session = openSession(t)
  for (const text of ['9223372036854775807', '-9223372036854775808', '9007199254740993', '0']) {
    const answer = await echo(session, neo4j.int(text))
    assert.ok(neo4j.isInt(answer))
    assert.equal(answer.toString(), text)
  }
})

test('64-bit integers are BigInts on request', async t => {
  const session = openSession(t, {}, { useBigInt: true })
  const values = [9223372036854775807n, -9223372036854775808n, 2147483648n, -129n, 1n]
  assert.deepEqual(await echo(session, values), values)
})

test('integers become numbers when lossless integers are off', async t => {
  const session = openSession(t, {}, { disableLosslessIntegers: true })
  const { records } = await session.run('RETURN 42 AS small, 9007199254740991 AS safe')
  assert.deepEqual(records[0].toObject(), { small: 42, safe: Number.MAX_SAFE_INTEGER })
})

test('bytes survive at every length boundary', async t => {
  const session = openSession(t)
  for (const size of [0, 255, 256, 65_535, 65_536]) {
    const value = Int8Array.from({ length: size }, (_, i) => i % 128)
    assert.deepEqual(Int8Array.from(await echo(session, value)), value)
  }
})

test('lists and maps nest', async t => {
  const value = { list: [[], {}, [1.5, 'two', null, [true]]], map: { a: { b: { c: 'd' } } } }
  assert.deepEqual(await echo(openSession(t), value), value)
})

test('temporal values survive', async t => {
  const session = openSession(t)
  const values = [
    new Date(2024, 2, 29),
    new LocalTime(1, 2, 3, 4),
    new Time(23, 59, 58, 123456789, -12600),
    new LocalDateTime(1955, 11, 5, 6, 15, 0, 42),
    new DateTime(1969, 12, 31, 23, 59, 59, 999999999, 19800),
    new DateTime(2024, 7, 15, 12, 30, 0, 500, 7200, 'Europe/Stockholm'),
    new Duration(14, -3, 4, 5)
  ]
  for (const value of values) {
    const answer = await echo(session, value)
    assert.equal(answer.constructor, value.constructor)
    assert.equal(answer.toString(), value.toString())
  }
})

test('points keep their coordinates and reference system', async t => {
  const session = openSession(t)
  const points = [
    [7203, 1.5, -2.5],
    [9157, 1.5, -2.5, 3.25],
    [4326, 12.9, 55.6],
    [4979, 12.9, 55.6, 40]
  ]
  for (const [srid, ...coordinates] of points) {
    const answer = await echo(session, new neo4j.types.Point(neo4j.int(srid), ...coordinates))
    assert.ok(neo4j.isPoint(answer))
    assert.equal(answer.srid.toNumber(), srid)
    assert.deepEqual([answer.x, answer.y, answer.z].slice(0, coordinates.length), coordinates)
  }
})

test('nodes, relationships and paths can be walked', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  const query = `CREATE p = (a:${label}:Two {n: 'a'})-[:FIRST {since: 'now'}]->(:${label} {n: 'b'})` +
    `-[:SECOND]->(:${label} {n: 'c'}) RETURN p, a, elementId(a) AS id`
  const { records: [record] } = await session.run(query)
  const { p: path, a: node, id } = record.toObject()
  assert.ok(neo4j.isPath(path) && neo4j.isNode(node))
  assert.equal(node.elementId, id)
  assert.deepEqual(node.labels.toSorted(), [label, 'Two'].toSorted())
  assert.deepEqual(node.properties, { n: 'a' })
  assert.equal(path.length, 2)
  assert.deepEqual(path.segments.map(segment => segment.relationship.type), ['FIRST', 'SECOND'])
  assert.deepEqual(path.segments.map(segment => segment.end.properties.n), ['b', 'c'])
  const [{ relationship }] = path.segments
  assert.ok(neo4j.isRelationship(relationship))
  assert.deepEqual(relationship.properties, { since: 'now' })
  assert.equal(relationship.startNodeElementId, node.elementId)
  assert.equal(relationship.endNodeElementId, path.segments[1].start.elementId)
})
