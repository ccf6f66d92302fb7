// Managed transactions: what is retried, what isn't, and what access mode they have.

package conformance

import (
	"testing"

	"conformance/neo4j"
)

const accessMode = "Neo.ClientError.Statement.AccessMode"

// creating is the work of a managed transaction that also returns a number.
func creating(t *testing.T, label string) func(neo4j.ManagedTransaction) (any, error) {
	return func(tx neo4j.ManagedTransaction) (any, error) {
		rows, err := rowsOf(t.Context(), tx, "CREATE (n:"+label+") RETURN 7", nil)
		if err != nil {
			return nil, err
		}
		return rows[0][0], nil
	}
}

func TestExecuteWriteStoresWhatExecuteReadFinds(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	answer, err := s.ExecuteWrite(t.Context(), creating(t, label))
	succeed(t, err)
	equal(t, answer, any(int64(7)))
	found, err := s.ExecuteRead(t.Context(), func(tx neo4j.ManagedTransaction) (any, error) {
		return rowsOf(t.Context(), tx, "MATCH (n:"+label+") RETURN count(n)", nil)
	})
	succeed(t, err)
	equal(t, found, any([][]any{{int64(1)}}))
}

func TestATransientErrorIsRetriedAndTheFirstTryUndone(t *testing.T) {
	label := uniqueLabel(t)
	tries := 0
	_, err := openSession(t).ExecuteWrite(t.Context(), func(tx neo4j.ManagedTransaction) (any, error) {
		if _, err := creating(t, label)(tx); err != nil {
			return nil, err
		}
		if tries++; tries == 1 {
			return nil, &neo4j.Neo4jError{Code: "Neo.TransientError.Transaction.DeadlockDetected", Msg: "once"}
		}
		return nil, nil
	})
	succeed(t, err)
	equal(t, tries, 2)
	equal(t, stored(t, label), 1)
}

func TestAClientErrorIsNotRetried(t *testing.T) {
	label := uniqueLabel(t)
	tries := 0
	s := openSession(t)
	_, err := s.ExecuteWrite(t.Context(), func(tx neo4j.ManagedTransaction) (any, error) {
		tries++
		if _, err := creating(t, label)(tx); err != nil {
			return nil, err
		}
		return rowsOf(t.Context(), tx, "RETURN 1/0", nil)
	})
	equal(t, serverError(t, err).Code, "Neo.ClientError.Statement.ArithmeticError")
	equal(t, tries, 1)
	equal(t, stored(t, label), 0)
	usable(t, s)
}

func TestALostConnectionIsReplacedAndTheTransactionRetried(t *testing.T) {
	direct(t)
	label := uniqueLabel(t)
	agent := uniqueAgent()
	driver := openDriver(t, named(agent))
	killer := openSession(t)
	tries := 0
	s := sessionOf(t, driver, neo4j.SessionConfig{})
	_, err := s.ExecuteWrite(t.Context(), func(tx neo4j.ManagedTransaction) (any, error) {
		if _, err := creating(t, label)(tx); err != nil {
			return nil, err
		}
		if tries++; tries == 1 {
			consume(t, killer, "CALL dbms.killConnection($id)", with{"id": connections(t, killer, agent)[0]})
		}
		return rowsOf(t.Context(), tx, "RETURN 1", nil)
	})
	succeed(t, err)
	equal(t, tries, 2)
	equal(t, stored(t, label), 1)
}

func TestAWriteInExecuteReadIsRefused(t *testing.T) {
	label := uniqueLabel(t)
	_, err := openSession(t).ExecuteRead(t.Context(), creating(t, label))
	equal(t, serverError(t, err).Code, accessMode)
	equal(t, stored(t, label), 0)
}

func TestAWriteInAReadSessionIsRefused(t *testing.T) {
	label := uniqueLabel(t)
	s := sessionOf(t, openDriver(t), neo4j.SessionConfig{AccessMode: neo4j.AccessModeRead})
	equal(t, failure(t, s, "CREATE (:"+label+")", nil).Code, accessMode)
	tx := begin(t, s)
	equal(t, failure(t, tx, "CREATE (:"+label+")", nil).Code, accessMode)
	succeed(t, tx.Close(t.Context()))
	equal(t, stored(t, label), 0)
}

func TestAWriteOfExecuteQueryThroughReadersIsRefused(t *testing.T) {
	label := uniqueLabel(t)
	_, err := execute(t.Context(), openDriver(t), "CREATE (:"+label+")", nil, neo4j.ExecuteQueryWithReadersRouting())
	equal(t, serverError(t, err).Code, accessMode)
	equal(t, stored(t, label), 0)
}
