package conformance;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.URI;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.neo4j.driver.AuthToken;
import org.neo4j.driver.AuthTokens;
import org.neo4j.driver.Config;
import org.neo4j.driver.Config.ConfigBuilder;
import org.neo4j.driver.Driver;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.Session;
import org.neo4j.driver.SessionConfig;

/**
 * The server under test, named by BB_TEST_URI, BB_TEST_USER and BB_TEST_PASSWORD, and what tests open there. It ends
 * with its test, last opened first, and then the nodes of the test's label are deleted: a transaction that a failing
 * test left open can't block that.
 */
abstract class ServerTest {
    static final URI uri = URI.create(required("BB_TEST_URI"));
    static final URI routedUri = URI.create(uri.toString().replaceFirst("bolt", "neo4j"));
    static final AuthToken token = AuthTokens.basic(required("BB_TEST_USER"), required("BB_TEST_PASSWORD"));
    static final AuthToken wrongToken =
            AuthTokens.basic(required("BB_TEST_USER"), "not " + required("BB_TEST_PASSWORD"));

    static Driver driver;

    /** No other test uses it. */
    final String label = "T" + UUID.randomUUID().toString().replace("-", "");

    Session session;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @BeforeAll
    static void openSharedDriver() {
        driver = GraphDatabase.driver(uri, token);
    }

    @AfterAll
    static void closeSharedDriver() {
        driver.close();
    }

    @BeforeEach
    void openOwnSession() {
        session = openSession(SessionConfig.defaultConfig());
    }

    @AfterEach
    void closeAllAndDeleteNodes() throws Exception {
        while (!opened.isEmpty()) opened.pop().close();
        driver.executableQuery("MATCH (n:%s) DETACH DELETE n".formatted(label)).execute();
    }

    Driver openDriver(UnaryOperator<ConfigBuilder> options) {
        return opening(GraphDatabase.driver(uri, token, options.apply(Config.builder()).build()));
    }

    Session openSession(SessionConfig config) {
        return opening(driver.session(config));
    }

    Session fetching(long size) {
        return openSession(SessionConfig.builder().withFetchSize(size).build());
    }

    <T extends AutoCloseable> T opening(T resource) {
        opened.push(resource);
        return resource;
    }

    /** Counts the committed nodes of this test, read in a session of its own. */
    long stored() {
        var query = "MATCH (n:%s) RETURN count(n)".formatted(label);
        return driver.executableQuery(query).execute().records().get(0).get(0).asLong();
    }

    /** Skips what an older protocol doesn't have. */
    void assumeBolt(double wanted) {
        var protocol = session.run("RETURN 1").consume().server().protocolVersion();
        assumeTrue(Double.parseDouble(protocol) >= wanted, "Bolt " + protocol + " doesn't have it");
    }

    static ConfigBuilder oneConnection(ConfigBuilder config) {
        return config.withMaxConnectionPoolSize(1);
    }

    private static String required(String name) {
        var value = System.getenv(name);
        if (value == null || value.isEmpty()) throw new IllegalStateException("set " + name + " to name the server");
        return value;
    }
}
