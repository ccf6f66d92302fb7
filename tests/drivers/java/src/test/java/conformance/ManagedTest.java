package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.AccessMode;
import org.neo4j.driver.QueryConfig;
import org.neo4j.driver.RoutingControl;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.exceptions.Neo4jException;
import org.neo4j.driver.exceptions.TransientException;

/** Managed transactions: what is retried, what isn't, and what access mode they have. */
class ManagedTest extends ServerTest {
    private final AtomicInteger tries = new AtomicInteger();

    private String create() {
        return "CREATE (n:%s) RETURN 7".formatted(label);
    }

    @Test
    void execute_write_stores_what_execute_read_finds() {
        int written = session.executeWrite(tx -> one(tx, create()).asInt());
        assertEquals(7, written);
        var query = "MATCH (n:%s) RETURN count(n)".formatted(label);
        int found = session.executeRead(tx -> one(tx, query).asInt());
        assertEquals(1, found);
    }

    @Test
    void a_transient_error_is_retried_and_the_first_try_undone() {
        session.executeWriteWithoutResult(tx -> {
            consume(tx, create());
            if (tries.incrementAndGet() == 1) {
                throw new TransientException("Neo.TransientError.Transaction.DeadlockDetected", "once");
            }
        });
        assertEquals(2, tries.get());
        assertEquals(1, stored());
    }

    @Test
    void a_client_error_is_not_retried() {
        var failure = assertThrows(Neo4jException.class, () -> session.executeWriteWithoutResult(tx -> {
            tries.incrementAndGet();
            consume(tx, create());
            consume(tx, "RETURN 1/0");
        }));
        assertEquals(ARITHMETIC, failure.code());
        assertEquals(1, tries.get());
        assertEquals(0, stored());
        assertUsable(session);
    }

    @Test
    @Direct
    void a_lost_connection_is_replaced_and_the_transaction_retried() {
        var connections = new Connections();
        var victim = openDriver(connections::name);
        opening(victim.session()).executeWriteWithoutResult(tx -> {
            consume(tx, create());
            if (tries.incrementAndGet() == 1) connections.killOnly(session);
            consume(tx, "RETURN 1");
        });
        assertEquals(2, tries.get());
        assertEquals(1, stored());
    }

    @Test
    void a_write_in_execute_read_is_refused() {
        var failure = assertThrows(
                Neo4jException.class, () -> session.executeRead(tx -> consume(tx, create())));
        assertEquals(ACCESS_MODE, failure.code());
        assertEquals(0, stored());
    }

    @Test
    void a_write_in_a_read_session_is_refused() {
        var config = SessionConfig.builder().withDefaultAccessMode(AccessMode.READ).build();
        var reader = openSession(config);
        assertEquals(ACCESS_MODE, failure(reader, create()).code());
        try (var tx = reader.beginTransaction()) {
            assertEquals(ACCESS_MODE, failure(tx, create()).code());
        }
        assertEquals(0, stored());
    }

    @Test
    void a_write_of_an_executable_query_through_readers_is_refused() {
        var readers = QueryConfig.builder().withRouting(RoutingControl.READ).build();
        var query = driver.executableQuery(create()).withConfig(readers);
        assertEquals(ACCESS_MODE, assertThrows(Neo4jException.class, query::execute).code());
        assertEquals(0, stored());
    }
}
