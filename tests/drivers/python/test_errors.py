"""Failures carry the server's own codes and leave the session usable."""

from __future__ import annotations

import re
from collections.abc import Callable

import neo4j
import pytest
from neo4j import Driver, GraphDatabase, Session
from neo4j.exceptions import AuthError, ClientError, CypherSyntaxError, Neo4jError


def failure_of(session: Session, query: str, **parameters: object) -> Neo4jError:
    with pytest.raises(Neo4jError) as failure:
        session.run(query, parameters).consume()
    return failure.value


def test_a_syntax_error_says_so(session: Session) -> None:
    error = failure_of(session, "RETRUN 1")
    assert isinstance(error, CypherSyntaxError)
    assert error.code == "Neo.ClientError.Statement.SyntaxError"
    assert error.message


def test_an_undefined_variable_is_a_syntax_error(session: Session) -> None:
    error = failure_of(session, "RETURN nobody")
    assert error.code == "Neo.ClientError.Statement.SyntaxError"
    assert "nobody" in error.message


def test_an_unknown_function_is_a_client_error(session: Session) -> None:
    error = failure_of(session, "RETURN no.such.function(1)")
    assert isinstance(error, ClientError)
    assert error.code.startswith("Neo.ClientError.Statement.")


def test_an_unknown_procedure_is_not_found(session: Session) -> None:
    error = failure_of(session, "CALL no.such.procedure()")
    assert error.code == "Neo.ClientError.Procedure.ProcedureNotFound"


def test_a_missing_parameter_is_named(session: Session) -> None:
    error = failure_of(session, "RETURN $present, $absent", present=1)
    assert error.code == "Neo.ClientError.Statement.ParameterMissing"
    assert "absent" in error.message


def test_division_by_zero_is_an_arithmetic_error(session: Session) -> None:
    error = failure_of(session, "RETURN 1/0")
    assert error.code == "Neo.ClientError.Statement.ArithmeticError"
    assert error.message == "/ by zero"


def test_an_error_after_some_records_ends_the_stream(driver: Driver) -> None:
    with driver.session(fetch_size=1) as session:
        result = session.run("UNWIND [2, 1, 0] AS n RETURN 2/n AS x")
        with pytest.raises(ClientError) as failure:
            list(result)
        assert failure.value.code == "Neo.ClientError.Statement.ArithmeticError"
        assert session.run("RETURN 1 AS n").value() == [1]


def test_a_map_cannot_be_a_property(session: Session, label: str) -> None:
    error = failure_of(session, f"CREATE (:{label} {{map: $map}})", map={"a": 1})
    assert error.code == "Neo.ClientError.Statement.TypeError"


def test_a_node_with_relationships_cannot_be_deleted(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    session.run(f"CREATE (:{label})-[:TO]->(:{label})").consume()
    error = failure_of(session, f"MATCH (n:{label}) DELETE n")
    assert error.code == "Neo.ClientError.Schema.ConstraintValidationFailed"
    assert stored() == 2


def test_an_unknown_database_is_not_found(driver: Driver) -> None:
    with driver.session(database="nosuchdatabase") as session:
        error = failure_of(session, "RETURN 1")
    assert error.code == "Neo.ClientError.Database.DatabaseNotFound"


def test_a_transaction_on_an_unknown_database_fails(driver: Driver) -> None:
    with (
        driver.session(database="nosuchdatabase") as session,
        pytest.raises(ClientError) as failure,
    ):
        session.begin_transaction().run("RETURN 1").consume()
    assert failure.value.code == "Neo.ClientError.Database.DatabaseNotFound"


def test_a_wrong_password_is_refused_and_the_right_one_still_works(
    uri: str, auth: tuple[str, str]
) -> None:
    # One wrong try only: a third within five seconds would lock the user.
    user, password = auth
    with (
        GraphDatabase.driver(uri, auth=(user, f"not {password}")) as driver,
        pytest.raises(AuthError) as failure,
    ):
        driver.verify_connectivity()
    assert failure.value.code == "Neo.ClientError.Security.Unauthorized"
    with GraphDatabase.driver(uri, auth=auth) as driver:
        assert driver.execute_query("RETURN 1 AS n").records[0]["n"] == 1


def test_errors_carry_a_gql_status(session: Session) -> None:
    if int(neo4j.__version__.split(".")[0]) < 6:
        pytest.skip("the GQL status of an error is a preview before driver 6")
    protocol = session.run("RETURN 1").consume().server.protocol_version
    if protocol < (5, 7):
        pytest.skip(f"Bolt {protocol} carries no GQL status")
    error = failure_of(session, "RETURN 1/0")
    assert re.fullmatch("[0-9A-Z]{5}", error.gql_status)
    assert error.gql_status_description.startswith("error: ")
    record = error.diagnostic_record
    assert {"OPERATION", "OPERATION_CODE", "CURRENT_SCHEMA"} <= record.keys()


def test_every_error_leaves_the_session_usable(session: Session) -> None:
    for query in ("RETRUN 1", "RETURN $absent", "RETURN 1/0", "CALL no.such()"):
        failure_of(session, query)
        assert session.run("RETURN $q AS q", q=query).value() == [query]
