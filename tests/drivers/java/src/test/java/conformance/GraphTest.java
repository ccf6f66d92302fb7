package conformance;

import static conformance.Queries.*;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.neo4j.driver.types.Node;
import org.neo4j.driver.types.Relationship;

/** Nodes, relationships and paths as the driver presents them. */
class GraphTest extends ServerTest {
    @Test
    void a_created_node_has_its_labels_and_properties() {
        var query = "CREATE (n:%s:Second {name: $name, age: 7}) RETURN n".formatted(label);
        var node = one(session, query, "name", "Ada").asNode();
        var labels = new TreeSet<String>();
        node.labels().forEach(labels::add);
        assertEquals(Set.of(label, "Second"), labels);
        assertEquals(Map.of("name", "Ada", "age", 7L), node.asMap());
    }

    @Test
    void a_stored_property_comes_back_from_another_query() {
        for (var value : List.<Object>of(true, -7L, 2.5, "text", numbers(1, 2), List.of("a", "b"), List.of())) {
            consume(session, "CREATE (:%s {value: $value})".formatted(label), "value", value);
            var query = "MATCH (n:%s) WITH n, n.value AS value DELETE n RETURN value".formatted(label);
            assertEquals(value, one(session, query).asObject());
        }
        consume(session, "CREATE (:%s {bytes: $bytes})".formatted(label), "bytes", new byte[] {0, -1});
        var bytes = one(session, "MATCH (n:%s) RETURN n.bytes".formatted(label)).asByteArray();
        assertArrayEquals(new byte[] {0, -1}, bytes);
    }

    @Test
    void setting_a_property_to_null_removes_it() {
        consume(session, "CREATE (:%s {a: 1, b: 2})".formatted(label));
        var node = one(session, "MATCH (n:%s) SET n.a = null RETURN n".formatted(label)).asNode();
        assertEquals(Map.of("b", 2L), node.asMap());
    }

    @Test
    void element_ids_find_nodes_and_tell_them_apart() {
        assumeBolt(5.0);
        var query = "UNWIND [1, 2] AS i CREATE (n:%s {i: i}) RETURN n, elementId(n) AS id ORDER BY i";
        var created = session.run(query.formatted(label)).list();
        var first = created.get(0).get("n").asNode().elementId();
        var second = created.get(1).get("n").asNode().elementId();
        assertNotEquals(first, second);
        assertEquals(second, created.get(1).get("id").asString());
        query = "MATCH (n:%s) WHERE elementId(n) = $id RETURN n.i".formatted(label);
        assertEquals(2, one(session, query, "id", second).asInt());
    }

    @Test
    void a_relationship_knows_its_type_properties_and_ends() {
        var query = "CREATE (a:%1$s)-[r:KNOWS {since: 1999}]->(b:%1$s) RETURN a, r, b".formatted(label);
        var record = row(session, query);
        var relationship = record.get("r").asRelationship();
        assertEquals("KNOWS", relationship.type());
        assertEquals(Map.of("since", 1999L), relationship.asMap());
        assertEquals(record.get("a").asNode().elementId(), relationship.startNodeElementId());
        assertEquals(record.get("b").asNode().elementId(), relationship.endNodeElementId());
    }

    @Test
    void a_path_of_length_two_can_be_walked() {
        var query = "CREATE p = (:%1$s {n: 1})-[:FIRST]->(:%1$s {n: 2})-[:SECOND]->(:%1$s {n: 3}) RETURN p";
        var path = one(session, query.formatted(label)).asPath();
        var steps = new ArrayList<Object>();
        for (var segment : path) {
            steps.add(segment.start().get("n").asInt());
            steps.add(segment.relationship().type());
            assertEquals(segment.end().elementId(), segment.relationship().endNodeElementId());
        }
        assertEquals(List.of(1, "FIRST", 2, "SECOND"), steps);
        assertEquals(2, path.length());
        assertEquals(3, path.end().get("n").asInt());
    }

    @Test
    void a_path_walked_backwards_keeps_relationship_directions() {
        consume(session, "CREATE (:%1$s {n: 1})-[:TO]->(:%1$s {n: 2})".formatted(label));
        var path = one(session, "MATCH p = (:%s {n: 2})<-[:TO]-() RETURN p".formatted(label)).asPath();
        assertEquals(2, path.start().get("n").asInt());
        var relationship = path.relationships().iterator().next();
        assertEquals(path.end().elementId(), relationship.startNodeElementId());
    }

    @Test
    void graph_values_nest_in_lists_and_maps() {
        var query = "CREATE (n:%1$s)-[r:TO]->(m:%1$s) RETURN [n, r] AS list, {m: m} AS map".formatted(label);
        var record = row(session, query);
        var node = (Node) record.get("list").asList().get(0);
        var relationship = (Relationship) record.get("list").asList().get(1);
        assertEquals(node.elementId(), relationship.startNodeElementId());
        assertEquals(record.get("map").get("m").asNode().elementId(), relationship.endNodeElementId());
    }
}
