// Many sessions at once: nobody gets another's answer and no write is lost.

package conformance

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"conformance/neo4j"
)

// inParallel does the work so many times at once and wants it to succeed every time.
func inParallel(t *testing.T, times int64, work func(i int64) error) {
	t.Helper()
	var everyone sync.WaitGroup
	for i := range times {
		everyone.Add(1)
		go func() {
			defer everyone.Done()
			if err := work(i); err != nil {
				t.Errorf("task %d: %v", i, err)
			}
		}()
	}
	everyone.Wait()
}

func TestFiftyOpenTransactionsEachGetTheirOwnAnswer(t *testing.T) {
	driver := openDriver(t)
	var begun, answered sync.WaitGroup
	begun.Add(50)
	answered.Add(50)
	inParallel(t, 50, func(i int64) error {
		s := sessionOf(t, driver, neo4j.SessionConfig{})
		tx, err := s.BeginTransaction(t.Context())
		begun.Done()
		begun.Wait()
		if err == nil {
			err = expect(t, tx, "RETURN $i", with{"i": i}, []any{i})
		}
		answered.Done()
		answered.Wait()
		if err != nil {
			return err
		}
		return tx.Commit(t.Context())
	})
}

func TestFiftyAutoCommitStreamsKeepTheirRecordsApart(t *testing.T) {
	driver := openDriver(t)
	inParallel(t, 50, func(i int64) error {
		s := sessionOf(t, driver, neo4j.SessionConfig{FetchSize: 5})
		query := "UNWIND range($first, $first + 29) AS n RETURN n"
		return expect(t, s, query, with{"first": i * 1000}, numbers(i*1000, i*1000+29))
	})
}

func TestTwentyWritersOfOneCounterLoseNoUpdate(t *testing.T) {
	label := uniqueLabel(t)
	driver := openDriver(t)
	consume(t, openSession(t), "CREATE (:"+label+" {n: 0})", nil)
	inParallel(t, 20, func(int64) error {
		s := sessionOf(t, driver, neo4j.SessionConfig{})
		for range 5 {
			_, err := s.ExecuteWrite(t.Context(), func(tx neo4j.ManagedTransaction) (any, error) {
				return rowsOf(t.Context(), tx, "MATCH (c:"+label+") SET c.n = c.n + 1", nil)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	equal(t, one(t, openSession(t), "MATCH (c:"+label+") RETURN c.n", nil), any(int64(100)))
}

func TestTwentyWritersOfOwnNodesAllCommit(t *testing.T) {
	label := uniqueLabel(t)
	driver := openDriver(t)
	inParallel(t, 20, func(int64) error {
		_, err := sessionOf(t, driver, neo4j.SessionConfig{}).ExecuteWrite(t.Context(), creating(t, label))
		return err
	})
	equal(t, stored(t, label), 20)
}

func TestAFullPoolOfTheDriverTimesOutAndRecovers(t *testing.T) {
	driver := openDriver(t, oneConnection, func(config *neo4j.Config) {
		config.ConnectionAcquisitionTimeout = 2 * time.Second
	})
	first, second := sessionOf(t, driver, neo4j.SessionConfig{}), sessionOf(t, driver, neo4j.SessionConfig{})
	tx := begin(t, first)
	_, err := second.BeginTransaction(t.Context())
	equal(t, neo4j.IsConnectivityError(err), true)
	usable(t, tx)
	succeed(t, tx.Commit(t.Context()))
	usable(t, second)
}

func TestALivenessCheckBeforeEveryUsePasses(t *testing.T) {
	driver := openDriver(t, oneConnection, func(config *neo4j.Config) { config.ConnectionLivenessCheckTimeout = 0 })
	for range 3 {
		answers(t, driver)
	}
}

func expect(t *testing.T, r runner, query string, parameters with, want []any) error {
	rows, err := rowsOf(t.Context(), r, query, parameters)
	if err != nil {
		return err
	}
	got := []any{}
	for _, row := range rows {
		got = append(got, row[0])
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}
