// How the tests ask and compare.

package conformance

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"conformance/neo4j"
)

type with = map[string]any

// runner is a session or a transaction.
type runner interface {
	Run(ctx context.Context, query string, parameters map[string]any) (neo4j.Result, error)
}

func run(t *testing.T, r runner, query string, parameters with) neo4j.Result {
	t.Helper()
	result, err := r.Run(t.Context(), query, parameters)
	succeed(t, err)
	return result
}

func rows(t *testing.T, r runner, query string, parameters with) [][]any {
	t.Helper()
	rows, err := rowsOf(t.Context(), r, query, parameters)
	succeed(t, err)
	return rows
}

// rowsOf is for goroutines, which must not end the test.
func rowsOf(ctx context.Context, r runner, query string, parameters with) ([][]any, error) {
	result, err := r.Run(ctx, query, parameters)
	if err != nil {
		return nil, err
	}
	records, err := result.Collect(ctx)
	rows := [][]any{}
	for _, record := range records {
		rows = append(rows, record.Values)
	}
	return rows, err
}

// column is the first one of all records.
func column(t *testing.T, r runner, query string, parameters with) []any {
	t.Helper()
	values := []any{}
	for _, row := range rows(t, r, query, parameters) {
		values = append(values, row[0])
	}
	return values
}

// one is the only value of the only record.
func one(t *testing.T, r runner, query string, parameters with) any {
	t.Helper()
	values := column(t, r, query, parameters)
	if len(values) != 1 {
		t.Fatalf("%d records instead of one", len(values))
	}
	return values[0]
}

func consume(t *testing.T, r runner, query string, parameters with) neo4j.ResultSummary {
	t.Helper()
	summary, err := run(t, r, query, parameters).Consume(t.Context())
	succeed(t, err)
	return summary
}

// failure is the server's error, which may come with RUN or with the records.
func failure(t *testing.T, r runner, query string, parameters with) *neo4j.Neo4jError {
	t.Helper()
	_, err := rowsOf(t.Context(), r, query, parameters)
	return serverError(t, err)
}

func serverError(t *testing.T, err error) *neo4j.Neo4jError {
	t.Helper()
	var answer *neo4j.Neo4jError
	if !errors.As(err, &answer) {
		t.Fatalf("no error of the server: %v", err)
	}
	return answer
}

func usable(t *testing.T, r runner) {
	t.Helper()
	equal(t, one(t, r, "RETURN 'usable'", nil), any("usable"))
}

// answers asks in a session of its own, which gives its connection back.
func answers(t *testing.T, driver neo4j.Driver) {
	t.Helper()
	s := sessionOf(t, driver, neo4j.SessionConfig{})
	usable(t, s)
	succeed(t, s.Close(t.Context()))
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %#v, want %#v", got, want)
	}
}

func succeed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func numbers(first, last int64) []any {
	list := []any{}
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}
