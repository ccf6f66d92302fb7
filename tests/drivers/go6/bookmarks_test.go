// Bookmarks lead from a write to the reads that must see it.

package conformance

import (
	"testing"

	"conformance/neo4j"
)

func TestAWriteReturnsABookmarkTheNextSessionAccepts(t *testing.T) {
	label := uniqueLabel(t)
	driver := openDriver(t)
	writer := sessionOf(t, driver, neo4j.SessionConfig{})
	equal(t, len(writer.LastBookmarks()), 0)
	consume(t, writer, "CREATE (:"+label+" {v: 5})", nil)
	bookmarks := writer.LastBookmarks()
	equal(t, len(bookmarks), 1)
	reader := sessionOf(t, driver, neo4j.SessionConfig{Bookmarks: bookmarks, AccessMode: neo4j.AccessModeRead})
	equal(t, column(t, reader, "MATCH (n:"+label+") RETURN n.v", nil), numbers(5, 5))
}

func TestACommitReplacesTheBookmark(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	seen := map[string]bool{}
	for range 2 {
		tx := begin(t, s)
		consume(t, tx, "CREATE (:"+label+")", nil)
		succeed(t, tx.Commit(t.Context()))
		equal(t, len(s.LastBookmarks()), 1)
		seen[s.LastBookmarks()[0]] = true
	}
	equal(t, len(seen), 2)
}

func TestBookmarksOfTwoSessionsCanBeJoined(t *testing.T) {
	label := uniqueLabel(t)
	one, two := openSession(t), openSession(t)
	consume(t, one, "CREATE (:"+label+")", nil)
	consume(t, two, "CREATE (:"+label+")", nil)
	joined := neo4j.CombineBookmarks(one.LastBookmarks(), two.LastBookmarks())
	tx := begin(t, sessionOf(t, openDriver(t), neo4j.SessionConfig{Bookmarks: joined}))
	equal(t, len(rows(t, tx, "MATCH (n:"+label+") RETURN n", nil)), 2)
	succeed(t, tx.Commit(t.Context()))
}

func TestABookmarkOfNobodyIsRefused(t *testing.T) {
	s := sessionOf(t, openDriver(t), neo4j.SessionConfig{Bookmarks: []string{"nonsense"}})
	equal(t, failure(t, s, "RETURN 1", nil).Code, "Neo.ClientError.Transaction.InvalidBookmark")
}
