"""Nodes, relationships and paths as the drivers present them."""

from __future__ import annotations

import pytest
from neo4j import Session
from neo4j.graph import Node, Path, Relationship


def test_a_created_node_has_its_labels_and_properties(
    session: Session, label: str
) -> None:
    query = f"CREATE (n:{label}:Second {{name: $name, age: 7}}) RETURN n"
    node = session.run(query, name="Ada").single(strict=True)["n"]
    assert isinstance(node, Node)
    assert node.labels == {label, "Second"}
    assert dict(node) == {"name": "Ada", "age": 7}
    assert node["name"] == "Ada"
    assert node.get("missing") is None


@pytest.mark.parametrize("value", [True, -7, 2.5, "text", [1, 2], ["a", "b"], []])
def test_a_stored_property_comes_back_from_another_query(
    session: Session, label: str, value: object
) -> None:
    session.run(f"CREATE (:{label} {{value: $value}})", value=value).consume()
    record = session.run(f"MATCH (n:{label}) RETURN n.value AS value").single()
    assert record["value"] == value
    assert type(record["value"]) is type(value)


def test_setting_a_property_to_null_removes_it(session: Session, label: str) -> None:
    session.run(f"CREATE (:{label} {{a: 1, b: 2}})").consume()
    query = f"MATCH (n:{label}) SET n.a = null RETURN n"
    assert dict(session.run(query).single(strict=True)["n"]) == {"b": 2}


def test_an_element_id_is_a_stable_string_within_a_transaction(
    session: Session, label: str
) -> None:
    with session.begin_transaction() as tx:
        created = tx.run(f"CREATE (n:{label}) RETURN n").single(strict=True)["n"]
        matched = tx.run(f"MATCH (n:{label}) RETURN n").single(strict=True)["n"]
        tx.commit()
    assert isinstance(created.element_id, str)
    assert created.element_id
    assert matched.element_id == created.element_id


def test_element_ids_find_nodes_and_tell_them_apart(
    session: Session, label: str
) -> None:
    query = f"UNWIND [1, 2] AS i CREATE (n:{label} {{i: i}}) RETURN n ORDER BY n.i"
    first, second = (record["n"] for record in session.run(query))
    assert first.element_id != second.element_id
    query = f"MATCH (n:{label}) WHERE elementId(n) = $id RETURN n.i AS i"
    found = session.run(query, id=second.element_id).single(strict=True)
    assert found["i"] == 2


def test_a_relationship_knows_its_type_properties_and_ends(
    session: Session, label: str
) -> None:
    query = (
        f"CREATE (a:{label} {{name: 'a'}})-[r:KNOWS {{since: 1999}}]->"
        f"(b:{label} {{name: 'b'}}) RETURN a, r, b"
    )
    record = session.run(query).single(strict=True)
    a, relationship, b = record["a"], record["r"], record["b"]
    assert isinstance(relationship, Relationship)
    assert relationship.type == "KNOWS"
    assert dict(relationship) == {"since": 1999}
    assert relationship.start_node.element_id == a.element_id
    assert relationship.end_node.element_id == b.element_id
    assert isinstance(relationship.element_id, str)


def test_a_relationship_matched_against_its_direction_keeps_its_ends(
    session: Session, label: str
) -> None:
    session.run(f"CREATE (:{label} {{n: 1}})-[:TO]->(:{label} {{n: 2}})").consume()
    query = f"MATCH (b:{label})<-[r:TO]-(a:{label}) RETURN a, r, b"
    record = session.run(query).single(strict=True)
    assert record["a"]["n"] == 1
    assert record["r"].start_node.element_id == record["a"].element_id
    assert record["r"].end_node.element_id == record["b"].element_id


def test_a_path_of_length_two_can_be_walked(session: Session, label: str) -> None:
    session.run(
        f"CREATE (:{label} {{n: 1}})-[:FIRST]->(:{label} {{n: 2}})"
        f"-[:SECOND]->(:{label} {{n: 3}})"
    ).consume()
    query = f"MATCH p = (:{label} {{n: 1}})-[:FIRST]->()-[:SECOND]->() RETURN p"
    path = session.run(query).single(strict=True)["p"]
    assert isinstance(path, Path)
    assert len(path) == 2
    assert [node["n"] for node in path.nodes] == [1, 2, 3]
    assert [relationship.type for relationship in path] == ["FIRST", "SECOND"]
    assert path.start_node["n"] == 1
    assert path.end_node["n"] == 3
    assert path.relationships[1].start_node == path.nodes[1]


def test_a_path_walked_backwards_keeps_relationship_directions(
    session: Session, label: str
) -> None:
    session.run(f"CREATE (:{label} {{n: 1}})-[:TO]->(:{label} {{n: 2}})").consume()
    query = f"MATCH p = (:{label} {{n: 2}})<-[:TO]-(:{label}) RETURN p"
    path = session.run(query).single(strict=True)["p"]
    assert [node["n"] for node in path.nodes] == [2, 1]
    assert path.relationships[0].start_node["n"] == 1


def test_graph_values_nest_in_lists_and_maps(session: Session, label: str) -> None:
    query = (
        f"CREATE (n:{label})-[r:TO]->(m:{label}) RETURN [n, r] AS list, {{m: m}} AS map"
    )
    record = session.run(query).single(strict=True)
    assert isinstance(record["list"][0], Node)
    assert isinstance(record["list"][1], Relationship)
    assert record["map"]["m"].labels == {label}


def test_merge_creates_a_node_only_once(session: Session, label: str) -> None:
    query = f"MERGE (n:{label} {{key: 1}}) RETURN n"
    created = [session.run(query).consume().counters.nodes_created for _ in range(2)]
    assert created == [1, 0]
