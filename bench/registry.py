"""Owns the workloads of the model registry: versions made and searched, aliases set and read."""

import json
from urllib.parse import urlencode

from bench.client import API, expect
from bench.load import Request
from bench.servers import REGISTRY
from bench.tracking import PAGE, expect_near, plural
from bench.work import Target, Work, Workload, loaded


def create_version(connections: int, *, quick: bool = False, postgres: bool = False) -> Workload:
    """Versions of one model, all from the same run's files."""
    name = f"create-version-{connections}"

    def make(target: Target, number: int) -> Work:
        model = f"{name}-r{number}"
        target.client.post("registered-models/create", name=model)
        fields = {
            "name": model,
            "source": target.seed.model_source,
            "run_id": target.seed.model_run,
        }
        body = json.dumps(fields)[:-1] + ', "tags": [{"key": "number", "value": "'

        def check(content: bytes) -> None:
            made = json.loads(content)["model_version"]
            expect((made["name"], made["version"]) == (model, "1"), f"not version 1: {made}")
            expect(made["run_id"] == target.seed.model_run, "the version has another run")

        def verify(answers: int) -> None:
            query = {"filter": f"name='{model}'", "order_by": "version_number DESC"}
            found = target.client.get("model-versions/search", max_results=1, **query)
            last = int(found["model_versions"][0]["version"])
            expect_near(last, answers, connections + 2, "versions")

        request = Request("POST", (f"{API}model-versions/create",), (body, '"}]}'))
        return Work([request], check, verify)

    return loaded(
        name,
        f"model-versions/create, {plural(connections)}",
        REGISTRY,
        make,
        connections=connections,
        quick=quick,
        postgres=postgres,
    )


def search_versions() -> Workload:
    """The newest hundred versions of a model that has many."""

    def make(target: Target, _: int) -> Work:
        model = target.seed.model
        fields = {"filter": f"name='{model}'", "max_results": PAGE}
        fields["order_by"] = "version_number DESC"
        last = target.seed.size.versions

        def check(content: bytes) -> None:
            found = json.loads(content)["model_versions"]
            numbers = [int(version["version"]) for version in found]
            expect(numbers == list(range(last, last - PAGE, -1)), f"other versions: {numbers[:3]}")
            expect({version["name"] for version in found} == {model}, "versions of other models")
            expect(all(len(v["tags"]) == 1 for v in found), "versions came without their tags")

        request = Request("GET", (f"{API}model-versions/search?{urlencode(fields)}",))
        return Work([request], check, steady=True)

    return loaded(
        "search-versions",
        f"model-versions/search, {PAGE} of many",
        REGISTRY,
        make,
        connections=4,
        quick=True,
        postgres=True,
    )


def get_alias() -> Workload:
    """The version that an alias stands for, as every loading of a model asks."""

    def make(target: Target, _: int) -> Work:
        query = urlencode({"name": target.seed.model, "alias": "champion"})

        def check(content: bytes) -> None:
            found = json.loads(content)["model_version"]
            expect(found["version"] == "1", "the alias stands for another version")
            expect("champion" in found["aliases"], "the version does not show its alias")

        request = Request("GET", (f"{API}registered-models/alias?{query}",))
        return Work([request], check, steady=True)

    return loaded(
        "get-alias",
        "registered-models/alias, read, 16 connections",
        REGISTRY,
        make,
        connections=16,
        quick=True,
        postgres=True,
    )


def set_alias() -> Workload:
    """An alias moved from version to version."""

    def make(target: Target, _: int) -> Work:
        requests = [
            Request(
                "POST",
                (f"{API}registered-models/alias",),
                (
                    json.dumps(
                        {"name": target.seed.model, "alias": "moving", "version": str(version)}
                    ),
                ),
            )
            for version in range(1, 51)
        ]

        def check(content: bytes) -> None:
            expect(json.loads(content) == {}, "an empty object was expected")
            query = {"name": target.seed.model, "alias": "moving"}
            found = target.client.get("registered-models/alias", **query)
            expect(found["model_version"]["version"] == "1", "the alias did not move")

        return Work(requests, check)

    return loaded(
        "set-alias",
        "registered-models/alias, moved, 16 connections",
        REGISTRY,
        make,
        connections=16,
    )


def workloads() -> list[Workload]:
    """Return the workloads of the registry in the order of the report."""
    return [
        create_version(1),
        create_version(16, quick=True, postgres=True),
        create_version(64),
        search_versions(),
        get_alias(),
        set_alias(),
    ]
