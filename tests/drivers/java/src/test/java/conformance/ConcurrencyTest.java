package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.SessionConfig;

/** Many sessions at once: nobody gets another's answer and no write is lost. */
class ConcurrencyTest extends ServerTest {
    /** Does the work so many times at once and fails if one of them does. */
    private static <T> void inParallel(int times, LongFunction<Callable<T>> work) throws Exception {
        var threads = Executors.newFixedThreadPool(times);
        try {
            var tasks = LongStream.range(0, times).mapToObj(work).toList();
            for (var done : threads.invokeAll(tasks)) done.get();
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void fifty_open_transactions_each_get_their_own_answer() throws Exception {
        var everyone = new CyclicBarrier(50);
        inParallel(50, i -> () -> {
            try (var session = driver.session(); var tx = session.beginTransaction()) {
                everyone.await(60, TimeUnit.SECONDS);
                assertEquals(i, one(tx, "RETURN $i", "i", i).asLong());
                everyone.await(60, TimeUnit.SECONDS);
                tx.commit();
                return null;
            }
        });
    }

    @Test
    void fifty_auto_commit_streams_keep_their_records_apart() throws Exception {
        var query = "UNWIND range($first, $first + 29) AS n RETURN n";
        inParallel(50, i -> () -> {
            try (var session = driver.session(SessionConfig.builder().withFetchSize(5).build())) {
                assertEquals(numbers(i * 1000, i * 1000 + 29), column(session, query, "first", i * 1000));
                return null;
            }
        });
    }

    @Test
    void twenty_writers_of_one_counter_lose_no_update() throws Exception {
        consume(session, "CREATE (:%s {n: 0})".formatted(label));
        var increment = "MATCH (c:%s) SET c.n = c.n + 1".formatted(label);
        inParallel(20, i -> () -> {
            try (var session = driver.session()) {
                for (int n = 0; n < 5; n++) session.executeWrite(tx -> consume(tx, increment));
                return null;
            }
        });
        assertEquals(100, one(session, "MATCH (c:%s) RETURN c.n".formatted(label)).asInt());
    }

    @Test
    void twenty_writers_of_own_nodes_all_commit() throws Exception {
        var create = driver.executableQuery("CREATE (:%s)".formatted(label));
        inParallel(20, i -> () -> create.execute());
        assertEquals(20, stored());
    }
}
