// The same server through both schemes, and what it says about itself.

package conformance

import (
	"net/url"
	"strings"
	"testing"

	"conformance/neo4j"
)

type serverInfo interface {
	Address() string
	Agent() string
	ProtocolVersion() neo4j.ProtocolVersion
}

func namesTheServer(t *testing.T, info serverInfo) {
	t.Helper()
	named, err := url.Parse(uri())
	succeed(t, err)
	equal(t, info.Address(), named.Host)
	equal(t, strings.HasPrefix(info.Agent(), "Neo4j/"), true)
	equal(t, info.ProtocolVersion().Major >= 4, true)
}

func TestBothSchemesVerifyConnectivityAndNameTheServer(t *testing.T) {
	for _, target := range []string{uri(), routedURI()} {
		driver := openDriverAt(t, target, token())
		succeed(t, driver.VerifyConnectivity(t.Context()))
		info, err := driver.GetServerInfo(t.Context())
		succeed(t, err)
		namesTheServer(t, info)
	}
}

func TestARoutedDriverWritesAndReads(t *testing.T) {
	label := uniqueLabel(t)
	driver := openDriverAt(t, routedURI(), token())
	for _, database := range []string{"", "neo4j"} {
		s := sessionOf(t, driver, neo4j.SessionConfig{DatabaseName: database})
		_, err := s.ExecuteWrite(t.Context(), creating(t, label))
		succeed(t, err)
		found, err := s.ExecuteRead(t.Context(), func(tx neo4j.ManagedTransaction) (any, error) {
			return rowsOf(t.Context(), tx, "MATCH (n:"+label+") RETURN count(n)", nil)
		})
		succeed(t, err)
		equal(t, found, any([][]any{{stored(t, label)}}))
	}
	equal(t, stored(t, label), 2)
}

func TestRoutedSessionsReachANamedDatabaseInBothModes(t *testing.T) {
	driver := openDriverAt(t, routedURI(), token())
	for _, config := range []neo4j.SessionConfig{
		{DatabaseName: "neo4j"},
		{DatabaseName: "neo4j", AccessMode: neo4j.AccessModeRead},
		{DatabaseName: "system", AccessMode: neo4j.AccessModeRead},
	} {
		summary := consume(t, sessionOf(t, driver, config), "SHOW DATABASES", nil)
		namesTheServer(t, summary.Server())
		equal(t, summary.Database().Name(), config.DatabaseName)
	}
}

func TestARoutedWriteInAReadTransactionIsRefused(t *testing.T) {
	label := uniqueLabel(t)
	s := sessionOf(t, openDriverAt(t, routedURI(), token()), neo4j.SessionConfig{})
	_, err := s.ExecuteRead(t.Context(), creating(t, label))
	equal(t, serverError(t, err).Code, accessMode)
}

func TestARoutedDriverPassesBookmarksBetweenQueries(t *testing.T) {
	label := uniqueLabel(t)
	driver := openDriverAt(t, routedURI(), token())
	_, err := execute(t.Context(), driver, "CREATE (:"+label+")", nil)
	succeed(t, err)
	answer, err := execute(t.Context(), driver, "MATCH (n:"+label+") RETURN n", nil, neo4j.ExecuteQueryWithReadersRouting())
	succeed(t, err)
	equal(t, len(answer.Records), 1)
}

func TestRoutingToAnUnknownDatabaseFails(t *testing.T) {
	driver := openDriverAt(t, routedURI(), token())
	s := sessionOf(t, driver, neo4j.SessionConfig{DatabaseName: "nosuchdatabase"})
	equal(t, failure(t, s, "RETURN 1", nil).Code, "Neo.ClientError.Database.DatabaseNotFound")
}

func TestAWrongPasswordIsRefusedWhereRoutesAreAsked(t *testing.T) {
	stranger := openDriverAt(t, routedURI(), wrongToken())
	equal(t, serverError(t, stranger.VerifyConnectivity(t.Context())).Code, unauthorized)
	usable(t, openSession(t))
}

func TestShowDatabasesListsNeo4jAndSystem(t *testing.T) {
	answer, err := execute(t.Context(), openDriver(t), "SHOW DATABASES", nil, neo4j.ExecuteQueryWithDatabase("system"))
	succeed(t, err)
	online := map[any]any{}
	for _, record := range answer.Records {
		database := record.AsMap()
		online[database["name"]] = database["currentStatus"]
	}
	equal(t, online["neo4j"], any("online"))
	equal(t, online["system"], any("online"))
}
