// The same server through the neo4j:// scheme, and what it says about itself.

import assert from 'node:assert/strict'
import test from 'node:test'
import neo4j from 'neo4j-driver'
import { openDriver, uniqueLabel } from './server.mjs'

test('a routed driver writes and reads', async t => {
  const driver = openDriver(t, { scheme: 'neo4j' })
  const label = uniqueLabel(t)
  await driver.executeQuery(`CREATE (:${label} {name: 'Ada'})`)
  const query = `MATCH (n:${label}) RETURN n.name AS name`
  const { records } = await driver.executeQuery(query, {}, { routing: neo4j.routing.READ })
  assert.deepEqual(records.map(record => record.get('name')), ['Ada'])
})

test('a routed session on a named database reaches it', async t => {
  const driver = openDriver(t, { scheme: 'neo4j' })
  const session = driver.session({ database: 'neo4j', defaultAccessMode: neo4j.session.READ })
  const { summary } = await session.run('RETURN 1')
  await session.close()
  assert.equal(summary.database.name, 'neo4j')
})

test('both schemes verify connectivity and name the server', async t => {
  for (const scheme of ['bolt', 'neo4j']) {
    const driver = openDriver(t, { scheme })
    const info = await driver.getServerInfo()
    assert.match(info.agent, /^Neo4j\//)
    assert.equal(await driver.supportsMultiDb(), true)
    if (await driver.supportsSessionAuth()) assert.equal(await driver.verifyAuthentication(), true)
  }
})

test('SHOW DATABASES lists neo4j and system', async t => {
  const { records } = await openDriver(t).executeQuery('SHOW DATABASES', {}, { database: 'system' })
  const names = records.map(record => record.get('name'))
  assert.ok(names.includes('neo4j') && names.includes('system'), `only ${names}`)
})

test('the connection of this driver is listed under its user agent', {
  skip: process.env.BB_TEST_DIRECT === '0' && 'a pooler stands between driver and server'
}, async t => {
  const userAgent = `conformance-${uniqueLabel(t)}`
  const driver = openDriver(t, { userAgent })
  const query = 'CALL dbms.listConnections() YIELD connectionId, userAgent RETURN connectionId, userAgent'
  const { records } = await driver.executeQuery(query)
  const own = records.filter(record => record.get('userAgent') === userAgent)
  assert.equal(own.length, 1)
  assert.match(own[0].get('connectionId'), /^bolt-\d+$/)
})
