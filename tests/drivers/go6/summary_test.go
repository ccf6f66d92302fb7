// What a summary says of a query: counters, type, status, server and notifications.

package conformance

import (
	"testing"

	"conformance/neo4j"
)

func TestCountersNameWhatAWriteCreated(t *testing.T) {
	label := uniqueLabel(t)
	summary := consume(t, openSession(t), "CREATE (a:"+label+":Two {x: 1, y: 2})-[:TO {z: 3}]->(b:"+label+")", nil)
	counters := summary.Counters()
	created := []int{counters.NodesCreated(), counters.LabelsAdded(), counters.PropertiesSet(), counters.RelationshipsCreated()}
	equal(t, created, []int{2, 3, 3, 1})
	equal(t, counters.ContainsUpdates(), true)
	equal(t, summary.StatementType().String(), "w")
}

func TestCountersNameWhatAWriteDeleted(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	consume(t, s, "CREATE (:"+label+")-[:TO]->(:"+label+")", nil)
	counters := consume(t, s, "MATCH (n:"+label+") DETACH DELETE n", nil).Counters()
	equal(t, []int{counters.NodesDeleted(), counters.RelationshipsDeleted(), counters.NodesCreated()}, []int{2, 1, 0})
}

func TestCountersOfAReadAreEmpty(t *testing.T) {
	counters := consume(t, openSession(t), "RETURN 1", nil).Counters()
	equal(t, counters.ContainsUpdates() || counters.ContainsSystemUpdates(), false)
}

func TestAWriteThatReturnsRowsIsAReadAndWrite(t *testing.T) {
	label := uniqueLabel(t)
	equal(t, consume(t, openSession(t), "CREATE (n:"+label+") RETURN n", nil).StatementType().String(), "rw")
}

func TestASummaryDescribesServerDatabaseAndQuery(t *testing.T) {
	summary := consume(t, openSession(t), "RETURN $x AS x", with{"x": int64(1)})
	namesTheServer(t, summary.Server())
	equal(t, summary.Database().Name(), "neo4j")
	equal(t, summary.Query().Text(), "RETURN $x AS x")
	equal(t, summary.Query().Parameters(), with{"x": int64(1)})
	if summary.ResultAvailableAfter() < 0 || summary.ResultConsumedAfter() < 0 {
		t.Fatal("the server says no times")
	}
}

func TestTheOutcomeIsAGQLStatus(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	for query, status := range map[string]string{
		"RETURN 1":                "00000",
		"UNWIND [] AS n RETURN n": "02000",
		"CREATE (:" + label + ")": "00001",
	} {
		result := run(t, s, query, nil)
		read(t, result, 10)
		summary, err := result.Consume(t.Context())
		succeed(t, err)
		equal(t, summary.GqlStatusObjects()[0].GqlStatus(), status)
	}
}

func TestAnUnknownLabelIsNotifiedOf(t *testing.T) {
	label := uniqueLabel(t)
	notifications := consume(t, openSession(t), "MATCH (n:"+label+") RETURN n", nil).Notifications()
	equal(t, len(notifications), 1)
	equal(t, notifications[0].Code(), "Neo.ClientNotification.Statement.UnknownLabelWarning")
	equal(t, notifications[0].SeverityLevel(), neo4j.Warning)
	equal(t, notifications[0].Category(), neo4j.Unrecognized)
	equal(t, notifications[0].Position().Column(), 10)
}

func TestFilteredNotificationsStayAway(t *testing.T) {
	needsBolt(t, 5, 2)
	label := uniqueLabel(t)
	quiet := openDriver(t, func(config *neo4j.Config) { config.NotificationsMinSeverity = neo4j.DisabledLevel })
	summary := consume(t, sessionOf(t, quiet, neo4j.SessionConfig{}), "MATCH (n:"+label+") RETURN n", nil)
	equal(t, len(summary.Notifications()), 0)
}

func TestASessionMayDisableOneCategoryOfNotifications(t *testing.T) {
	needsBolt(t, 5, 2)
	label := uniqueLabel(t)
	config := neo4j.SessionConfig{NotificationsDisabledCategories: neo4j.DisableCategories(neo4j.Unrecognized)}
	summary := consume(t, sessionOf(t, openDriver(t), config), "MATCH (n:"+label+") RETURN n", nil)
	equal(t, len(summary.Notifications()), 0)
}
