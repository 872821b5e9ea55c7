"""Checks requests and replies against a published OpenAPI 3.1 description."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

# What the published Discourse description leaves out though servers take it.
ALSO_ACCEPTED: Mapping[tuple[str, str], frozenset[str]] = {
    ("POST", "/posts.json"): frozenset({"tags"}),
}


@dataclass
class Description:
    """The operations of one API description, ready for checking.

    `faults` collects every violation as a sentence; tests end by asserting
    that it is empty.
    """

    document: Mapping[str, Any]
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + r"\Z"), path, item)
            for path, item in self.document["paths"].items()
        ]
        # Literal paths before templated ones: /posts.json is not /posts/{id}.json.
        self._paths.sort(key=lambda entry: entry[1].count("{"))

    @classmethod
    def load(cls, path: Path) -> Description:
        """Read the description from a JSON file."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def _operation(self, method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
        for pattern, name, item in self._paths:
            if pattern.match(path) and method.lower() in item:
                return name, item[method.lower()]
        return None

    def knows(self, method: str, path: str) -> bool:
        """Tell whether the description has this operation."""
        return self._operation(method, path) is not None

    def check_request(
        self, method: str, path: str, content_type: str, body: object, headers: Mapping[str, str]
    ) -> None:
        """Check a request's body (parsed) and required headers."""
        found = self._operation(method, path)
        if found is None:
            return
        name, operation = found
        for parameter in operation.get("parameters", ()):
            if (
                parameter["in"] == "header"
                and parameter.get("required")
                and parameter["name"].lower() not in {key.lower() for key in headers}
            ):
                self.faults.append(f"{method} {name}: header {parameter['name']} is missing")
        contents = operation.get("requestBody", {}).get("content", {})
        if not contents or body is None:
            return
        schema = contents.get(content_type, {}).get("schema")
        if schema is None:
            self.faults.append(f"{method} {name}: takes no {content_type}")
            return
        if isinstance(body, dict):
            extra = ALSO_ACCEPTED.get((method, name), frozenset())
            body = {key: value for key, value in body.items() if key not in extra}
        self._check(f"request {method} {name}", schema, body)

    def check_reply(self, method: str, path: str, status: int, body: object) -> None:
        """Check a reply's body (parsed) for a status the description knows."""
        found = self._operation(method, path)
        if found is None:
            return
        name, operation = found
        reply = operation.get("responses", {}).get(str(status))
        if reply is None:
            return  # the description lists successes only
        schema = reply.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            self._check(f"reply {method} {name}", schema, body)

    def _check(self, where: str, schema: Mapping[str, Any], body: object) -> None:
        validator = jsonschema.Draft202012Validator(schema)
        for error in validator.iter_errors(body):
            place = "/".join(str(part) for part in error.absolute_path)
            self.faults.append(f"{where} at {place or 'the top'}: {error.message[:300]}")
