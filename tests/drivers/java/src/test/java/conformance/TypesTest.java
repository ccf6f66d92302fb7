package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.neo4j.driver.Value;
import org.neo4j.driver.Values;

/** Values travel to the server as parameters and come back unchanged. */
class TypesTest extends ServerTest {
    private Value echo(Object value) {
        return one(session, "RETURN $x", "x", value);
    }

    @Test
    void null_booleans_floats_and_strings_survive() {
        var values = Arrays.<Object>asList(
                null, true, false, 0.0, 1.5, -1e308, 5e-324, Double.POSITIVE_INFINITY, "", "plain", "äöü ß €",
                "日本語", "🐘👩‍👩‍👧", "a\0b\n'\"\\");
        assertEquals(values, echo(values).asList());
    }

    @Test
    void nan_stays_nan_and_negative_zero_keeps_its_sign() {
        assertEquals(List.of(Double.NaN, -0.0), echo(List.of(Double.NaN, -0.0)).asList());
    }

    @Test
    void integers_survive_around_every_encoding_boundary() {
        var values = new ArrayList<Object>(List.of(Long.MAX_VALUE, Long.MIN_VALUE));
        for (var bits : List.of(4, 7, 8, 15, 16, 31, 32, 62)) {
            for (long delta = -1; delta <= 1; delta++) {
                values.addAll(List.of((1L << bits) + delta, delta - (1L << bits)));
            }
        }
        assertEquals(values, echo(values).asList());
    }

    @Test
    void a_string_longer_than_one_chunk_survives() {
        var value = "0123456789".repeat(10_000) + "é";
        assertEquals(value, echo(value).asString());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 255, 256, 65_535, 65_536})
    void bytes_survive_at_every_length_boundary(int size) {
        var value = new byte[size];
        for (int i = 0; i < size; i++) value[i] = (byte) i;
        assertArrayEquals(value, echo(value).asByteArray());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 15, 16, 255, 256, 70_000})
    void lists_survive_at_every_length_boundary(int size) {
        assertEquals(numbers(1, size), echo(numbers(1, size)).asList());
    }

    @Test
    void lists_and_maps_nest() {
        var wide = numbers(1, 300).stream().collect(Collectors.toMap(n -> "key" + n, n -> n));
        var value = Map.of(
                "empty", List.of(Map.of(), List.of()),
                "mixed", Arrays.asList(1L, "two", 3.0, null, true, List.of(List.of("deep"))),
                "map", Map.of("inner", Map.of("wide", wide)));
        assertEquals(value, echo(value).asMap());
    }

    @Test
    void record_keys_keep_the_order_of_the_return_clause() {
        var record = row(session, "RETURN 1 AS z, 2 AS a, 3 AS m");
        assertEquals(List.of("z", "a", "m"), record.keys());
        assertEquals(Map.of("z", 1L, "a", 2L, "m", 3L), record.asMap());
    }

    @Test
    void parameters_can_be_indexed_and_unwound() {
        var rows = List.of(
                Map.of("name", "a", "tags", List.of(1, 2)), Map.of("name", "b", "tags", List.of(3)));
        var query = "UNWIND $rows AS row RETURN [row.name, row.tags[1]]";
        assertEquals(List.of(List.of("a", 2L), Arrays.asList("b", null)), column(session, query, "rows", rows));
    }

    @Test
    void literals_have_the_types_their_syntax_says() {
        var record = row(session, "RETURN 1, 1.0, 'a', true, null, [1], {k: 1}");
        var types = record.values().stream().map(value -> value.type().name()).toList();
        assertEquals(List.of("INTEGER", "FLOAT", "STRING", "BOOLEAN", "NULL", "LIST OF ANY?", "MAP"), types);
    }

    @Test
    void points_keep_their_coordinates_and_reference_system() {
        var points = List.<Object>of(
                Values.point(7203, 1.5, -2.5).asPoint(),
                Values.point(9157, 1.5, -2.5, 3.25).asPoint(),
                Values.point(4326, 12.99, 55.61).asPoint(),
                Values.point(4979, 12.99, 55.61, 40).asPoint());
        assertEquals(points, echo(points).asList());
        assertTrue(Double.isNaN(echo(points.get(0)).asPoint().z()));
    }
}
