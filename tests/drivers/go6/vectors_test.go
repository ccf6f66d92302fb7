// Vectors, which came with driver 6 and Bolt 6.

package conformance

import (
	"errors"
	"strings"
	"testing"

	"conformance/neo4j"

	driver6 "github.com/neo4j/neo4j-go-driver/v6/neo4j"
)

func TestVectorsSurviveOrAreRefusedByName(t *testing.T) {
	needsBolt(t, 6, 0)
	s := openSession(t)
	values := []any{
		driver6.Vector[int8]{Elems: []int8{-128, 127}},
		driver6.Vector[int64]{Elems: []int64{1, -2, 3}},
		driver6.Vector[float32]{Elems: []float32{1.5, -2.25}},
		driver6.Vector[float64]{Elems: []float64{1e300}},
	}
	answer, err := rowsOf(t.Context(), s, "RETURN $x", with{"x": values})
	var refusal *neo4j.Neo4jError
	if errors.As(err, &refusal) {
		equal(t, strings.Contains(refusal.Msg, "VECTOR"), true)
		usable(t, s)
		return
	}
	succeed(t, err)
	equal(t, answer, [][]any{{values}})
}
