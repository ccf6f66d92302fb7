package conformance;

import static conformance.Queries.assertUsable;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.exceptions.ClientException;

/** The connections that the driver keeps: listed, killed, tested, and all in use. */
class ConnectionsTest extends ServerTest {
    @Test
    @Direct
    void the_connection_of_a_driver_is_listed_under_its_user_agent() {
        var connections = new Connections();
        var ids = connections.ids(opening(openDriver(connections::name).session()));
        assertEquals(1, ids.size());
        assertTrue(ids.get(0).toString().startsWith("bolt-"));
    }

    @Test
    @Direct
    void a_killed_idle_connection_is_replaced() {
        var connections = new Connections();
        var victim = openDriver(connections::name);
        assertUsable(victim);
        var before = connections.ids(session);
        connections.killOnly(session);
        victim.executableQuery("RETURN 1").execute();
        assertEquals(1, connections.ids(session).size());
        assertNotEquals(before, connections.ids(session));
    }

    @Test
    void a_liveness_check_before_every_use_passes() {
        var checked = openDriver(
                config -> oneConnection(config).withConnectionLivenessCheckTimeout(0, TimeUnit.MILLISECONDS));
        for (int i = 0; i < 3; i++) assertUsable(checked);
    }

    @Test
    void a_full_pool_of_the_driver_times_out_and_recovers() {
        var small = openDriver(
                config -> oneConnection(config).withConnectionAcquisitionTimeout(2, TimeUnit.SECONDS));
        var second = opening(small.session());
        try (var first = small.session(); var tx = first.beginTransaction()) {
            assertThrows(ClientException.class, second::beginTransaction);
            assertUsable(tx);
            tx.commit();
        }
        assertUsable(second);
    }
}
