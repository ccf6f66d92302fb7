// Streaming, interleaving and abandoning results.

package conformance

import (
	"testing"

	"conformance/neo4j"
)

func fetching(t *testing.T, size int) session {
	return sessionOf(t, openDriver(t), neo4j.SessionConfig{FetchSize: size})
}

func read(t *testing.T, result neo4j.Result, count int) []any {
	t.Helper()
	values := []any{}
	for len(values) < count && result.Next(t.Context()) {
		values = append(values, result.Record().Values[0])
	}
	succeed(t, result.Err())
	return values
}

func TestEveryFetchSizeReadsAllRecordsInOrder(t *testing.T) {
	for _, size := range []int{1, 7, 1000, neo4j.FetchAll} {
		equal(t, column(t, fetching(t, size), "UNWIND range(1, 50) AS n RETURN n", nil), numbers(1, 50))
	}
}

func TestTenThousandRecordsArriveInOrder(t *testing.T) {
	equal(t, column(t, openSession(t), "UNWIND range(1, 10000) AS n RETURN n", nil), numbers(1, 10_000))
}

func TestAPartlyReadResultCanBeConsumed(t *testing.T) {
	s := fetching(t, 10)
	result := run(t, s, "UNWIND range(1, 1000) AS n RETURN n", nil)
	equal(t, read(t, result, 15), numbers(1, 15))
	summary, err := result.Consume(t.Context())
	succeed(t, err)
	equal(t, summary.StatementType().String(), "r")
	usable(t, s)
}

func TestAnUnreadResultDoesNotLeakIntoTheNextQuery(t *testing.T) {
	driver := openDriver(t, oneConnection)
	s := sessionOf(t, driver, neo4j.SessionConfig{FetchSize: 10})
	run(t, s, "UNWIND range(1, 500) AS n RETURN n", nil)
	usable(t, s)
	run(t, s, "UNWIND range(1, 500) AS n RETURN n", nil)
	succeed(t, s.Close(t.Context()))
	answers(t, driver)
}

func TestTwoResultsOfATransactionInterleave(t *testing.T) {
	tx := begin(t, fetching(t, 2))
	query := "UNWIND range($first, $last) AS n RETURN n"
	low := run(t, tx, query, with{"first": 1, "last": 9})
	high := run(t, tx, query, with{"first": 101, "last": 109})
	for n := int64(1); n <= 9; n++ {
		equal(t, read(t, low, 1), numbers(n, n))
		equal(t, read(t, high, 1), numbers(n+100, n+100))
	}
	succeed(t, tx.Commit(t.Context()))
}

func TestAnOpenResultSurvivesAQueryInBetween(t *testing.T) {
	tx := begin(t, fetching(t, 2))
	outer := run(t, tx, "UNWIND range(1, 5) AS n RETURN n", nil)
	for n := int64(1); n <= 5; n++ {
		equal(t, read(t, outer, 1), numbers(n, n))
		equal(t, one(t, tx, "RETURN $n * $n", with{"n": n}), any(n*n))
	}
	succeed(t, tx.Commit(t.Context()))
}

func TestACommitEndsResultsThatNobodyRead(t *testing.T) {
	label := uniqueLabel(t)
	s := fetching(t, 3)
	tx := begin(t, s)
	consume(t, tx, "CREATE (:"+label+")", nil)
	run(t, tx, "UNWIND range(1, 20) AS n RETURN n", nil)
	run(t, tx, "UNWIND range(1, 20) AS n RETURN n", nil)
	succeed(t, tx.Commit(t.Context()))
	equal(t, stored(t, label), 1)
	usable(t, s)
}

func TestDiscardingAnAutoCommitWriteStillCommitsIt(t *testing.T) {
	label := uniqueLabel(t)
	result := run(t, fetching(t, 3), "UNWIND range(1, 20) AS n CREATE (m:"+label+") RETURN n", nil)
	equal(t, read(t, result, 1), numbers(1, 1))
	_, err := result.Consume(t.Context())
	succeed(t, err)
	equal(t, stored(t, label), 20)
}

func TestAnEmptyResultStillKnowsItsKeys(t *testing.T) {
	label := uniqueLabel(t)
	result := run(t, openSession(t), "MATCH (n:"+label+") RETURN n.a AS a, n.b AS b", nil)
	keys, err := result.Keys()
	succeed(t, err)
	equal(t, keys, []string{"a", "b"})
	equal(t, read(t, result, 1), []any{})
}

func TestSingleDemandsExactlyOneRecord(t *testing.T) {
	s := openSession(t)
	if _, err := run(t, s, "UNWIND [1, 2] AS n RETURN n", nil).Single(t.Context()); !neo4j.IsUsageError(err) {
		t.Fatalf("two records are no single one: %v", err)
	}
	record, err := run(t, s, "RETURN 1 AS n", nil).Single(t.Context())
	succeed(t, err)
	equal(t, record.Values, numbers(1, 1))
}

func TestPeekingTakesNothing(t *testing.T) {
	result := run(t, fetching(t, 1), "UNWIND [1, 2] AS n RETURN n", nil)
	equal(t, result.Peek(t.Context()), true)
	equal(t, read(t, result, 5), numbers(1, 2))
	equal(t, result.Peek(t.Context()), false)
}

func TestExecuteQueryReturnsKeysRecordsAndSummary(t *testing.T) {
	answer, err := execute(t.Context(), openDriver(t), "UNWIND $xs AS x RETURN x, x * 2 AS double", with{"xs": []int{1, 2}})
	succeed(t, err)
	equal(t, answer.Keys, []string{"x", "double"})
	equal(t, answer.Records[1].Values, []any{int64(2), int64(4)})
	equal(t, len(answer.Records), 2)
	equal(t, answer.Summary.StatementType().String(), "r")
}

func TestExecuteQueryReadsWhatExecuteQueryWrote(t *testing.T) {
	label := uniqueLabel(t)
	driver := openDriver(t)
	_, err := execute(t.Context(), driver, "CREATE (:"+label+" {name: 'Ada'})", nil)
	succeed(t, err)
	answer, err := execute(t.Context(), driver, "MATCH (n:"+label+") RETURN n.name", nil,
		neo4j.ExecuteQueryWithReadersRouting(), neo4j.ExecuteQueryWithDatabase("neo4j"))
	succeed(t, err)
	equal(t, answer.Records[0].Values, []any{"Ada"})
}
