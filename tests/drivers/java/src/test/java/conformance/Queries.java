package conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.neo4j.driver.Values.parameters;

import java.util.List;
import java.util.stream.LongStream;
import org.neo4j.driver.Driver;
import org.neo4j.driver.Record;
import org.neo4j.driver.SimpleQueryRunner;
import org.neo4j.driver.Value;
import org.neo4j.driver.exceptions.Neo4jException;
import org.neo4j.driver.summary.ResultSummary;

/** How tests ask, with names and values of parameters behind the query. */
final class Queries {
    static final String ENDLESS = "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*)";
    static final String ACCESS_MODE = "Neo.ClientError.Statement.AccessMode";
    static final String ARITHMETIC = "Neo.ClientError.Statement.ArithmeticError";
    static final String NOT_FOUND = "Neo.ClientError.Database.DatabaseNotFound";
    static final String UNAUTHORIZED = "Neo.ClientError.Security.Unauthorized";

    /** The only value of the only record. */
    static Value one(SimpleQueryRunner runner, String query, Object... parameters) {
        return row(runner, query, parameters).get(0);
    }

    static Record row(SimpleQueryRunner runner, String query, Object... parameters) {
        return runner.run(query, parameters(parameters)).single();
    }

    /** The first values of all records. */
    static List<Object> column(SimpleQueryRunner runner, String query, Object... parameters) {
        return runner.run(query, parameters(parameters)).list(record -> record.get(0).asObject());
    }

    static ResultSummary consume(SimpleQueryRunner runner, String query, Object... parameters) {
        return runner.run(query, parameters(parameters)).consume();
    }

    static Neo4jException failure(SimpleQueryRunner runner, String query, Object... parameters) {
        return assertThrows(Neo4jException.class, () -> consume(runner, query, parameters));
    }

    static void assertUsable(SimpleQueryRunner runner) {
        assertEquals("usable", one(runner, "RETURN 'usable'").asString());
    }

    static void assertUsable(Driver driver) {
        try (var session = driver.session()) {
            assertUsable(session);
        }
    }

    static List<Object> numbers(long first, long last) {
        return LongStream.rangeClosed(first, last).<Object>mapToObj(n -> n).toList();
    }

    private Queries() {}
}
