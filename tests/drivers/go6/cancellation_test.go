// Time-outs, cancelled contexts and sessions closed in mid-stream end the query and nothing else.

package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	"conformance/neo4j"
)

const endless = "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*)"
const timedOut = "Neo.ClientError.Transaction.TransactionTimedOut"

func TestAQueryTimeoutCutsALongQueryShort(t *testing.T) {
	s := openSession(t)
	result, err := s.Session.Run(t.Context(), endless, nil, neo4j.WithTxTimeout(time.Second))
	if err == nil {
		_, err = result.Consume(t.Context())
	}
	equal(t, strings.HasPrefix(serverError(t, err).Code, timedOut), true)
	usable(t, s)
}

func TestATransactionTimeoutCutsALongQueryShort(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	tx := begin(t, s, neo4j.WithTxTimeout(5*time.Second))
	consume(t, tx, "CREATE (:"+label+")", nil)
	equal(t, strings.HasPrefix(failure(t, tx, endless, nil).Code, timedOut), true)
	succeed(t, tx.Close(t.Context()))
	equal(t, stored(t, label), 0)
	usable(t, s)
}

func TestATimeoutThatDoesNotExpireChangesNothing(t *testing.T) {
	tx := begin(t, openSession(t), neo4j.WithTxTimeout(30*time.Second))
	usable(t, tx)
	succeed(t, tx.Commit(t.Context()))
}

func TestASessionClosedInMidStreamGivesItsConnectionBack(t *testing.T) {
	driver := openDriver(t, oneConnection)
	for range 3 {
		s := sessionOf(t, driver, neo4j.SessionConfig{FetchSize: 2})
		equal(t, read(t, run(t, s, "UNWIND range(1, 100000) AS n RETURN n", nil), 3), numbers(1, 3))
		succeed(t, s.Close(t.Context()))
	}
	answers(t, driver)
}

func TestATransactionClosedInMidStreamRollsBack(t *testing.T) {
	label := uniqueLabel(t)
	s := fetching(t, 2)
	tx := begin(t, s)
	read(t, run(t, tx, "UNWIND range(1, 50) AS n CREATE (m:"+label+") RETURN n", nil), 3)
	succeed(t, tx.Rollback(t.Context()))
	equal(t, stored(t, label), 0)
	usable(t, s)
}

// The driver watches only contexts that have a deadline while it waits for the server.
func TestACancelledContextEndsTheQueryAtTheServer(t *testing.T) {
	marker := uniqueLabel(t)
	driver := openDriver(t)
	watcher := openSession(t)
	running := func() bool {
		for _, query := range column(t, watcher, "SHOW TRANSACTIONS YIELD currentQuery", nil) {
			if strings.Contains(query.(string), marker) {
				return true
			}
		}
		return false
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failed := make(chan error, 1)
	s := sessionOf(t, driver, neo4j.SessionConfig{})
	go func() {
		_, err := rowsOf(ctx, s, endless+" AS "+marker, nil)
		failed <- err
	}()
	eventually(t, running)
	cancel()
	if err := <-failed; err == nil || ctx.Err() == nil {
		t.Fatal("a cancelled query succeeds")
	}
	eventually(t, func() bool { return !running() })
	answers(t, driver)
}

// eventually asks again and again; every question is a round trip to the server.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(end) {
			t.Fatal("not within a minute")
		}
	}
}
