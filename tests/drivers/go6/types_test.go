// Values travel to the server as parameters and come back unchanged.

package conformance

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"conformance/neo4j"
)

func echo(t *testing.T, s session, value any) any {
	t.Helper()
	return one(t, s, "RETURN $x", with{"x": value})
}

func TestNullBooleansFloatsAndStringsSurvive(t *testing.T) {
	values := []any{
		nil, true, false, 0.0, 1.5, -1e308, 5e-324, math.Inf(1), math.Inf(-1),
		"", "plain", "äöü ß €", "日本語", "🐘👩‍👩‍👧", "a\x00b\n'\"\\",
	}
	equal(t, echo(t, openSession(t), values), any(values))
}

func TestNaNStaysNaNAndNegativeZeroKeepsItsSign(t *testing.T) {
	answer := echo(t, openSession(t), []float64{math.NaN(), math.Copysign(0, -1)}).([]any)
	if !math.IsNaN(answer[0].(float64)) || !math.Signbit(answer[1].(float64)) {
		t.Fatalf("got %v", answer)
	}
}

func TestIntegersSurviveAroundEveryEncodingBoundary(t *testing.T) {
	values := []any{int64(math.MaxInt64), int64(math.MinInt64)}
	for _, bits := range []int{4, 7, 8, 15, 16, 31, 32, 62} {
		for delta := int64(-1); delta <= 1; delta++ {
			values = append(values, int64(1)<<bits+delta, -(int64(1)<<bits)+delta)
		}
	}
	equal(t, echo(t, openSession(t), values), any(values))
}

func TestAStringLongerThanOneChunkSurvives(t *testing.T) {
	value := strings.Repeat("0123456789", 10_000) + "é"
	equal(t, echo(t, openSession(t), value), any(value))
}

func TestBytesSurviveAtEveryLengthBoundary(t *testing.T) {
	s := openSession(t)
	for _, size := range []int{0, 1, 255, 256, 65_535, 65_536} {
		value := bytes.Repeat([]byte{0, 1, 127, 128, 255}, size/5+1)[:size]
		equal(t, echo(t, s, value), any(value))
	}
}

func TestListsSurviveAtEveryLengthBoundary(t *testing.T) {
	s := openSession(t)
	for _, size := range []int64{0, 15, 16, 255, 256, 70_000} {
		equal(t, echo(t, s, numbers(1, size)), any(numbers(1, size)))
	}
}

func TestListsAndMapsNest(t *testing.T) {
	wide := with{}
	for _, n := range numbers(1, 300) {
		wide["key"+string(rune(n.(int64)))] = n
	}
	value := with{
		"empty": []any{with{}, []any{}},
		"mixed": []any{int64(1), "two", 3.0, nil, true, []any{[]any{"deep"}}},
		"map":   with{"inner": with{"wide": wide}},
	}
	equal(t, echo(t, openSession(t), value), any(value))
}

func TestRecordKeysKeepTheOrderOfTheReturnClause(t *testing.T) {
	record, err := run(t, openSession(t), "RETURN 1 AS z, 2 AS a, 3 AS m", nil).Single(t.Context())
	succeed(t, err)
	equal(t, record.Keys, []string{"z", "a", "m"})
	equal(t, record.Values, numbers(1, 3))
	equal(t, record.AsMap(), with{"z": int64(1), "a": int64(2), "m": int64(3)})
}

func TestParametersCanBeIndexedAndUnwound(t *testing.T) {
	parameters := with{"rows": []with{{"name": "a", "tags": []int{1, 2}}, {"name": "b", "tags": []int{3}}}}
	answer := rows(t, openSession(t), "UNWIND $rows AS row RETURN row.name, row.tags[1]", parameters)
	equal(t, answer, [][]any{{"a", int64(2)}, {"b", nil}})
}

func TestLiteralsHaveTheTypesTheirSyntaxSays(t *testing.T) {
	answer := rows(t, openSession(t), "RETURN 1, 1.0, 'a', true, null, [1, 'b'], {k: 1}", nil)
	equal(t, answer, [][]any{{int64(1), 1.0, "a", true, nil, []any{int64(1), "b"}, with{"k": int64(1)}}})
}

func TestPointsKeepTheirCoordinatesAndReferenceSystem(t *testing.T) {
	points := []any{
		neo4j.Point2D{X: 1.5, Y: -2.5, SpatialRefId: 7203},
		neo4j.Point3D{X: 1.5, Y: -2.5, Z: 3.25, SpatialRefId: 9157},
		neo4j.Point2D{X: 12.99, Y: 55.61, SpatialRefId: 4326},
		neo4j.Point3D{X: 12.99, Y: 55.61, Z: 40, SpatialRefId: 4979},
	}
	equal(t, echo(t, openSession(t), points), any(points))
}
