package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.TransactionConfig;
import org.neo4j.driver.exceptions.Neo4jException;

/** Time-outs, interruptions and sessions closed in mid-stream end the query and nothing else. */
class CancellationTest extends ServerTest {
    private static final String TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut";

    private static TransactionConfig timeout(int seconds) {
        return TransactionConfig.builder().withTimeout(Duration.ofSeconds(seconds)).build();
    }

    @Test
    void a_query_timeout_cuts_a_long_query_short() {
        var failure = assertThrows(
                Neo4jException.class, () -> session.run(ENDLESS, Map.of(), timeout(1)).consume());
        assertTrue(failure.code().startsWith(TIMED_OUT));
        assertUsable(session);
    }

    @Test
    void a_transaction_timeout_cuts_a_long_query_short() {
        try (var tx = session.beginTransaction(timeout(5))) {
            consume(tx, "CREATE (:%s)".formatted(label));
            assertTrue(failure(tx, ENDLESS).code().startsWith(TIMED_OUT));
        }
        assertEquals(0, stored());
        assertUsable(session);
    }

    @Test
    void a_timeout_that_does_not_expire_changes_nothing() {
        try (var tx = session.beginTransaction(timeout(30))) {
            assertUsable(tx);
            tx.commit();
        }
    }

    @Test
    void a_session_closed_in_mid_stream_gives_its_connection_back() {
        var single = openDriver(ServerTest::oneConnection);
        for (int i = 0; i < 3; i++) {
            try (var session = single.session(SessionConfig.builder().withFetchSize(2).build())) {
                var result = session.run("UNWIND range(1, 100000) AS n RETURN n");
                assertEquals(1, result.next().get(0).asInt());
            }
        }
        assertUsable(single);
    }

    @Test
    void a_transaction_closed_in_mid_stream_rolls_back() {
        var session = fetching(2);
        try (var tx = session.beginTransaction()) {
            tx.run("UNWIND range(1, 50) AS n CREATE (m:%s) RETURN n".formatted(label)).next();
        }
        assertEquals(0, stored());
        assertUsable(session);
    }

    @Test
    void an_interrupted_thread_ends_its_query_at_the_server() {
        var failed = new CompletableFuture<Neo4jException>();
        var asking = new Thread(() -> {
            try (var session = driver.session()) {
                failed.complete(failure(session, ENDLESS + " AS " + label));
            } catch (Throwable error) {
                failed.completeExceptionally(error);
            }
        });
        asking.start();
        awaitRunning(true);
        asking.interrupt();
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> failed.get());
        awaitRunning(false);
        assertUsable(driver);
    }

    /** Asks again and again whether this test's query runs; every question is a round trip. */
    private void awaitRunning(boolean wanted) {
        var query = "SHOW TRANSACTIONS YIELD currentQuery";
        var end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (column(session, query).stream().anyMatch(text -> text.toString().contains(label)) != wanted) {
            assertTrue(System.nanoTime() < end, "not within a minute");
        }
    }
}
