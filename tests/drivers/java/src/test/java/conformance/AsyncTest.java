package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Flow.Publisher;
import java.util.concurrent.Flow.Subscriber;
import java.util.concurrent.Flow.Subscription;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.Driver;
import org.neo4j.driver.Record;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.async.AsyncSession;
import org.neo4j.driver.async.ResultCursor;
import org.neo4j.driver.exceptions.ClientException;
import org.neo4j.driver.reactive.ReactiveResult;
import org.neo4j.driver.reactive.ReactiveSession;

/** The asynchronous and the reactive interface of the driver. */
class AsyncTest extends ServerTest {
    private static final SessionConfig SMALL = SessionConfig.builder().withFetchSize(2).build();

    private static CompletableFuture<Long> ask(Driver driver, long i) {
        var session = driver.session(AsyncSession.class);
        return session.runAsync("RETURN $i", Map.of("i", i))
                .thenCompose(ResultCursor::singleAsync)
                .thenApply(record -> record.get(0).asLong())
                .thenCompose(answer -> session.closeAsync().thenApply(closed -> answer))
                .toCompletableFuture();
    }

    @Test
    void twenty_asynchronous_sessions_each_get_their_own_answer() {
        var answers = LongStream.range(0, 20).mapToObj(i -> ask(driver, i)).toList();
        assertEquals(numbers(0, 19), answers.stream().<Object>map(CompletableFuture::join).toList());
    }

    @Test
    void an_asynchronous_transaction_writes_and_rolls_back() {
        var session = driver.session(AsyncSession.class);
        var written = session.executeWriteAsync(tx -> tx.runAsync("CREATE (:%s)".formatted(label))
                .thenCompose(ResultCursor::consumeAsync));
        assertEquals(1, written.toCompletableFuture().join().counters().nodesCreated());
        var tx = session.beginTransactionAsync().toCompletableFuture().join();
        tx.runAsync("CREATE (:%s)".formatted(label)).toCompletableFuture().join();
        tx.rollbackAsync().toCompletableFuture().join();
        session.closeAsync().toCompletableFuture().join();
        assertEquals(1, stored());
    }

    @Test
    void an_asynchronous_failure_leaves_the_session_usable() {
        var session = driver.session(AsyncSession.class);
        var failed = session.runAsync("RETURN 1/0").thenCompose(ResultCursor::consumeAsync).toCompletableFuture();
        var failure = assertThrows(CompletionException.class, failed::join);
        assertEquals(ARITHMETIC, assertInstanceOf(ClientException.class, failure.getCause()).code());
        var next = session.runAsync("RETURN 1").thenCompose(ResultCursor::singleAsync).toCompletableFuture();
        assertEquals(1, next.join().get(0).asInt());
        session.closeAsync().toCompletableFuture().join();
    }

    @Test
    void an_asynchronous_session_closed_in_mid_stream_gives_its_connection_back() {
        var single = openDriver(ServerTest::oneConnection);
        var session = single.session(AsyncSession.class, SMALL);
        var first = session.runAsync("UNWIND range(1, 100000) AS n RETURN n").thenCompose(ResultCursor::nextAsync);
        assertEquals(1, first.toCompletableFuture().join().get(0).asInt());
        session.closeAsync().toCompletableFuture().join();
        assertUsable(single);
    }

    @Test
    void a_reactive_subscriber_gets_what_it_asks_for_and_may_cancel() {
        var single = openDriver(ServerTest::oneConnection);
        var session = single.session(ReactiveSession.class, SMALL);
        List<ReactiveResult> result = Taking.from(session.run("UNWIND range(1, 100000) AS n RETURN n"), 1);
        List<Record> records = Taking.from(result.get(0).records(), 5);
        assertEquals(numbers(1, 5), records.stream().map(record -> record.get(0).asObject()).toList());
        Taking.from(session.close(), 1);
        assertUsable(single);
    }

    /** Asks for some items, one by one, then cancels. */
    private static final class Taking<T> implements Subscriber<T> {
        private final List<T> taken = new ArrayList<>();
        private final CompletableFuture<List<T>> done = new CompletableFuture<>();
        private final int count;
        private Subscription subscription;

        static <T> List<T> from(Publisher<T> publisher, int count) {
            var taking = new Taking<T>(count);
            publisher.subscribe(taking);
            return taking.done.join();
        }

        private Taking(int count) {
            this.count = count;
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            this.subscription = subscription;
            subscription.request(1);
        }

        @Override
        public void onNext(T item) {
            taken.add(item);
            if (taken.size() < count) {
                subscription.request(1);
            } else {
                subscription.cancel();
                done.complete(taken);
            }
        }

        @Override
        public void onError(Throwable error) {
            done.completeExceptionally(error);
        }

        @Override
        public void onComplete() {
            done.complete(taken);
        }
    }
}
