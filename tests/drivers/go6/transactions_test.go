// Explicit transactions: commit, rollback, isolation, metadata.

package conformance

import (
	"testing"

	"conformance/neo4j"
)

func TestUncommittedWritesAreSeenInsideOnly(t *testing.T) {
	label := uniqueLabel(t)
	tx := begin(t, openSession(t))
	consume(t, tx, "CREATE (:"+label+" {v: 1})", nil)
	equal(t, column(t, tx, "MATCH (n:"+label+") RETURN n.v", nil), numbers(1, 1))
	equal(t, stored(t, label), 0)
	succeed(t, tx.Commit(t.Context()))
	equal(t, stored(t, label), 1)
}

func TestRollbackAndCloseLeaveNothingBehind(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	rolledBack := begin(t, s)
	consume(t, rolledBack, "CREATE (:"+label+")", nil)
	succeed(t, rolledBack.Rollback(t.Context()))
	closed := begin(t, s)
	consume(t, closed, "CREATE (:"+label+")", nil)
	succeed(t, closed.Close(t.Context()))
	equal(t, stored(t, label), 0)
}

func TestARollbackRestoresChangedAndDeletedData(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	consume(t, s, "CREATE (:"+label+" {v: 1}), (:"+label+" {v: 2})", nil)
	tx := begin(t, s)
	consume(t, tx, "MATCH (n:"+label+" {v: 1}) SET n.v = 10", nil)
	consume(t, tx, "MATCH (n:"+label+" {v: 2}) DELETE n", nil)
	succeed(t, tx.Rollback(t.Context()))
	equal(t, column(t, s, "MATCH (n:"+label+") RETURN n.v AS v ORDER BY v", nil), numbers(1, 2))
}

func TestALaterQueryOfATransactionBuildsOnAnEarlierOne(t *testing.T) {
	label := uniqueLabel(t)
	tx := begin(t, openSession(t))
	consume(t, tx, "CREATE (:"+label+" {v: 1})", nil)
	consume(t, tx, "MATCH (n:"+label+") SET n.v = n.v + 1", nil)
	consume(t, tx, "MATCH (n:"+label+") CREATE (n)-[:TO]->(:"+label+" {v: 9})", nil)
	equal(t, rows(t, tx, "MATCH (n:"+label+")-[:TO]->(m) RETURN n.v, m.v", nil), [][]any{{int64(2), int64(9)}})
	succeed(t, tx.Commit(t.Context()))
}

func TestAnErrorFailsTheTransactionAndUndoesIt(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	tx := begin(t, s)
	consume(t, tx, "CREATE (:"+label+")", nil)
	equal(t, failure(t, tx, "RETURN 1/0", nil).Code, "Neo.ClientError.Statement.ArithmeticError")
	if _, err := tx.Run(t.Context(), "RETURN 1", nil); err == nil {
		t.Fatal("a failed transaction runs another query")
	}
	if tx.Commit(t.Context()) == nil {
		t.Fatal("a failed transaction commits")
	}
	equal(t, stored(t, label), 0)
	usable(t, s)
}

func TestClosingTheSessionRollsBackItsOpenTransaction(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	consume(t, begin(t, s), "CREATE (:"+label+")", nil)
	succeed(t, s.Close(t.Context()))
	equal(t, stored(t, label), 0)
}

func TestASessionRunsManyTransactionsOneAfterAnother(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	for _, keep := range []bool{true, false, true, false, true} {
		tx := begin(t, s)
		consume(t, tx, "CREATE (:"+label+")", nil)
		if keep {
			succeed(t, tx.Commit(t.Context()))
		} else {
			succeed(t, tx.Rollback(t.Context()))
		}
	}
	equal(t, stored(t, label), 3)
}

func TestAnEmptyTransactionCommits(t *testing.T) {
	succeed(t, begin(t, openSession(t)).Commit(t.Context()))
}

func TestASessionHasOneTransactionAtATime(t *testing.T) {
	s := openSession(t)
	tx := begin(t, s)
	_, err := s.BeginTransaction(t.Context())
	equal(t, neo4j.IsUsageError(err), true)
	_, err = s.Run(t.Context(), "RETURN 1", nil)
	equal(t, neo4j.IsUsageError(err), true)
	succeed(t, tx.Commit(t.Context()))
}

func TestMetadataOfATransactionIsListedWithIt(t *testing.T) {
	purpose := uniqueLabel(t)
	tx := begin(t, openSession(t), neo4j.WithTxMetadata(with{"purpose": purpose}))
	listed := column(t, tx, "SHOW TRANSACTIONS YIELD metaData", nil)
	succeed(t, tx.Commit(t.Context()))
	found := 0
	for _, metadata := range listed {
		if metadata.(with)["purpose"] == purpose {
			found++
		}
	}
	equal(t, found, 1)
}

func TestAnOpenTransactionSeesWhatAnotherCommitsMeanwhile(t *testing.T) {
	label := uniqueLabel(t)
	reader := begin(t, openSession(t))
	count := "MATCH (n:" + label + ") RETURN count(n)"
	equal(t, one(t, reader, count, nil), any(int64(0)))
	consume(t, openSession(t), "CREATE (:"+label+")", nil)
	equal(t, one(t, reader, count, nil), any(int64(1)))
	succeed(t, reader.Commit(t.Context()))
}
