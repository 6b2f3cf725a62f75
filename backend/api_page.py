"""The OpenAPI page's words: what each call takes and answers, so that other programs and tests can read it.

FastAPI makes the page from these; what is not Python's own types on the wire (a request and a result are
``.npz`` files) is said here.
"""

from __future__ import annotations

from typing import Any

PATH = "/v1/openapi.json"

ERROR = {
    "type": "object", "required": ["error"], "additionalProperties": False,
    "properties": {"error": {
        "type": "object", "required": ["field", "problem", "remedy", "message"], "additionalProperties": False,
        "properties": {name: {"type": "string"} for name in ("field", "problem", "remedy", "message")},
    }},
}  # fmt: skip

STATES = ["queued", "running", "done", "failed", "cancelled"]
COUNT = {"type": "integer", "minimum": 0}

JOB = {
    "type": "object", "required": ["job", "state", "step", "total", "eta_seconds", "error", "elapsed_seconds",
                                   "ready"],
    "additionalProperties": False,
    "properties": {
        "job": {"type": "string"}, "state": {"type": "string", "enum": STATES}, "step": COUNT, "total": COUNT,
        "eta_seconds": {"type": ["number", "null"]}, "elapsed_seconds": {"type": "number", "minimum": 0},
        "ready": COUNT,
        "error": {"anyOf": [ERROR["properties"]["error"], {"type": "null"}]},  # type: ignore[index]
    },
}  # fmt: skip

HEALTH = {
    "type": "object", "required": ["limber", "protocol", "pid", "jobs"], "additionalProperties": False,
    "properties": {
        "limber": {"type": "string"}, "protocol": COUNT, "pid": COUNT,
        "jobs": {"type": "object", "additionalProperties": COUNT, "required": STATES},
    },
}  # fmt: skip

MODELS = {
    "type": "object", "required": ["models"], "additionalProperties": False,
    "properties": {"models": {"type": "array", "items": {"type": "object", "required": ["name"]}}},
}  # fmt: skip

SUBMITTED = {"type": "object", "required": ["job"], "properties": {"job": {"type": "string"}}}


def answers(good: dict[str, Any], *refusals: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """FastAPI's ``responses``: one good answer in JSON, and the refusals, which all look alike.

    Args:
        good: JSON schema of the answer.
        refusals: statuses besides 400 and 401, which the guard gives to any call.
        status: of the good answer.
    """
    told: dict[int | str, dict[str, Any]] = {
        status: {"description": "As asked", "content": {"application/json": {"schema": good}}}
    }
    why = {400: "What was sent is not right", 401: "The token is missing or wrong", 404: "There is no such job",
           409: "The job has no result", 413: "The request is too large", 503: "The queue is full"}  # fmt: skip
    for code in (400, 401, *refusals):
        told[code] = {"description": why[code], "content": {"application/json": {"schema": ERROR}}}
    return told


def result(kinds: tuple[str, ...]) -> dict[int | str, dict[str, Any]]:
    """As :func:`answers` for a result: an ``.npz`` of the first of ``kinds``."""
    told = answers({}, 404, 409)
    told[200] = {"description": "The result as an .npz", "content": {kinds[0]: {"schema": BINARY}}}
    return told


BINARY = {"type": "string", "format": "binary"}


def body(kinds: tuple[str, ...]) -> dict[str, Any]:
    """FastAPI's ``openapi_extra`` for a call that takes an ``.npz``."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": BINARY} for kind in kinds}}}


def finished(page: dict[str, Any]) -> dict[str, Any]:
    """The page without what FastAPI supposes (a 422 that is never given), and with the token's scheme."""
    for calls in page["paths"].values():
        for call in calls.values():
            call["responses"].pop("422", None)
    page.setdefault("components", {}).pop("schemas", None)
    page["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    page["security"] = [{"token": []}]
    return page
