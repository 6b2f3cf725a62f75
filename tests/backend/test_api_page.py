"""The HTTP surface by its own OpenAPI page: guarded, right, and what schemathesis makes of it is answered well."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend import api_page
from blender_addon.motion import npz

from .conftest import Server, keyed

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def page(server: Server) -> dict[str, Any]:
    return server.call("GET", api_page.PATH).json


def test_the_page_is_guarded_as_the_rest(server: Server) -> None:
    assert server.call("GET", api_page.PATH, headers={"Authorization": None}).status == 401
    assert server.call("GET", api_page.PATH, headers={"Origin": "http://any.example"}).status == 400
    assert server.call("GET", api_page.PATH, headers={"Host": "any.example"}).status == 400


def test_the_page_names_every_call(page: dict[str, Any]) -> None:
    calls = {(method.upper(), path) for path, methods in page["paths"].items() for method in methods}
    assert calls == {
        ("GET", "/v1/health"), ("GET", "/v1/models"), ("POST", "/v1/jobs"), ("GET", "/v1/jobs/{job}"),
        ("GET", "/v1/jobs/{job}/result"), ("DELETE", "/v1/jobs/{job}"),
        ("GET", "/v1/jobs/{job}/partial"),
    }  # fmt: skip
    assert page["security"] == [{"token": []}]
    for methods in page["paths"].values():
        for call in methods.values():
            assert {"400", "401"} <= call["responses"].keys()
            assert "422" not in call["responses"]


@pytest.mark.parametrize(
    "call",
    ["GET /v1/health", "GET /v1/models", "POST /v1/jobs", "GET /v1/jobs/{job}", "GET /v1/jobs/{job}/result",
     "GET /v1/jobs/{job}/partial", "DELETE /v1/jobs/{job}"],
)  # fmt: skip
def test_schemathesis_finds_nothing(server: Server, page: dict[str, Any], call: str) -> None:
    method, _, path = call.partition(" ")
    whole = schemathesis.openapi.from_dict(page)
    headers = {"Authorization": f"Bearer {server.hello['token']}", "Connection": "close"}

    @settings(max_examples=20, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=whole[path][method].as_strategy())
    def asked(case: Any) -> None:
        case.call_and_validate(base_url=f"http://127.0.0.1:{server.port}", headers=headers, checks=CHECKS)

    asked()
    assert server.alive()


def test_a_real_job_answers_as_the_page_says(server: Server, page: dict[str, Any]) -> None:
    whole = schemathesis.openapi.from_dict(page)
    headers = {"Authorization": f"Bearer {server.hello['token']}", "Connection": "close"}
    where = f"http://127.0.0.1:{server.port}"
    job = server.submit(keyed(8, bundle="tiny"))
    for method, path in (
        ("GET", "/v1/jobs/{job}"),
        ("DELETE", "/v1/jobs/{job}"),
        ("GET", "/v1/jobs/{job}/result"),
    ):
        server.ended(job)
        case = whole[path][method].Case(path_parameters={"job": job})
        answer = case.call_and_validate(base_url=where, headers=headers, checks=CHECKS)
        assert answer.status_code == 200
    npz.result_from_bytes(answer.content)
