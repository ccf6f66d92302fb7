package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.exceptions.ClientException;
import org.neo4j.driver.exceptions.Neo4jException;

/** Failures carry the server's own codes and leave the session usable. */
class ErrorsTest extends ServerTest {
    private static final String ARGUMENT = "Neo.ClientError.Statement.ArgumentError";

    @ParameterizedTest
    @CsvSource({
        "RETRUN 1,                 Statement.SyntaxError",
        "RETURN nobody,            Statement.SyntaxError",
        "RETURN $absent,           Statement.ParameterMissing",
        "RETURN 1/0,               Statement.ArithmeticError",
        "CALL no.such.procedure(), Procedure.ProcedureNotFound"
    })
    void every_error_has_its_code_and_leaves_the_session_usable(String query, String code) {
        assertEquals("Neo.ClientError." + code, failure(session, query).code());
        assertUsable(session);
    }

    @Test
    void one_connection_survives_repeated_failures() {
        var single = openDriver(ServerTest::oneConnection);
        for (int i = 0; i < 5; i++) {
            try (var session = single.session()) {
                failure(session, "RETURN 1/0");
                assertUsable(session);
            }
        }
    }

    @Test
    void an_error_after_some_records_ends_the_stream() {
        var session = fetching(1);
        var result = session.run("UNWIND [2, 1, 0] AS n RETURN 2/n");
        assertEquals(1, result.next().get(0).asInt());
        assertEquals(ARITHMETIC, assertThrows(Neo4jException.class, result::list).code());
        assertUsable(session);
    }

    @Test
    void a_map_cannot_be_a_property() {
        var failure = failure(session, "CREATE (:%s {map: $map})".formatted(label), "map", Map.of("a", 1));
        assertEquals("Neo.ClientError.Statement.TypeError", failure.code());
    }

    @Test
    void a_node_with_relationships_cannot_be_deleted() {
        consume(session, "CREATE (:%1$s)-[:TO]->(:%1$s)".formatted(label));
        var failure = failure(session, "MATCH (n:%s) DELETE n".formatted(label));
        assertEquals("Neo.ClientError.Schema.ConstraintValidationFailed", failure.code());
        assertEquals(2, stored());
    }

    @Test
    void an_unknown_database_is_not_found() {
        var session = openSession(SessionConfig.forDatabase("nosuchdatabase"));
        assertEquals(NOT_FOUND, failure(session, "RETURN 1").code());
        var failure = assertThrows(Neo4jException.class, () -> consume(session.beginTransaction(), "RETURN 1"));
        assertEquals(NOT_FOUND, failure.code());
    }

    @Test
    void impersonation_needs_the_enterprise_edition() {
        var single = openDriver(ServerTest::oneConnection);
        var config = SessionConfig.builder().withImpersonatedUser("somebody").build();
        try (var session = single.session(config)) {
            var failure = failure(session, "RETURN 1");
            assertEquals(ARGUMENT, failure.code());
            assertTrue(failure.getMessage().contains("Impersonation is not supported"));
        }
        try (var session = single.session(config)) {
            var failure = assertThrows(Neo4jException.class, () -> consume(session.beginTransaction(), "RETURN 1"));
            assertEquals(ARGUMENT, failure.code());
        }
        assertUsable(single);
    }

    @Test
    void errors_carry_a_gql_status() {
        assumeBolt(5.7);
        var failure = failure(session, "RETURN 1/0");
        assertTrue(failure.gqlStatus().matches("[0-9A-Z]{5}"));
        assertTrue(failure.statusDescription().startsWith("error: "));
        var wanted = Set.of("OPERATION", "OPERATION_CODE", "CURRENT_SCHEMA");
        assertTrue(failure.diagnosticRecord().keySet().containsAll(wanted));
    }

    @Test
    void a_closed_driver_refuses_work() {
        var closed = GraphDatabase.driver(uri, token);
        var session = opening(closed.session());
        assertUsable(session);
        closed.close();
        closed.close();
        assertThrows(IllegalStateException.class, closed::session);
        assertThrows(IllegalStateException.class, () -> session.run("RETURN 1"));
    }

    @Test
    void a_closed_session_refuses_work() {
        session.close();
        assertThrows(ClientException.class, () -> session.run("RETURN 1"));
    }
}
