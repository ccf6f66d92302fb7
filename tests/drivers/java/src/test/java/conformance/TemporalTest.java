package conformance;

import static conformance.Queries.one;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.neo4j.driver.Value;
import org.neo4j.driver.Values;

/** Dates, times and durations come back as they were sent, zone and nanoseconds included. */
class TemporalTest extends ServerTest {
    private Value echo(Object value) {
        return one(session, "RETURN $x", "x", value);
    }

    @ParameterizedTest
    @ValueSource(strings = {"2024-02-29", "0001-01-01", "1969-12-31"})
    void dates_survive(String day) {
        assertEquals(LocalDate.parse(day), echo(LocalDate.parse(day)).asLocalDate());
    }

    @ParameterizedTest
    @ValueSource(strings = {"23:59:58.123456789Z", "23:59:58.123456789+05:30", "00:00-08:00"})
    void times_keep_their_offset(String time) {
        assertEquals(OffsetTime.parse(time), echo(OffsetTime.parse(time)).asOffsetTime());
    }

    @Test
    void local_times_and_local_date_times_have_no_zone() {
        var time = LocalTime.of(0, 0, 0, 1);
        assertEquals(time, echo(time).asLocalTime());
        var moment = LocalDateTime.of(1955, 11, 5, 6, 15, 0, 42);
        assertEquals(moment, echo(moment).asLocalDateTime());
    }

    @ParameterizedTest
    @ValueSource(ints = {1900, 1969, 2024})
    void date_times_keep_their_offset(int year) {
        var moment = OffsetDateTime.parse(year + "-12-31T23:59:59.999999999-03:30");
        assertEquals(moment, echo(moment).asOffsetDateTime());
    }

    @ParameterizedTest
    @ValueSource(strings = {"2024-01-15T12:30:00.0000005+01:00", "2024-07-15T12:30:00.0000005+02:00"})
    void date_times_keep_their_named_zone(String moment) {
        var zoned = ZonedDateTime.parse(moment + "[Europe/Stockholm]");
        assertEquals(zoned, echo(zoned).asZonedDateTime());
    }

    @Test
    void durations_keep_their_four_parts() {
        var durations = List.<Object>of(
                Values.isoDuration(0, 0, 0, 0).asIsoDuration(),
                Values.isoDuration(14, 3, 4, 5).asIsoDuration(),
                Values.isoDuration(-1, -2, -3, 4).asIsoDuration(),
                Values.isoDuration(0, 40, 108_000, 0).asIsoDuration());
        assertEquals(durations, echo(durations).asList());
    }

    @Test
    void temporal_values_and_points_nest_in_collections() {
        var value = Map.<String, Object>of(
                "list", List.of(LocalDate.of(2000, 1, 1), Values.point(7203, 0, 1).asPoint()),
                "time", OffsetTime.parse("01:02:03Z"));
        assertEquals(value, echo(value).asMap());
    }
}
