package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.AuthToken;
import org.neo4j.driver.AuthTokenManager;
import org.neo4j.driver.AuthTokenManagers;
import org.neo4j.driver.AuthTokens;
import org.neo4j.driver.Config;
import org.neo4j.driver.Driver;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.Session;
import org.neo4j.driver.exceptions.AuthenticationException;
import org.neo4j.driver.exceptions.SecurityException;

/** Who may log in, and how one connection changes its user. */
class LoginTest extends ServerTest {
    /**
     * The same user with a realm, which for the driver is another identity: a connection that changes between the two
     * is logged off and on again.
     */
    private static final AuthToken nativeToken =
            AuthTokens.basic(System.getenv("BB_TEST_USER"), System.getenv("BB_TEST_PASSWORD"), "native");

    private static void assertAdmitted(Driver driver, AuthToken token) {
        try (var session = driver.session(Session.class, token)) {
            assertUsable(session);
        }
    }

    /** One wrong try at a time, followed by a right one: three in a row would lock the user. */
    @Test
    void a_wrong_password_is_refused_and_the_right_one_still_works() {
        var stranger = opening(GraphDatabase.driver(uri, wrongToken));
        var failure = assertThrows(AuthenticationException.class, stranger::verifyConnectivity);
        assertEquals(UNAUTHORIZED, failure.code());
        assertUsable(openDriver(config -> config));
    }

    @Test
    void the_credentials_of_the_driver_can_be_verified() {
        assumeBolt(5.1);
        assertTrue(driver.supportsSessionAuth());
        assertTrue(driver.verifyAuthentication(token));
        assertFalse(driver.verifyAuthentication(wrongToken));
        assertTrue(driver.verifyAuthentication(token));
    }

    @Test
    void sessions_with_tokens_of_their_own_take_turns_on_a_connection() {
        assumeBolt(5.1);
        var single = openDriver(ServerTest::oneConnection);
        for (int i = 0; i < 3; i++) {
            for (var own : List.of(token, nativeToken)) assertAdmitted(single, own);
        }
    }

    @Test
    @Direct
    void logging_off_and_on_keeps_the_connection() {
        assumeBolt(5.1);
        var connections = new Connections();
        var single = openDriver(config -> oneConnection(connections.name(config)));
        assertAdmitted(single, token);
        var before = connections.ids(session);
        assertEquals(1, before.size());
        assertAdmitted(single, nativeToken);
        assertEquals(before, connections.ids(session));
    }

    @Test
    void a_session_with_a_wrong_token_fails_alone_and_the_driver_goes_on() {
        assumeBolt(5.1);
        var single = openDriver(ServerTest::oneConnection);
        assertAdmitted(single, token);
        var failure = assertThrows(SecurityException.class, () -> assertAdmitted(single, wrongToken));
        assertEquals(UNAUTHORIZED, failure.code());
        assertAdmitted(single, token);
    }

    @Test
    void a_manager_of_tokens_is_asked_and_may_change_them() {
        var asked = new AtomicInteger();
        var manager = new AuthTokenManager() {
            @Override
            public CompletionStage<AuthToken> getToken() {
                return CompletableFuture.completedStage(asked.incrementAndGet() % 2 == 0 ? nativeToken : token);
            }

            @Override
            public boolean handleSecurityException(AuthToken token, SecurityException exception) {
                return false;
            }
        };
        var single = opening(GraphDatabase.driver(uri, manager, oneConnection(Config.builder()).build()));
        for (int i = 0; i < 4; i++) assertUsable(single);
        assertTrue(asked.get() >= 4);
    }

    @Test
    void a_manager_of_tokens_replaces_a_refused_one() {
        var asked = new AtomicInteger();
        var manager = AuthTokenManagers.basic(() -> asked.incrementAndGet() == 1 ? wrongToken : token);
        opening(GraphDatabase.driver(uri, manager)).executableQuery("RETURN 1").execute();
        assertEquals(2, asked.get());
    }
}
