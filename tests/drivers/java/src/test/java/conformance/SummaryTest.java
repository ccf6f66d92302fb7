package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.NotificationClassification;
import org.neo4j.driver.NotificationSeverity;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.SimpleQueryRunner;
import org.neo4j.driver.summary.GqlNotification;
import org.neo4j.driver.summary.GqlStatusObject;
import org.neo4j.driver.summary.QueryType;

/** What a summary says of a query: counters, type, status, server and notifications. */
class SummaryTest extends ServerTest {
    @Test
    void counters_name_what_a_write_created() {
        var query = "CREATE (a:%1$s:Two {x: 1, y: 2})-[:TO {z: 3}]->(b:%1$s)".formatted(label);
        var summary = consume(session, query);
        var counters = summary.counters();
        assertTrue(counters.containsUpdates());
        assertEquals(List.of(2, 3, 3, 1), List.of(
                counters.nodesCreated(), counters.labelsAdded(), counters.propertiesSet(),
                counters.relationshipsCreated()));
        assertEquals(QueryType.WRITE_ONLY, summary.queryType());
    }

    @Test
    void counters_name_what_a_write_deleted() {
        consume(session, "CREATE (:%1$s)-[:TO]->(:%1$s)".formatted(label));
        var counters = consume(session, "MATCH (n:%s) DETACH DELETE n".formatted(label)).counters();
        assertEquals(List.of(2, 1, 0), List.of(
                counters.nodesDeleted(), counters.relationshipsDeleted(), counters.nodesCreated()));
    }

    @Test
    void counters_of_a_read_are_empty() {
        var counters = consume(session, "RETURN 1").counters();
        assertFalse(counters.containsUpdates() || counters.containsSystemUpdates());
    }

    @Test
    void a_write_that_returns_rows_is_a_read_and_write() {
        var summary = consume(session, "CREATE (n:%s) RETURN n".formatted(label));
        assertEquals(QueryType.READ_WRITE, summary.queryType());
    }

    @Test
    void a_summary_describes_server_database_and_query() {
        var summary = consume(session, "RETURN $x AS x", "x", 1);
        assertEquals(uri.getAuthority(), summary.server().address());
        assertTrue(summary.server().agent().startsWith("Neo4j/"));
        assertEquals("neo4j", summary.database().name());
        assertEquals("RETURN $x AS x", summary.query().text());
        assertEquals(Map.of("x", 1L), summary.query().parameters().asMap());
        assertTrue(summary.resultAvailableAfter(TimeUnit.MILLISECONDS) >= 0);
        assertTrue(summary.resultConsumedAfter(TimeUnit.MILLISECONDS) >= 0);
    }

    @Test
    void the_outcome_is_a_gql_status() {
        assertEquals("00000", outcome("RETURN 1"));
        assertEquals("02000", outcome("UNWIND [] AS n RETURN n"));
        assertEquals("00001", outcome("CREATE (:%s)".formatted(label)));
    }

    private String outcome(String query) {
        var result = session.run(query);
        result.list();
        var statuses = result.consume().gqlStatusObjects();
        return statuses.stream().map(GqlStatusObject::gqlStatus).findFirst().orElseThrow();
    }

    @Test
    void an_unknown_label_is_notified_of() {
        var notifications = notifications(session);
        assertEquals(1, notifications.size());
        var notification = notifications.get(0);
        assertEquals("01N50", notification.gqlStatus());
        assertEquals(NotificationSeverity.WARNING, notification.severity().orElseThrow());
        assertEquals(NotificationClassification.UNRECOGNIZED, notification.classification().orElseThrow());
        assertEquals(10, notification.position().orElseThrow().column());
    }

    @Test
    void filtered_notifications_stay_away() {
        assumeBolt(5.2);
        var quiet = openDriver(config -> config.withMinimumNotificationSeverity(NotificationSeverity.OFF));
        assertEquals(List.of(), notifications(opening(quiet.session())));
    }

    @Test
    void a_session_may_disable_one_class_of_notifications() {
        assumeBolt(5.2);
        var unrecognized = Set.of(NotificationClassification.UNRECOGNIZED);
        var config = SessionConfig.builder().withDisabledNotificationClassifications(unrecognized);
        assertEquals(List.of(), notifications(openSession(config.build())));
    }

    private List<GqlNotification> notifications(SimpleQueryRunner runner) {
        var statuses = consume(runner, "MATCH (n:%s) RETURN n".formatted(label)).gqlStatusObjects();
        return statuses.stream()
                .filter(GqlNotification.class::isInstance)
                .map(GqlNotification.class::cast)
                .toList();
    }
}
