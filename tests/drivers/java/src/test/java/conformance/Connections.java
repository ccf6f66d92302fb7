package conformance;

import static conformance.Queries.column;
import static conformance.Queries.consume;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.UUID;
import org.neo4j.driver.Config.ConfigBuilder;
import org.neo4j.driver.SimpleQueryRunner;

/** The connections of one driver as the server lists them, recognised by a user agent of their own. */
final class Connections {
    private final String agent = "conformance/" + UUID.randomUUID();

    ConfigBuilder name(ConfigBuilder config) {
        return config.withUserAgent(agent);
    }

    List<Object> ids(SimpleQueryRunner runner) {
        var query = "CALL dbms.listConnections() YIELD connectionId, userAgent "
                + "WHERE userAgent = $agent RETURN connectionId";
        return column(runner, query, "agent", agent);
    }

    void killOnly(SimpleQueryRunner runner) {
        var ids = ids(runner);
        assertEquals(1, ids.size());
        consume(runner, "CALL dbms.killConnection($id)", "id", ids.get(0));
    }
}
