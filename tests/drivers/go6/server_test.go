// Package conformance tests a driver on the server that BB_TEST_URI, BB_TEST_USER and
// BB_TEST_PASSWORD name; BB_TEST_DIRECT=0 says that a pooler stands in front of it. Here is what the
// tests open there. It ends with its test, last opened first: ask for the label before the session,
// so that no transaction that a failing test left open blocks the deletion of its nodes.
package conformance

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"conformance/neo4j"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"BB_TEST_URI", "BB_TEST_USER", "BB_TEST_PASSWORD"} {
		if os.Getenv(name) == "" {
			println("set " + name + " to name the server")
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// direct skips what needs the server to see this driver's own connection.
func direct(t *testing.T) {
	if os.Getenv("BB_TEST_DIRECT") == "0" {
		t.Skip("a pooler stands between driver and server")
	}
}

// needsBolt skips what an older protocol doesn't have.
func needsBolt(t *testing.T, major, minor int) {
	t.Helper()
	protocol := consume(t, openSession(t), "RETURN 1", nil).Server().ProtocolVersion()
	if protocol.Major < major || protocol.Major == major && protocol.Minor < minor {
		t.Skipf("Bolt %d.%d doesn't have it", protocol.Major, protocol.Minor)
	}
}

func uri() string { return os.Getenv("BB_TEST_URI") }

func routedURI() string { return strings.Replace(uri(), "bolt", "neo4j", 1) }

func token() neo4j.AuthToken {
	return neo4j.BasicAuth(os.Getenv("BB_TEST_USER"), os.Getenv("BB_TEST_PASSWORD"), "")
}

func wrongToken() neo4j.AuthToken {
	return neo4j.BasicAuth(os.Getenv("BB_TEST_USER"), "not "+os.Getenv("BB_TEST_PASSWORD"), "")
}

func openDriver(t *testing.T, options ...func(*neo4j.Config)) neo4j.Driver {
	return openDriverAt(t, uri(), token(), options...)
}

func openDriverAt(t *testing.T, uri string, tokens neo4j.TokenManager, options ...func(*neo4j.Config)) neo4j.Driver {
	t.Helper()
	driver, err := neo4j.NewDriver(uri, tokens, options...)
	succeed(t, err)
	t.Cleanup(func() { driver.Close(context.Background()) })
	return driver
}

func oneConnection(config *neo4j.Config) { config.MaxConnectionPoolSize = 1 }

// session is the driver's, with the Run that transactions have too.
type session struct{ neo4j.Session }

func (s session) Run(ctx context.Context, query string, parameters map[string]any) (neo4j.Result, error) {
	return s.Session.Run(ctx, query, parameters)
}

func openSession(t *testing.T) session {
	return sessionOf(t, openDriver(t), neo4j.SessionConfig{})
}

func sessionOf(t *testing.T, driver neo4j.Driver, config neo4j.SessionConfig) session {
	s := driver.NewSession(t.Context(), config)
	t.Cleanup(func() { s.Close(context.Background()) })
	return session{s}
}

func begin(t *testing.T, s session, options ...func(*neo4j.TransactionConfig)) neo4j.ExplicitTransaction {
	t.Helper()
	tx, err := s.BeginTransaction(t.Context(), options...)
	succeed(t, err)
	return tx
}

// uniqueLabel is one that no other test uses; its nodes are deleted after the test.
func uniqueLabel(t *testing.T) string {
	label := "T" + rand.Text()
	driver := openDriver(t)
	t.Cleanup(func() {
		_, err := execute(context.Background(), driver, "MATCH (n:"+label+") DETACH DELETE n", nil)
		succeed(t, err)
	})
	return label
}

// stored counts the committed nodes of a label through a connection of its own.
func stored(t *testing.T, label string) int64 {
	t.Helper()
	return one(t, openSession(t), "MATCH (n:"+label+") RETURN count(n)", nil).(int64)
}

func execute(
	ctx context.Context, driver neo4j.Driver, query string, parameters with, options ...neo4j.ExecuteQueryOption,
) (*neo4j.EagerResult, error) {
	return neo4j.ExecuteQuery(ctx, driver, query, parameters, neo4j.EagerResultTransformer, options...)
}
