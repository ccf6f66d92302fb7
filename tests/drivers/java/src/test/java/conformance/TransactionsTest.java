package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.TransactionConfig;
import org.neo4j.driver.exceptions.ClientException;
import org.neo4j.driver.exceptions.TransactionNestingException;

/** Explicit transactions: commit, rollback, isolation, metadata. */
class TransactionsTest extends ServerTest {
    private String create() {
        return "CREATE (:%s)".formatted(label);
    }

    @Test
    void uncommitted_writes_are_seen_inside_only() {
        try (var tx = session.beginTransaction()) {
            consume(tx, create());
            assertEquals(1, one(tx, "MATCH (n:%s) RETURN count(n)".formatted(label)).asInt());
            assertEquals(0, stored());
            tx.commit();
        }
        assertEquals(1, stored());
    }

    @Test
    void rollback_and_close_leave_nothing_behind() {
        var rolledBack = session.beginTransaction();
        consume(rolledBack, create());
        rolledBack.rollback();
        var closed = session.beginTransaction();
        consume(closed, create());
        closed.close();
        assertFalse(closed.isOpen());
        assertEquals(0, stored());
    }

    @Test
    void a_rollback_restores_changed_and_deleted_data() {
        consume(session, "CREATE (:%1$s {v: 1}), (:%1$s {v: 2})".formatted(label));
        try (var tx = session.beginTransaction()) {
            consume(tx, "MATCH (n:%s {v: 1}) SET n.v = 10".formatted(label));
            consume(tx, "MATCH (n:%s {v: 2}) DELETE n".formatted(label));
            tx.rollback();
        }
        var query = "MATCH (n:%s) RETURN n.v AS v ORDER BY v".formatted(label);
        assertEquals(numbers(1, 2), column(session, query));
    }

    @Test
    void a_later_query_of_a_transaction_builds_on_an_earlier_one() {
        try (var tx = session.beginTransaction()) {
            consume(tx, "CREATE (:%s {v: 1})".formatted(label));
            consume(tx, "MATCH (n:%s) SET n.v = n.v + 1".formatted(label));
            consume(tx, "MATCH (n:%1$s) CREATE (n)-[:TO]->(:%1$s {v: 9})".formatted(label));
            var pair = one(tx, "MATCH (n:%s)-[:TO]->(m) RETURN [n.v, m.v]".formatted(label)).asList();
            assertEquals(List.of(2L, 9L), pair);
            tx.commit();
        }
    }

    @Test
    void an_error_fails_the_transaction_and_undoes_it() {
        var tx = session.beginTransaction();
        consume(tx, create());
        assertEquals(ARITHMETIC, failure(tx, "RETURN 1/0").code());
        assertThrows(ClientException.class, () -> tx.run("RETURN 1"));
        assertThrows(ClientException.class, tx::commit);
        tx.close();
        assertEquals(0, stored());
        assertUsable(session);
    }

    @Test
    void closing_the_session_rolls_back_its_open_transaction() {
        var session = openSession(SessionConfig.defaultConfig());
        consume(session.beginTransaction(), create());
        session.close();
        assertEquals(0, stored());
    }

    @Test
    void a_session_runs_many_transactions_one_after_another() {
        for (var keep : List.of(true, false, true, false, true)) {
            try (var tx = session.beginTransaction()) {
                consume(tx, create());
                if (keep) tx.commit();
            }
        }
        assertEquals(3, stored());
    }

    @Test
    void an_empty_transaction_commits() {
        session.beginTransaction().commit();
        assertUsable(session);
    }

    @Test
    void a_session_has_one_transaction_at_a_time() {
        try (var tx = session.beginTransaction()) {
            assertThrows(TransactionNestingException.class, session::beginTransaction);
            assertThrows(TransactionNestingException.class, () -> session.run("RETURN 1"));
            tx.commit();
        }
    }

    @Test
    void metadata_of_a_transaction_is_listed_with_it() {
        var metadata = Map.<String, Object>of("purpose", label);
        var config = TransactionConfig.builder().withMetadata(metadata).build();
        try (var tx = session.beginTransaction(config)) {
            var listed = column(tx, "SHOW TRANSACTIONS YIELD metaData");
            assertEquals(1, listed.stream().filter(metadata::equals).count());
            tx.commit();
        }
    }

    @Test
    void an_open_transaction_sees_what_another_commits_meanwhile() {
        var count = "MATCH (n:%s) RETURN count(n)".formatted(label);
        try (var reader = session.beginTransaction()) {
            assertEquals(0, one(reader, count).asInt());
            consume(openSession(SessionConfig.defaultConfig()), create());
            assertEquals(1, one(reader, count).asInt());
            reader.commit();
        }
    }
}
