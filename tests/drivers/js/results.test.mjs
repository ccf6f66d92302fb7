// Streaming and summaries of results.

import assert from 'node:assert/strict'
import test from 'node:test'
import neo4j from 'neo4j-driver'
import { openDriver, openSession, uniqueLabel } from './server.mjs'

test('subscribe streams keys, records and the summary in order', async t => {
  const session = openSession(t, { fetchSize: 10 })
  const events = []
  await new Promise((resolve, reject) => {
    session.run('UNWIND range(1, 100) AS n RETURN n').subscribe({
      onKeys: keys => events.push(keys),
      onNext: record => events.push(record.get('n').toNumber()),
      onCompleted: summary => resolve(events.push(summary.queryType)),
      onError: reject
    })
  })
  assert.deepEqual(events, [['n'], ...Array.from({ length: 100 }, (_, i) => i + 1), 'r'])
})

test('a partly read result can be abandoned', async t => {
  const session = openSession(t, { fetchSize: 10 })
  const read = []
  for await (const record of session.run('UNWIND range(1, 1000) AS n RETURN n')) {
    if (read.push(record.get('n').toNumber()) === 15) break
  }
  assert.deepEqual(read, Array.from({ length: 15 }, (_, i) => i + 1))
  const { records } = await session.run("RETURN 'next' AS word")
  assert.equal(records[0].get('word'), 'next')
})

test('two results of a transaction interleave', async t => {
  const session = openSession(t, { fetchSize: 2 })
  const tx = await session.beginTransaction()
  const query = 'UNWIND range($first, $last) AS n RETURN n'
  const low = tx.run(query, { first: neo4j.int(1), last: neo4j.int(9) })[Symbol.asyncIterator]()
  const high = tx.run(query, { first: neo4j.int(101), last: neo4j.int(109) })[Symbol.asyncIterator]()
  for (let n = 1; n <= 9; n++) {
    assert.equal((await low.next()).value.get('n').toNumber(), n)
    assert.equal((await high.next()).value.get('n').toNumber(), n + 100)
  }
  await tx.commit()
})

test('a summary describes server, database and counters', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  const { summary } = await session.run(`CREATE (:${label} {a: 1})-[:TO]->(:${label})`)
  assert.equal(summary.queryType, 'w')
  assert.match(summary.server.agent, /^Neo4j\//)
  assert.ok(Number(summary.server.protocolVersion) >= 4.4)
  assert.equal(summary.database.name, 'neo4j')
  assert.ok(summary.resultAvailableAfter.toNumber() >= 0)
  const { nodesCreated, labelsAdded, propertiesSet, relationshipsCreated } = summary.counters.updates()
  assert.deepEqual([nodesCreated, labelsAdded, propertiesSet, relationshipsCreated], [2, 2, 1, 1])
})

test('an empty result still knows its keys', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  const result = session.run(`MATCH (n:${label}) RETURN n.a AS a, n.b AS b`)
  assert.deepEqual(await result.keys(), ['a', 'b'])
  assert.deepEqual((await result).records, [])
})

test('executeQuery returns keys, records and summary', async t => {
  const answer = await openDriver(t).executeQuery('UNWIND $xs AS x RETURN x', { xs: ['a', 'b'] })
  assert.deepEqual(answer.keys, ['x'])
  assert.deepEqual(answer.records.map(record => record.get('x')), ['a', 'b'])
  assert.equal(answer.summary.counters.containsUpdates(), false)
})
