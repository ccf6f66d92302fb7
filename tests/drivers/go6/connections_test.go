// The connections of a driver as the server lists them.

package conformance

import (
	"crypto/rand"
	"strings"
	"testing"

	"conformance/neo4j"
)

func uniqueAgent() string { return "conformance/" + rand.Text() }

func named(agent string) func(*neo4j.Config) {
	return func(config *neo4j.Config) { config.UserAgent = agent }
}

// connections are the ids of those with a user agent.
func connections(t *testing.T, r runner, agent string) []any {
	t.Helper()
	query := "CALL dbms.listConnections() YIELD connectionId, userAgent WHERE userAgent = $agent RETURN connectionId"
	return column(t, r, query, with{"agent": agent})
}

func TestTheConnectionOfADriverIsListedUnderItsUserAgent(t *testing.T) {
	direct(t)
	agent := uniqueAgent()
	ids := connections(t, sessionOf(t, openDriver(t, named(agent)), neo4j.SessionConfig{}), agent)
	equal(t, len(ids), 1)
	equal(t, strings.HasPrefix(ids[0].(string), "bolt-"), true)
}

func TestAKilledIdleConnectionIsReplaced(t *testing.T) {
	direct(t)
	agent := uniqueAgent()
	driver := openDriver(t, named(agent))
	watcher := openSession(t)
	answers(t, driver)
	before := connections(t, watcher, agent)
	consume(t, watcher, "CALL dbms.killConnection($id)", with{"id": before[0]})
	_, err := execute(t.Context(), driver, "RETURN 1", nil)
	succeed(t, err)
	after := connections(t, watcher, agent)
	equal(t, len(after), 1)
	equal(t, after[0] != before[0], true)
}
