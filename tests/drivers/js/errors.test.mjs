// Failures carry the server's own codes and leave the connection usable.

import assert from 'node:assert/strict'
import test from 'node:test'
import { openDriver, openSession } from './server.mjs'

const CODES = {
  'RETRUN 1': 'Neo.ClientError.Statement.SyntaxError',
  'RETURN $absent': 'Neo.ClientError.Statement.ParameterMissing',
  'RETURN 1/0': 'Neo.ClientError.Statement.ArithmeticError',
  'CALL no.such.procedure()': 'Neo.ClientError.Procedure.ProcedureNotFound'
}

for (const [query, code] of Object.entries(CODES)) {
  test(`${query} fails with ${code}`, async t => {
    const session = openSession(t)
    await assert.rejects(session.run(query), { code, retriable: false })
    const { records } = await session.run("RETURN 'usable' AS word")
    assert.equal(records[0].get('word'), 'usable')
  })
}

test('an unknown database is not found', async t => {
  const session = openSession(t, { database: 'nosuchdatabase' })
  await assert.rejects(session.run('RETURN 1'), { code: 'Neo.ClientError.Database.DatabaseNotFound' })
})

// One wrong try only: a third within five seconds would lock the user.
test('a wrong password is refused and the right one still works', async t => {
  const stranger = openDriver(t, { secret: 'not the password' })
  await assert.rejects(stranger.verifyConnectivity(), { code: 'Neo.ClientError.Security.Unauthorized' })
  const { records } = await openDriver(t).executeQuery("RETURN 'welcome' AS word")
  assert.equal(records[0].get('word'), 'welcome')
})

test('errors carry a GQL status', async t => {
  const session = openSession(t)
  const { summary } = await session.run('RETURN 1')
  const protocol = summary.server.protocolVersion
  if (Number(protocol) < 5.7) return t.skip(`Bolt ${protocol} carries no GQL status`)
  await assert.rejects(session.run('RETURN 1/0'), error => {
    assert.match(error.gqlStatus, /^[0-9A-Z]{5}$/)
    assert.match(error.gqlStatusDescription, /^error: /)
    return true
  })
})

test('a transaction timeout cuts a long query short', async t => {
  const session = openSession(t)
  const query = 'UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*)'
  await assert.rejects(session.run(query, {}, { timeout: 1000 }), error => {
    assert.match(error.code, /^Neo\.ClientError\.Transaction\.TransactionTimedOut/)
    return true
  })
  const { records } = await session.run("RETURN 'usable' AS word")
  assert.equal(records[0].get('word'), 'usable')
})
