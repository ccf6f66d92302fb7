// The server under test, named by BB_TEST_URI, BB_TEST_USER and BB_TEST_PASSWORD (with
// BB_TEST_DIRECT=0 when a pooler stands in front of it), and what tests open there.
// Each ends with its test, in the order in which they were asked for: open the session
// first, so that its locks are gone before the nodes of the label are deleted.

import { randomUUID } from 'node:crypto'
import neo4j from 'neo4j-driver'

export const uri = required('BB_TEST_URI')
export const user = required('BB_TEST_USER')
export const password = required('BB_TEST_PASSWORD')

export function openDriver (t, { scheme, secret = password, ...config } = {}) {
  const driver = connect(config, scheme, secret)
  t.after(() => driver.close())
  return driver
}

export function openSession (t, config = {}, driverConfig = {}) {
  const driver = connect(driverConfig)
  const session = driver.session(config)
  t.after(async () => {
    await session.close()
    await driver.close()
  })
  return session
}

// A label no other test uses; its nodes are deleted after the test.
export function uniqueLabel (t) {
  const label = `T${randomUUID().replaceAll('-', '')}`
  t.after(() => runOnce(`MATCH (n:${label}) DETACH DELETE n`))
  return label
}

// Counts the committed nodes of a label through a connection of its own.
export async function stored (label) {
  const records = await runOnce(`MATCH (n:${label}) RETURN count(n) AS count`)
  return records[0].get('count').toNumber()
}

async function runOnce (query) {
  const driver = connect({})
  try {
    const { records } = await driver.executeQuery(query)
    return records
  } finally {
    await driver.close()
  }
}

function connect (config, scheme = 'bolt', secret = password) {
  const target = uri.replace(/^bolt/, scheme)
  return neo4j.driver(target, neo4j.auth.basic(user, secret), config)
}

function required (name) {
  const value = process.env[name]
  if (!value) throw new Error(`set ${name} to name the server`)
  return value
}
