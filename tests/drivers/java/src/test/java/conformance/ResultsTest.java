package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.neo4j.driver.Values.parameters;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.neo4j.driver.QueryConfig;
import org.neo4j.driver.Result;
import org.neo4j.driver.RoutingControl;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.exceptions.NoSuchRecordException;
import org.neo4j.driver.exceptions.ResultConsumedException;
import org.neo4j.driver.summary.QueryType;

/** Streaming, interleaving and abandoning results. */
class ResultsTest extends ServerTest {
    private static List<Object> read(Result result, int count) {
        var values = new ArrayList<Object>();
        while (values.size() < count && result.hasNext()) values.add(result.next().get(0).asObject());
        return values;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 7, 1000, -1})
    void every_fetch_size_reads_all_records_in_order(long size) {
        assertEquals(numbers(1, 50), column(fetching(size), "UNWIND range(1, 50) AS n RETURN n"));
    }

    @Test
    void ten_thousand_records_arrive_in_order() {
        assertEquals(numbers(1, 10_000), column(session, "UNWIND range(1, 10000) AS n RETURN n"));
    }

    @Test
    void a_partly_read_result_can_be_consumed() {
        var session = fetching(10);
        var result = session.run("UNWIND range(1, 1000) AS n RETURN n");
        assertEquals(numbers(1, 15), read(result, 15));
        assertEquals(QueryType.READ_ONLY, result.consume().queryType());
        assertThrows(ResultConsumedException.class, result::next);
        assertUsable(session);
    }

    @Test
    void an_unread_result_does_not_leak_into_the_next_query() {
        var single = openDriver(ServerTest::oneConnection);
        try (var session = single.session(SessionConfig.builder().withFetchSize(10).build())) {
            session.run("UNWIND range(1, 500) AS n RETURN n");
            assertUsable(session);
            session.run("UNWIND range(1, 500) AS n RETURN n");
        }
        assertUsable(single);
    }

    @Test
    void two_results_of_a_transaction_interleave() {
        var query = "UNWIND range($first, $last) AS n RETURN n";
        try (var tx = fetching(2).beginTransaction()) {
            var low = tx.run(query, parameters("first", 1, "last", 9));
            var high = tx.run(query, parameters("first", 101, "last", 109));
            for (long n = 1; n <= 9; n++) {
                assertEquals(n, low.next().get(0).asLong());
                assertEquals(n + 100, high.next().get(0).asLong());
            }
            tx.commit();
        }
    }

    @Test
    void an_open_result_survives_a_query_in_between() {
        try (var tx = fetching(2).beginTransaction()) {
            var outer = tx.run("UNWIND range(1, 5) AS n RETURN n");
            for (long n = 1; n <= 5; n++) {
                assertEquals(n, outer.next().get(0).asLong());
                assertEquals(n * n, one(tx, "RETURN $n * $n", "n", n).asLong());
            }
            tx.commit();
        }
    }

    @Test
    void a_commit_completes_results_nobody_read() {
        var query = "UNWIND range(1, 20) AS n CREATE (m:%s) RETURN m".formatted(label);
        try (var tx = fetching(3).beginTransaction()) {
            tx.run(query);
            tx.run(query);
            tx.commit();
        }
        assertEquals(40, stored());
    }

    @Test
    void discarding_an_auto_commit_write_still_commits_it() {
        var result = fetching(3).run("UNWIND range(1, 20) AS n CREATE (m:%s) RETURN n".formatted(label));
        assertEquals(1, result.next().get(0).asInt());
        result.consume();
        assertEquals(20, stored());
    }

    @Test
    void an_empty_result_still_knows_its_keys() {
        var result = session.run("MATCH (n:%s) RETURN n.a AS a, n.b AS b".formatted(label));
        assertEquals(List.of("a", "b"), result.keys());
        assertFalse(result.hasNext());
    }

    @Test
    void single_demands_exactly_one_record() {
        var two = session.run("UNWIND [1, 2] AS n RETURN n");
        assertThrows(NoSuchRecordException.class, two::single);
        assertEquals(1, one(session, "RETURN 1").asInt());
    }

    @Test
    void peeking_takes_nothing() {
        var result = fetching(1).run("UNWIND [1, 2] AS n RETURN n");
        assertEquals(1, result.peek().get(0).asInt());
        assertEquals(numbers(1, 2), read(result, 5));
        assertThrows(NoSuchRecordException.class, result::peek);
    }

    @Test
    void an_executable_query_returns_keys_records_and_summary() {
        var query = driver.executableQuery("UNWIND $xs AS x RETURN x, x * 2 AS double");
        var answer = query.withParameters(Map.of("xs", List.of(1, 2))).execute();
        assertEquals(List.of("x", "double"), answer.keys());
        assertEquals(Map.of("x", 2L, "double", 4L), answer.records().get(1).asMap());
        assertEquals(QueryType.READ_ONLY, answer.summary().queryType());
    }

    @Test
    void an_executable_query_reads_what_another_one_wrote() {
        driver.executableQuery("CREATE (:%s {name: 'Ada'})".formatted(label)).execute();
        var readers = QueryConfig.builder().withRouting(RoutingControl.READ).withDatabase("neo4j").build();
        var query = driver.executableQuery("MATCH (n:%s) RETURN n.name".formatted(label)).withConfig(readers);
        assertEquals("Ada", query.execute().records().get(0).get(0).asString());
    }
}
