"""How errors look on the wire."""

from __future__ import annotations

from typing import Any

from blender_addon.motion.errors import FileFormatError, InvalidRequestError, LimberError


def error_body(field: str, problem: str, remedy: str = "") -> dict[str, Any]:
    """An error as the wire shows it."""
    message = f"{field}: {problem}" if field else problem
    message = f"{message}. {remedy}" if remedy else message
    return {"error": {"field": field, "problem": problem, "remedy": remedy, "message": message}}


def describe_error(error: LimberError) -> dict[str, str]:
    """An error as the wire shows it: field and problem where there are, what to do, and one sentence."""
    if isinstance(error, InvalidRequestError):
        remedy = error.remedy or f"Correct {error.field} and send the request again."
        return error_body(error.field, error.problem, remedy)["error"]
    if isinstance(error, FileFormatError):
        return error_body(error.path, error.problem, "Send a request as Limber writes it.")["error"]
    return error_body("", str(error))["error"]
