"""The OpenAPI 3.1 document of the API, made from the routes and their declarations when somebody first asks for it.

Nothing is written by hand twice: addresses and methods come from Flask's map, shapes from the types the code answers with,
texts from docstrings. Worker threads.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gateway.http.access import Right
from gateway.web.operations import Media, Operation, operation_of
from gateway.web.rights import rule_of
from gateway.web.shapes import CameraId, Error

Json = dict[str, Any]

PREFIX = "/api/v1"
VERSION = "3.1.0"
_REF = "#/components/schemas/{model}"
_PART = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_EVERY_FAILURE = (400, 500, 503)
_FAILURES_OF_A_LOGIN = (401, 403, 429)
_FAILURES_OF_A_BODY = (408, 413, 415)
_DESCRIPTION = """\
The Camera Gateway's interface for programs. Errors are JSON of the form `Error`. Requests that change something and come with
a browser's cookie or with HTTP Basic need JSON from one of the gateway's own pages, or its form token (`X-CSRF-Token`);
programs send a token, `?user=&pass=`, or JSON without an `Origin`.
"""
_SCHEMES: Json = {
    "basic": {"type": "http", "scheme": "basic", "description": "A user of the gateway."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or the viewing token."},
    "token": {"type": "apiKey", "in": "query", "name": "token", "description": "The same, or a signed link, in the address."},
}


class Undeclared(Exception):
    """A route of the API says not what it takes and answers; see `gateway.web.operations`."""


_MAKING = threading.Lock()
"""Descriptions of fields are read from the source, and Python 3.11's parser fails when two threads parse at once."""


def document(app: Flask, version: str, cookie: str) -> Json:
    """The whole document; `cookie` is the name of the session's. Raises Undeclared."""
    with _MAKING:
        return _document(app, version, cookie)


def _document(app: Flask, version: str, cookie: str) -> Json:
    session = {"type": "apiKey", "in": "cookie", "name": cookie, "description": "A browser that has logged in."}
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for path, method, view in declared_routes(app):
        declared = operation_of(view)
        if declared is None:
            raise Undeclared(f"{method} {path} ({view.__module__}.{view.__name__}) has no @operation")
        paths.setdefault(path, {})[method.lower()] = _operation(view, declared, path, schemas)
    return {
        "openapi": VERSION,
        "info": {"title": "Camera Gateway", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components(), "securitySchemes": _SCHEMES | {"session": session}},
    }


def declared_routes(app: Flask) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Path with its parts in braces, method, and view of every route that belongs into the document."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        api = rule.rule.startswith(f"{PREFIX}/") and rule.rule != f"{PREFIX}/"  # which is the page for people
        if not api and operation_of(view) is None:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield _PART.sub(r"{\1}", rule.rule), method, view


class _Schemas:
    """Collects the named types that operations use."""

    def __init__(self) -> None:
        self._found: dict[str, Json] = {}

    def of(self, kind: Any, mode: JsonSchemaMode = "serialization") -> Json:
        """The schema of a type; its named parts become components."""
        made: Json = TypeAdapter(kind).json_schema(ref_template=_REF, mode=mode)
        self._found.update(made.pop("$defs", {}))
        if made.get("type") == "object" and "title" in made:
            name = made["title"]
            self._found[name] = made
            return {"$ref": _REF.format(model=name)}
        return _without_titles(made)

    def fields(self, kind: Any) -> Iterator[tuple[str, Json, bool]]:
        """Name, schema and whether it is needed, of every field of a TypedDict."""
        made = _without_titles(TypeAdapter(kind).json_schema(ref_template=_REF))
        for name, schema in made["properties"].items():
            yield name, schema, name in made.get("required", ())

    def components(self) -> Json:
        """All that was used, by name."""
        return {name: _without_titles(schema) for name, schema in sorted(self._found.items())}


def _operation(view: Callable[..., Any], declared: Operation, path: str, schemas: _Schemas) -> Json:
    text = inspect.cleandoc(view.__doc__ or "")
    summary, _, rest = text.partition("\n")
    right = rule_of(view).right
    described: Json = {
        "operationId": view.__name__,
        "tags": [declared.tag],
        "summary": summary.rstrip("."),
        "description": "\n".join(part for part in (rest.strip(), _needs(right)) if part),
        "parameters": [*_path_parameters(declared, path, schemas), *_query_parameters(declared, schemas)],
        "security": [] if right is None else [{name: []} for name in (*_SCHEMES, "session")],
        "responses": _responses(declared, right, path, schemas),
    }
    if declared.body is not None:
        schema = schemas.of(declared.body, "validation")
        content = {"application/json": {"schema": schema}}
        if declared.forms:
            content["application/x-www-form-urlencoded"] = {"schema": schema}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _needs(right: Right | None) -> str:
    return "Open to everybody." if right is None else f"Needs the right: {right.value}."


def _path_parameters(declared: Operation, path: str, schemas: _Schemas) -> Iterator[Json]:
    for name in re.findall(r"{([^}]+)}", path):
        if name == "camera_id":
            described: Json = {"description": "Id of a camera in the configuration.", "schema": schemas.of(CameraId)}
        elif name in declared.paths:
            described = {"description": declared.paths[name], "schema": {"type": "string", "minLength": 1}}
        else:
            raise Undeclared(f"{path}: its @operation does not say what {name} is (paths=)")
        yield {"name": name, "in": "path", "required": True, **described}


def _query_parameters(declared: Operation, schemas: _Schemas) -> Iterator[Json]:
    if declared.query is None:
        return
    for name, schema, required in schemas.fields(declared.query):
        described = {"description": text} if (text := schema.pop("description", "")) else {}
        yield {"name": name, "in": "query", "required": required, "schema": schema, **described}


def _responses(declared: Operation, right: Right | None, path: str, schemas: _Schemas) -> Json:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in sorted(declared.headers.items())}
    responses: Json = {}
    for status, kind in declared.answers.items():
        answer: Json = {"description": HTTPStatus(status).phrase}
        if isinstance(kind, Media):
            answer["content"] = {kind.type: {}}
        elif kind is not None:
            answer["content"] = {"application/json": {"schema": schemas.of(kind)}}
        if headers and status < 400:
            answer["headers"] = headers
        responses[str(status)] = answer
    failures = {*_EVERY_FAILURE, *declared.refuses}
    if right is not None:
        failures |= set(_FAILURES_OF_A_LOGIN)
    if declared.body is not None:
        failures |= set(_FAILURES_OF_A_BODY)
    if "{" in path:
        failures.add(404)
    error = {"content": {"application/json": {"schema": schemas.of(Error)}}}
    for status in sorted(failures):
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase, **error})
    return responses


def _without_titles(schema: Json) -> Json:
    """pydantic repeats every name as a title, which says nothing."""
    return {key: _inside(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return _without_titles(value)
    return [_inside(one) for one in value] if isinstance(value, list) else value
