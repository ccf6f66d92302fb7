// Dates, times and durations come back as they were sent, zone and nanoseconds included.

package conformance

import (
	"testing"
	"time"

	"conformance/neo4j"
)

// moment is on the driver's own calendar: values without a zone come back in the local one.
func moment(zone *time.Location) time.Time {
	return time.Date(1969, 12, 31, 23, 59, 58, 123_456_789, zone)
}

func TestDatesSurvive(t *testing.T) {
	s := openSession(t)
	for _, day := range []time.Time{
		time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		equal(t, echo(t, s, neo4j.Date(day)).(neo4j.Date).Time(), day)
	}
}

func TestTimesKeepTheirOffset(t *testing.T) {
	s := openSession(t)
	for _, minutes := range []int{0, 330, -480} {
		value := moment(time.FixedZone("Offset", minutes*60))
		answer := echo(t, s, neo4j.Time(value)).(neo4j.Time).Time()
		equal(t, answer.Format("15:04:05.999999999Z07:00"), value.Format("15:04:05.999999999Z07:00"))
	}
}

func TestLocalTimesAndLocalDateTimesHaveNoZone(t *testing.T) {
	s := openSession(t)
	local := echo(t, s, neo4j.LocalTime(moment(time.Local))).(neo4j.LocalTime)
	equal(t, local.String(), neo4j.LocalTime(moment(time.Local)).String())
	value := neo4j.LocalDateTime(moment(time.Local))
	equal(t, echo(t, s, value).(neo4j.LocalDateTime).String(), value.String())
}

func TestDateTimesKeepTheirOffset(t *testing.T) {
	value := moment(time.FixedZone("Offset", -210*60))
	answer := echo(t, openSession(t), value).(time.Time)
	equal(t, answer.Format(time.RFC3339Nano), value.Format(time.RFC3339Nano))
}

func TestDateTimesKeepTheirNamedZone(t *testing.T) {
	s := openSession(t)
	zone, err := time.LoadLocation("Europe/Stockholm")
	succeed(t, err)
	for _, month := range []time.Month{time.January, time.July} {
		value := time.Date(2024, month, 15, 12, 30, 0, 500, zone)
		answer := echo(t, s, value).(time.Time)
		equal(t, answer.Format(time.RFC3339Nano), value.Format(time.RFC3339Nano))
		equal(t, answer.Location().String(), "Europe/Stockholm")
	}
}

func TestDurationsKeepTheirFourParts(t *testing.T) {
	values := []any{
		neo4j.Duration{},
		neo4j.Duration{Months: 14, Days: 3, Seconds: 4, Nanos: 5},
		neo4j.Duration{Months: -1, Days: -2, Seconds: -3, Nanos: 4},
		neo4j.Duration{Days: 40, Seconds: 30 * 3600},
	}
	equal(t, echo(t, openSession(t), values), any(values))
}

func TestTemporalValuesAndPointsNestInCollections(t *testing.T) {
	day := neo4j.Date(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	value := with{"list": []any{day, neo4j.Point2D{Y: 1, SpatialRefId: 7203}}, "d": neo4j.Duration{Days: 1}}
	equal(t, echo(t, openSession(t), value), any(value))
}
