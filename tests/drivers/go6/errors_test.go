// Failures carry the server's own codes and leave the session usable.

package conformance

import (
	"regexp"
	"strings"
	"testing"

	"conformance/neo4j"
)

func TestEveryErrorHasItsCodeAndLeavesTheSessionUsable(t *testing.T) {
	s := openSession(t)
	for query, code := range map[string]string{
		"RETRUN 1":                 "Neo.ClientError.Statement.SyntaxError",
		"RETURN nobody":            "Neo.ClientError.Statement.SyntaxError",
		"RETURN $absent":           "Neo.ClientError.Statement.ParameterMissing",
		"RETURN 1/0":               "Neo.ClientError.Statement.ArithmeticError",
		"CALL no.such.procedure()": "Neo.ClientError.Procedure.ProcedureNotFound",
	} {
		equal(t, failure(t, s, query, nil).Code, code)
		usable(t, s)
	}
}

func TestOneConnectionSurvivesRepeatedFailures(t *testing.T) {
	driver := openDriver(t, oneConnection)
	for range 5 {
		s := sessionOf(t, driver, neo4j.SessionConfig{})
		failure(t, s, "RETURN 1/0", nil)
		usable(t, s)
		succeed(t, s.Close(t.Context()))
	}
}

func TestAnErrorAfterSomeRecordsEndsTheStream(t *testing.T) {
	s := fetching(t, 1)
	result := run(t, s, "UNWIND [2, 1, 0] AS n RETURN 2/n", nil)
	equal(t, result.Next(t.Context()), true)
	_, err := result.Collect(t.Context())
	equal(t, serverError(t, err).Code, "Neo.ClientError.Statement.ArithmeticError")
	usable(t, s)
}

func TestAMapCannotBeAProperty(t *testing.T) {
	label := uniqueLabel(t)
	answer := failure(t, openSession(t), "CREATE (:"+label+" {map: $map})", with{"map": with{"a": 1}})
	equal(t, answer.Code, "Neo.ClientError.Statement.TypeError")
}

func TestANodeWithRelationshipsCannotBeDeleted(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	consume(t, s, "CREATE (:"+label+")-[:TO]->(:"+label+")", nil)
	equal(t, failure(t, s, "MATCH (n:"+label+") DELETE n", nil).Code, "Neo.ClientError.Schema.ConstraintValidationFailed")
	equal(t, stored(t, label), 2)
}

func TestAnUnknownDatabaseIsNotFound(t *testing.T) {
	s := sessionOf(t, openDriver(t), neo4j.SessionConfig{DatabaseName: "nosuchdatabase"})
	equal(t, failure(t, s, "RETURN 1", nil).Code, "Neo.ClientError.Database.DatabaseNotFound")
	_, err := s.BeginTransaction(t.Context())
	equal(t, serverError(t, err).Code, "Neo.ClientError.Database.DatabaseNotFound")
}

func TestImpersonationNeedsTheEnterpriseEdition(t *testing.T) {
	driver := openDriver(t, oneConnection)
	s := sessionOf(t, driver, neo4j.SessionConfig{ImpersonatedUser: "somebody"})
	answer := failure(t, s, "RETURN 1", nil)
	equal(t, answer.Code, "Neo.ClientError.Statement.ArgumentError")
	equal(t, strings.Contains(answer.Msg, "Impersonation is not supported"), true)
	_, err := s.BeginTransaction(t.Context())
	equal(t, serverError(t, err).Code, "Neo.ClientError.Statement.ArgumentError")
	succeed(t, s.Close(t.Context()))
	answers(t, driver)
}

func TestErrorsCarryAGQLStatus(t *testing.T) {
	needsBolt(t, 5, 7)
	answer := failure(t, openSession(t), "RETURN 1/0", nil)
	equal(t, regexp.MustCompile("^[0-9A-Z]{5}$").MatchString(answer.GqlStatus), true)
	equal(t, strings.HasPrefix(answer.GqlStatusDescription, "error: "), true)
	for _, key := range []string{"OPERATION", "OPERATION_CODE", "CURRENT_SCHEMA"} {
		_, there := answer.GqlDiagnosticRecord[key]
		equal(t, there, true)
	}
}

func TestAClosedDriverRefusesWork(t *testing.T) {
	driver := openDriver(t)
	s := sessionOf(t, driver, neo4j.SessionConfig{})
	usable(t, s)
	succeed(t, driver.Close(t.Context()))
	succeed(t, driver.Close(t.Context()))
	_, err := driver.NewSession(t.Context(), neo4j.SessionConfig{}).Run(t.Context(), "RETURN 1", nil)
	equal(t, neo4j.IsUsageError(err), true)
	if _, err := s.Run(t.Context(), "RETURN 1", nil); err == nil {
		t.Fatal("a session of a closed driver runs a query")
	}
}

func TestAClosedSessionRefusesWork(t *testing.T) {
	s := openSession(t)
	succeed(t, s.Close(t.Context()))
	_, err := s.Run(t.Context(), "RETURN 1", nil)
	equal(t, neo4j.IsUsageError(err), true)
}
