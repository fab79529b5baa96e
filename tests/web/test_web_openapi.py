"""The document that describes the API: complete, valid, true, and made from the code."""

from __future__ import annotations

import base64
import copy
from typing import Any

import jsonschema
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from gateway.http.access import Access, Right
from gateway.web import openapi, shapes
from gateway.web.app import WEB_ROOT, create_app
from gateway.web.operations import operation
from gateway.web.rights import needs, rule_of

BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:correct horse").decode()}


def document(app: Flask) -> dict[str, Any]:
    return openapi.document(app, "1.2.3", "session")


def test_every_route_of_the_api_is_declared(app: Flask):
    paths = document(app)["paths"]
    assert {"/api/v1/cameras", "/api/v1/cameras/{camera_id}", "/api/v1/cameras/{camera_id}/ptz"} <= set(paths)
    assert set(paths["/api/v1/cameras/{camera_id}/ptz"]) == {"get", "post"}


def test_a_route_without_a_declaration_is_found(app: Flask):
    app.add_url_rule("/api/v1/forgotten", "forgotten", lambda: "x")
    with pytest.raises(openapi.Undeclared, match=r"GET /api/v1/forgotten .* has no @operation"):
        document(app)


def test_a_part_of_a_path_that_is_not_described_is_found(app: Flask):
    app.add_url_rule("/api/v1/tokens/<token_id>", "token", operation(shapes.ViewingToken)(lambda token_id: token_id))
    with pytest.raises(openapi.Undeclared, match="does not say what token_id is"):
        document(app)


def test_the_document_is_what_openapi_3_1_allows(app: Flask):
    schemathesis = pytest.importorskip("schemathesis")
    found = document(app)
    loaded = schemathesis.openapi.from_dict(copy.deepcopy(found))
    loaded.validate()
    operations = [one.ok() for one in loaded.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in found["paths"].values())
    names = [one["operationId"] for methods in found["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(app: Flask):
    found = document(app)

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [ref for value in part.values() for ref in references(value)]
        return [ref for value in part for ref in references(value)] if isinstance(part, list) else []

    wanted = {ref.removeprefix("#/components/schemas/") for ref in references(found)}
    assert wanted == set(found["components"]["schemas"])


def test_shapes_refuse_fields_they_do_not_name(app: Flask):
    for name, schema in document(app)["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name


def test_the_rights_that_are_written_down_are_those_that_are_asked(app: Flask, access: Access):
    client = app.test_client()
    token = f"token={access.viewing_token}"
    for path, method, view in openapi.declared_routes(app):
        right = rule_of(view).right
        address = path.replace("{camera_id}", "front-door")
        nobody = client.open(address, method=method).status_code
        assert (nobody == 401) == (right is not None), (method, path)
        if right in (Right.ADMIN, Right.OPERATE):
            assert client.open(f"{address}?{token}", method=method).status_code == 403, (method, path)


def test_the_document_is_served_and_its_page_needs_nothing_from_elsewhere(gateway, access: Access):
    client: FlaskClient = create_app(gateway, access, web_root=WEB_ROOT).test_client()
    assert client.get("/api/v1/openapi.json").status_code == 401
    answer = client.get("/api/v1/openapi.json", headers=BASIC)
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["info"]["version"] == "1.2.3"
    assert client.get("/api/v1/").status_code == 401
    page = client.get("/api/v1/", headers=BASIC)
    assert page.status_code == 200
    for path in answer.json["paths"]:
        assert path in page.text
    assert "://" not in page.text.replace("http://www.w3.org/2000/svg", "")


def test_the_watcher_of_answers_notices_what_no_document_says(app: Flask, api_answers):
    @app.get("/api/v1/liar")
    @operation(shapes.ViewingToken)
    @needs(None)
    def liar() -> Response:
        """Lie."""
        return app.json.response({"token": 7})

    @app.get("/api/v1/teapot")
    @operation(shapes.ViewingToken)
    @needs(None)
    def teapot() -> tuple[str, int]:
        """Boil."""
        return "", 418

    app.test_client().get("/api/v1/liar")
    app.test_client().get("/api/v1/teapot")
    assert api_answers.problems == [
        "GET /api/v1/liar -> 200: $.token: 7 is not of type 'string'",
        "GET /api/v1/teapot -> 418: status not declared",
    ]
    api_answers.problems.clear()


def test_the_document_says_of_every_route_the_right_that_is_enforced(app: Flask):
    paths = document(app)["paths"]
    for path, method, view in openapi.declared_routes(app):
        right, described = rule_of(view).right, paths[path][method.lower()]
        assert bool(described["security"]) == (right is not None)
        assert described["description"].endswith("Open to everybody." if right is None else f"Needs the right: {right.value}.")

    @app.get("/api/v1/forgotten")
    @operation(shapes.ViewingToken)
    def forgotten() -> str:
        """Nobody said whom this is for."""
        return "x"

    assert "right: admin" in document(app)["paths"]["/api/v1/forgotten"]["get"]["description"]


def test_no_answer_in_json_is_left_undescribed(app: Flask):
    paths = document(app)["paths"]
    vague = [
        f"{method} {path} {status}"
        for path, methods in paths.items()
        for method, one in methods.items()
        for status, answer in one["responses"].items()
        if "$ref" not in answer.get("content", {}).get("application/json", {}).get("schema", {"$ref": ""})
    ]
    assert vague == ["get /api/v1/openapi.json 200"], "which is described by OpenAPI itself"
