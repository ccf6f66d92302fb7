// Commit, rollback, access modes and bookmarks.

import assert from 'node:assert/strict'
import test from 'node:test'
import neo4j from 'neo4j-driver'
import { openDriver, openSession, stored, uniqueLabel } from './server.mjs'

const ACCESS_MODE = { code: 'Neo.ClientError.Statement.AccessMode' }

test('a commit is visible to another session, uncommitted writes are not', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  const tx = await session.beginTransaction()
  await tx.run(`CREATE (:${label})`)
  const { records } = await tx.run(`MATCH (n:${label}) RETURN n`)
  assert.equal(records.length, 1)
  assert.equal(await stored(label), 0)
  await tx.commit()
  assert.equal(await stored(label), 1)
})

test('rollback and close leave nothing behind', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  for (const end of ['rollback', 'close']) {
    const tx = await session.beginTransaction()
    await tx.run(`CREATE (:${label})`)
    await tx[end]()
    assert.equal(tx.isOpen(), false)
  }
  assert.equal(await stored(label), 0)
})

test('an error fails the transaction and leaves the session usable', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  const tx = await session.beginTransaction()
  await tx.run(`CREATE (:${label})`)
  await assert.rejects(tx.run('RETURN 1/0'), { code: 'Neo.ClientError.Statement.ArithmeticError' })
  await assert.rejects(tx.commit())
  assert.equal(await stored(label), 0)
  const { records } = await session.run("RETURN 'usable' AS word")
  assert.equal(records[0].get('word'), 'usable')
})

test('executeWrite stores what executeRead finds', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  await session.executeWrite(tx => tx.run(`CREATE (:${label} {name: $name})`, { name: 'Ada' }))
  const names = await session.executeRead(async tx => {
    const { records } = await tx.run(`MATCH (n:${label}) RETURN n.name AS name`)
    return records.map(record => record.get('name'))
  })
  assert.deepEqual(names, ['Ada'])
})

test('a write with read access is refused', async t => {
  const session = openSession(t, { defaultAccessMode: neo4j.session.READ })
  const label = uniqueLabel(t)
  await assert.rejects(session.run(`CREATE (:${label})`), ACCESS_MODE)
  await assert.rejects(session.executeRead(tx => tx.run(`CREATE (:${label})`)), ACCESS_MODE)
  assert.equal(await stored(label), 0)
})

test('a write returns a bookmark the next session accepts', async t => {
  const session = openSession(t)
  const label = uniqueLabel(t)
  assert.deepEqual(session.lastBookmarks(), [])
  await session.run(`CREATE (:${label})`)
  const bookmarks = session.lastBookmarks()
  assert.equal(bookmarks.length, 1)
  const reader = openSession(t, { bookmarks, defaultAccessMode: neo4j.session.READ })
  const { records } = await reader.run(`MATCH (n:${label}) RETURN n`)
  assert.equal(records.length, 1)
})

test('thirty open transactions each get their own answer', async t => {
  const driver = openDriver(t)
  const numbers = Array.from({ length: 30 }, (_, i) => i)
  const open = await Promise.all(numbers.map(() => driver.session().beginTransaction()))
  const answers = await Promise.all(open.map(async (tx, i) => {
    const { records } = await tx.run('RETURN $i AS i', { i: neo4j.int(i) })
    await tx.commit()
    return records[0].get('i').toNumber()
  }))
  assert.deepEqual(answers, numbers)
})
