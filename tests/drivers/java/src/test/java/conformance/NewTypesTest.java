package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.Values;
import org.neo4j.driver.exceptions.Neo4jException;

/** Values that came with Bolt 6. */
class NewTypesTest extends ServerTest {
    @Test
    void vectors_survive_or_are_refused_by_name() {
        assumeBolt(6.0);
        var vectors = List.<Object>of(
                Values.vector(new byte[] {-128, 127}).asVector(),
                Values.vector(new long[] {1, -2, 3}).asVector(),
                Values.vector(new float[] {1.5f, -2.25f}).asVector(),
                Values.vector(new double[] {1e300}).asVector());
        try {
            assertEquals(vectors, one(session, "RETURN $x", "x", vectors).asList());
        } catch (Neo4jException refusal) {
            assertTrue(refusal.getMessage().contains("VECTOR"));
            assertUsable(session);
        }
    }

    @Test
    void uuids_survive() {
        assumeBolt(6.1);
        var values = List.<Object>of(UUID.randomUUID(), List.of(new UUID(0, 0), new UUID(-1, -1)));
        assertEquals(values, one(session, "RETURN $x", "x", values).asList());
    }
}
