// Nodes, relationships and paths as the driver presents them.

package conformance

import (
	"slices"
	"testing"

	"conformance/neo4j"
)

func TestACreatedNodeHasItsLabelsAndProperties(t *testing.T) {
	label := uniqueLabel(t)
	query := "CREATE (n:" + label + ":Second {name: $name, age: 7}) RETURN n"
	node := one(t, openSession(t), query, with{"name": "Ada"}).(neo4j.Node)
	slices.Sort(node.Labels)
	equal(t, node.Labels, []string{"Second", label})
	equal(t, node.Props, with{"name": "Ada", "age": int64(7)})
}

func TestAStoredPropertyComesBackFromAnotherQuery(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	for i, value := range []any{true, int64(-7), 2.5, "text", numbers(1, 2), []any{"a", "b"}, []any{}, []byte{0, 255}} {
		consume(t, s, "CREATE (:"+label+" {i: $i, value: $value})", with{"i": i, "value": value})
		equal(t, one(t, s, "MATCH (n:"+label+" {i: $i}) RETURN n.value", with{"i": i}), value)
	}
}

func TestSettingAPropertyToNullRemovesIt(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	consume(t, s, "CREATE (:"+label+" {a: 1, b: 2})", nil)
	node := one(t, s, "MATCH (n:"+label+") SET n.a = null RETURN n", nil).(neo4j.Node)
	equal(t, node.Props, with{"b": int64(2)})
}

func TestElementIdsFindNodesAndTellThemApart(t *testing.T) {
	needsBolt(t, 5, 0)
	label := uniqueLabel(t)
	s := openSession(t)
	query := "UNWIND [1, 2] AS i CREATE (n:" + label + " {i: i}) RETURN n, elementId(n) ORDER BY n.i"
	created := rows(t, s, query, nil)
	first, second := created[0][0].(neo4j.Node), created[1][0].(neo4j.Node)
	equal(t, created[1][1], any(second.ElementId))
	if first.ElementId == second.ElementId {
		t.Fatal("two nodes have one element id")
	}
	query = "MATCH (n:" + label + ") WHERE elementId(n) = $id RETURN n.i"
	equal(t, one(t, s, query, with{"id": second.ElementId}), any(int64(2)))
}

func TestARelationshipKnowsItsTypePropertiesAndEnds(t *testing.T) {
	label := uniqueLabel(t)
	query := "CREATE (a:" + label + ")-[r:KNOWS {since: 1999}]->(b:" + label + ") RETURN a, r, b"
	row := rows(t, openSession(t), query, nil)[0]
	a, relationship, b := row[0].(neo4j.Node), row[1].(neo4j.Relationship), row[2].(neo4j.Node)
	equal(t, relationship.Type, "KNOWS")
	equal(t, relationship.Props, with{"since": int64(1999)})
	equal(t, relationship.StartElementId, a.ElementId)
	equal(t, relationship.EndElementId, b.ElementId)
}

func TestAPathOfLengthTwoCanBeWalked(t *testing.T) {
	label := uniqueLabel(t)
	query := "CREATE p = (:" + label + " {n: 1})-[:FIRST]->(:" + label + " {n: 2})-[:SECOND]->(:" + label + " {n: 3}) RETURN p"
	path := one(t, openSession(t), query, nil).(neo4j.Path)
	visited := []any{}
	for _, node := range path.Nodes {
		visited = append(visited, node.Props["n"])
	}
	equal(t, visited, numbers(1, 3))
	equal(t, path.Relationships[0].Type, "FIRST")
	equal(t, path.Relationships[1].Type, "SECOND")
	equal(t, path.Relationships[1].StartElementId, path.Nodes[1].ElementId)
}

func TestAPathWalkedBackwardsKeepsRelationshipDirections(t *testing.T) {
	label := uniqueLabel(t)
	s := openSession(t)
	consume(t, s, "CREATE (:"+label+" {n: 1})-[:TO]->(:"+label+" {n: 2})", nil)
	path := one(t, s, "MATCH p = (:"+label+" {n: 2})<-[:TO]-() RETURN p", nil).(neo4j.Path)
	equal(t, path.Nodes[0].Props["n"], any(int64(2)))
	equal(t, path.Relationships[0].StartElementId, path.Nodes[1].ElementId)
	equal(t, path.Relationships[0].EndElementId, path.Nodes[0].ElementId)
}

func TestGraphValuesNestInListsAndMaps(t *testing.T) {
	label := uniqueLabel(t)
	query := "CREATE (n:" + label + ")-[r:TO]->(m:" + label + ") RETURN [n, r], {m: m}"
	row := rows(t, openSession(t), query, nil)[0]
	list, entries := row[0].([]any), row[1].(with)
	equal(t, list[1].(neo4j.Relationship).StartElementId, list[0].(neo4j.Node).ElementId)
	equal(t, entries["m"].(neo4j.Node).Labels, []string{label})
}
