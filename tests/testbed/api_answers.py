"""Holds every answer of the API that a test gets against the document that the gateway hands out about itself."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
from flask import Flask, Response, request

from gateway.web import openapi


class Watcher:
    """Collects what an application answers and its document does not say."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.seen: list[tuple[str, str, int]] = []
        self._documents: dict[int, dict[str, Any]] = {}

    def look(self, app: Flask, response: Response) -> None:
        """Judge one answer; called within its request."""
        rule = request.url_rule
        if rule is None or not rule.rule.startswith("/api/v1/") or request.method in ("HEAD", "OPTIONS"):
            return
        if id(app) not in self._documents:
            try:
                self._documents[id(app)] = openapi.document(app, "1", "session")
            except openapi.Undeclared as error:
                self.problems.append(str(error))
                return
        document = self._documents[id(app)]
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        operation = document["paths"].get(path, {}).get(request.method.lower())
        where = f"{request.method} {path} -> {response.status_code}"
        if operation is None:
            if path != "/api/v1/":
                self.problems.append(f"{where}: no such operation")
            return
        self.seen.append((request.method, path, response.status_code))
        answer = operation["responses"].get(str(response.status_code))
        if answer is None:
            self.problems.append(f"{where}: status not declared")
            return
        content = answer.get("content")
        if not content:
            if response.data:
                self.problems.append(f"{where}: a body where none was declared")
        elif response.mimetype not in content:
            self.problems.append(f"{where}: {response.mimetype} is not declared")
        elif schema := content[response.mimetype].get("schema"):
            try:
                jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(response.json)
            except jsonschema.ValidationError as error:
                self.problems.append(f"{where}: {error.json_path}: {error.message}")
