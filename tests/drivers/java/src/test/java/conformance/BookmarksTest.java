package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.AccessMode;
import org.neo4j.driver.Bookmark;
import org.neo4j.driver.Session;
import org.neo4j.driver.SessionConfig;

/** Bookmarks lead from a write to the reads that must see it. */
class BookmarksTest extends ServerTest {
    private Session after(Set<Bookmark> bookmarks) {
        var config = SessionConfig.builder().withBookmarks(bookmarks).withDefaultAccessMode(AccessMode.READ);
        return openSession(config.build());
    }

    private Set<Bookmark> write(Session writer) {
        consume(writer, "CREATE (:%s)".formatted(label));
        return writer.lastBookmarks();
    }

    private int seen(Session reader) {
        return one(reader, "MATCH (n:%s) RETURN count(n)".formatted(label)).asInt();
    }

    @Test
    void a_write_returns_a_bookmark_the_next_session_accepts() {
        assertEquals(Set.of(), session.lastBookmarks());
        var bookmarks = write(session);
        assertEquals(1, bookmarks.size());
        assertEquals(1, seen(after(bookmarks)));
    }

    @Test
    void a_commit_replaces_the_bookmark() {
        var first = write(session);
        var second = write(session);
        assertEquals(1, second.size());
        assertNotEquals(first, second);
    }

    @Test
    void bookmarks_of_two_sessions_can_be_joined() {
        var joined = new HashSet<>(write(session));
        joined.addAll(write(openSession(SessionConfig.defaultConfig())));
        assertEquals(2, joined.size());
        assertEquals(2, seen(after(joined)));
    }

    @Test
    void a_bookmark_of_nobody_is_refused() {
        var reader = after(Set.of(Bookmark.from("nonsense")));
        assertEquals("Neo.ClientError.Transaction.InvalidBookmark", failure(reader, "RETURN 1").code());
    }
}
