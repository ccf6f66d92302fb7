package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.neo4j.driver.AccessMode;
import org.neo4j.driver.Driver;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.QueryConfig;
import org.neo4j.driver.RoutingControl;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.exceptions.AuthenticationException;
import org.neo4j.driver.exceptions.Neo4jException;

/** The same server through both schemes, and what it says about itself. */
class RoutingTest extends ServerTest {
    private Driver routed;

    @BeforeEach
    void openRoutedDriver() {
        routed = opening(GraphDatabase.driver(routedUri, token));
    }

    @Test
    void both_schemes_verify_connectivity_and_find_several_databases() {
        for (var driver : List.of(driver, routed)) {
            driver.verifyConnectivity();
            assertTrue(driver.supportsMultiDb());
        }
    }

    @Test
    void a_routed_driver_writes_and_reads() {
        for (var config : List.of(SessionConfig.defaultConfig(), SessionConfig.forDatabase("neo4j"))) {
            try (var session = routed.session(config)) {
                session.executeWrite(tx -> consume(tx, "CREATE (:%s)".formatted(label)));
                var query = "MATCH (n:%s) RETURN count(n)".formatted(label);
                long found = session.executeRead(tx -> one(tx, query).asLong());
                assertEquals(stored(), found);
            }
        }
        assertEquals(2, stored());
    }

    @ParameterizedTest
    @EnumSource
    void routed_sessions_reach_a_named_database_in_both_modes(AccessMode mode) {
        for (var database : List.of("neo4j", "system")) {
            var config = SessionConfig.builder().withDatabase(database).withDefaultAccessMode(mode).build();
            try (var session = routed.session(config)) {
                var summary = consume(session, "SHOW DATABASES");
                assertEquals(database, summary.database().name());
                assertEquals(uri.getAuthority(), summary.server().address());
            }
        }
    }

    @Test
    void a_routed_write_in_a_read_transaction_is_refused() {
        var session = opening(routed.session());
        var failure = assertThrows(
                Neo4jException.class,
                () -> session.executeRead(tx -> consume(tx, "CREATE (:%s)".formatted(label))));
        assertEquals(ACCESS_MODE, failure.code());
    }

    @Test
    void a_routed_driver_passes_bookmarks_between_queries() {
        routed.executableQuery("CREATE (:%s)".formatted(label)).execute();
        var readers = QueryConfig.builder().withRouting(RoutingControl.READ).build();
        var query = routed.executableQuery("MATCH (n:%s) RETURN n".formatted(label)).withConfig(readers);
        assertEquals(1, query.execute().records().size());
    }

    @Test
    void routing_to_an_unknown_database_fails() {
        var session = opening(routed.session(SessionConfig.forDatabase("nosuchdatabase")));
        assertEquals(NOT_FOUND, failure(session, "RETURN 1").code());
    }

    @Test
    void a_wrong_password_is_refused_where_routes_are_asked() {
        var stranger = opening(GraphDatabase.driver(routedUri, wrongToken));
        var failure = assertThrows(AuthenticationException.class, stranger::verifyConnectivity);
        assertEquals(UNAUTHORIZED, failure.code());
        assertUsable(routed);
    }

    @Test
    void show_databases_lists_neo4j_and_system() {
        var system = QueryConfig.builder().withDatabase("system").build();
        var records = driver.executableQuery("SHOW DATABASES").withConfig(system).execute().records();
        var status = records.stream().collect(Collectors.toMap(
                record -> record.get("name").asString(), record -> record.get("currentStatus").asString()));
        assertEquals("online", status.get("neo4j"));
        assertEquals("online", status.get("system"));
    }
}
