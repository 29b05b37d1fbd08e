"""Owns one run of the benchmark: what is asked of whom, in which order, within which time.

Always holds: servers are asked in turn within every round, never two at once; results are kept
after every workload; a server that fails at one thing is still asked the next.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench import artifacts, machine, mixed, registry, tracking
from bench.client import Json
from bench.fleet import Member, Seeder, fleet
from bench.forms import Form
from bench.growth import Growth
from bench.load import Measure
from bench.machine import adopt_orphans, busy_s, family_cpu_s
from bench.online import Online
from bench.peers import environment, heddle_environment
from bench.places import RUNS, WORK
from bench.postgres import server_version
from bench.report import PG, render
from bench.results import Cell, Results
from bench.scoring import Scoring
from bench.seed import Size
from bench.servers import FLAVOURS, DidNotStart, Flavour, Programs, Server
from bench.work import FAILURES, Round, Row, Workload

Measures = list[Measure]
SETTLE_S = 30.0


def all_workloads() -> list[Workload]:
    """Return every workload in the order of the report."""
    return [
        *tracking.workloads(),
        *mixed.workloads(),
        *registry.workloads(),
        *artifacts.workloads(),
    ]


class Others:
    """What programs that have nothing to do with the benchmark take of the machine meanwhile."""

    def __init__(self) -> None:
        adopt_orphans()
        self._began = time.monotonic()
        self._busy_s = busy_s()
        self._own_s = family_cpu_s(os.getpid())

    def told(self) -> str:
        """Return their share of all processors since this was made, in words."""
        foreign_s = busy_s() - self._busy_s - (family_cpu_s(os.getpid()) - self._own_s)
        offered_s = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return f"others {max(foreign_s / offered_s, 0):.0%}"


class Session:
    """One run of the benchmark in one form."""

    def __init__(
        self,
        *,
        form: Form,
        only: Sequence[str],
        peers: Sequence[str],
        resume: bool,
        heddle_python: str,
        report: Path,
    ) -> None:
        self.form = form
        self._began = time.monotonic()
        self._only = set(only)
        self._resume = resume
        self._failed = False
        self._report = report
        self._programs = Programs(heddle_python)
        self._flavours = [FLAVOURS[name] for name in peers]
        path = WORK / f"results-{form.name}.json"
        self.results = Results.load(path, form.name, anew=not resume and not only)

    def run(self) -> None:
        """Measure everything that was asked for."""
        RUNS.mkdir(parents=True, exist_ok=True)
        self._describe()
        embedded = [flavour for flavour in self._flavours if not flavour.postgres]
        shared = [flavour for flavour in self._flavours if flavour.postgres]
        if self.form.starts and (not self._only or "start" in self._only):
            self._measure_starts(embedded)
        self._measure_group(embedded, self._workloads(postgres=False))
        if shared:
            self._measure_group(shared, self._workloads(postgres=True))
        if self._wanted("growth") and FLAVOURS["heddle"] in embedded:
            self._measure_growth()
        if self._wanted("scoring"):
            self._measure_scoring()
        if self._wanted("online"):
            self._measure_online()
        if self._wanted("installed"):
            self._measure_installed(embedded)
        self.results.save()

    def _wanted(self, name: str) -> bool:
        return name in self._only if self._only else self.form.name == "full"

    def _measure_growth(self) -> None:
        if self._resume and self._is_of_now(self.results.growth):
            return
        others = Others()

        def keep(measured: Json) -> None:
            self.results.grow({**measured, "taken": self._taken(others)})
            self.results.save()

        def fail(kind: str, failure: BaseException) -> None:
            self._remark(f"growth of {kind} failed: {type(failure).__name__}: {failure}")
            self._failed = True

        Growth(self._programs, keep, fail).run(self.form.run_counts)

    def _measure_scoring(self) -> None:
        if self._resume and self._is_of_now(list(self.results.scoring.values())):
            return
        self.results.scoring.clear()
        others = Others()

        def keep(measured: Json) -> None:
            measured["taken"] = self._taken(others)
            self.results.scoring[f"{measured['engine']} {measured['model']}"] = measured
            self.results.save()

        def fail(what: str, failure: BaseException) -> None:
            self._remark(f"scoring, {what}: {type(failure).__name__}: {failure}"[:400])
            self._failed = self._failed or what.startswith("heddle,")

        Scoring(self.form.scoring, keep, fail).run()

    def _measure_online(self) -> None:
        if self._resume and self._is_of_now(list(self.results.online.values())):
            return
        self.results.online.clear()
        others = Others()

        def keep(measured: Json) -> None:
            measured["taken"] = self._taken(others)
            self.results.online[f"{measured['server']} {measured['work']}"] = measured
            self.results.save()

        def fail(what: str, failure: BaseException) -> None:
            self._remark(f"online, {what}: {type(failure).__name__}: {failure}"[:400])
            self._failed = self._failed or what.startswith("heddle,")

        Online(self.form.rounds, self.form.seconds, keep, fail).run()

    def _taken(self, others: Others) -> str:
        at = time.strftime("%m-%d %H:%M", time.gmtime())
        return f"{at}, {self._heddle()}, {others.told()}"

    def _heddle(self) -> str:
        return self.results.versions.get("Heddle", "?")

    def _is_of_now(self, measured: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether there are figures and all were taken of this state of Heddle."""
        return bool(measured) and all(
            f", {self._heddle()}," in held.get("taken", "") for held in measured
        )

    def _prepare(self, flavours: Sequence[Flavour], size: Size) -> None:
        """Make what is kept from run to run; the time that a form may take begins after it."""
        began = time.monotonic()
        seeder = Seeder(self._programs, size)
        for flavour in flavours:
            seeder.prepare(flavour)
        spent = time.monotonic() - began
        if spent > 1:
            print(f"prepared in {spent:.0f} s; the next run finds it ready", flush=True)
        self._began += spent

    def write(self) -> None:
        """Write the report of everything measured so far."""
        results = self.results
        if not (
            results.cells
            or results.resources
            or results.growth
            or results.scoring
            or results.online
        ):
            return
        self._report.parent.mkdir(parents=True, exist_ok=True)
        self._report.write_text(render(self.results))
        print(f"{self._spent():.0f} s; report in {self._report}", flush=True)

    def heddle_failed(self) -> bool:
        """Return whether Heddle failed at anything that was asked of it."""
        return self._failed or any(
            cell.failure
            for cells in self.results.cells.values()
            for server, cell in cells.items()
            if server.startswith("heddle")
        )

    def _remark(self, text: str) -> None:
        """Keep a remark for the report, and say it at once."""
        print(text, flush=True)
        if text not in self.results.notes:
            self.results.notes.append(text)

    def _spent(self) -> float:
        return time.monotonic() - self._began

    def _over(self) -> bool:
        return bool(self.form.budget_s) and self._spent() > self.form.budget_s

    def _describe(self) -> None:
        measured = self._workloads(postgres=False) or self._workloads(postgres=True)
        if measured or not self.results.facts:
            self.results.facts = self._facts()
        self._name_versions()

    def _facts(self) -> dict[str, str]:
        """Return what the rates are taken on; growth and scoring say their own time and load."""
        return {
            "taken": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "form": f"{self.form.name}, {self.form.rounds} rounds of {self.form.seconds:g} s",
            **machine.facts(RUNS),
        }

    def _name_versions(self) -> None:
        for flavour in self._flavours:
            name = flavour.family.replace("heddle", "Heddle").replace("mlflow", "MLflow")
            name = name.replace("fasttrackml", "FastTrackML")
            # Peers are pinned; Heddle may have changed since the rows that are kept.
            if name not in self.results.versions or flavour.family == "heddle":
                self.results.versions[name] = self._programs.version(flavour.family)
            if flavour.postgres:
                self.results.versions["PostgreSQL"] = server_version()

    def _workloads(self, *, postgres: bool) -> list[Workload]:
        return [
            workload
            for workload in all_workloads()
            if (workload.name in self._only if self._only else self._in_form(workload))
            and (workload.postgres or not postgres)
            and not (workload.many and not self._size(postgres=postgres).many_runs)
        ]

    def _in_form(self, workload: Workload) -> bool:
        return workload.quick or self.form.name == "full"

    def _size(self, *, postgres: bool) -> Size:
        return self.form.postgres_size if postgres else self.form.size

    def _measure_group(self, flavours: Sequence[Flavour], workloads: Sequence[Workload]) -> None:
        """Start servers side by side and ask each workload of all of them."""
        postgres = any(flavour.postgres for flavour in flavours)
        mark = PG if postgres else ""
        names = [flavour.name for flavour in flavours]
        left = [
            workload
            for workload in workloads
            if not (self._resume and self.results.has(workload.rows[0].key + mark, names))
        ]
        if not flavours or not left:
            return
        size = self._size(postgres=postgres)
        self._prepare(flavours, size)
        self.results.seeds["PostgreSQL" if postgres else "embedded SQLite"] = asdict(size)
        with fleet(flavours, self._programs, size, self.form) as members:
            for member in members:
                member.server.settle(SETTLE_S)
                self._note(member, "idle")
                if member.failure:
                    print(f"{member.flavour.title}: {member.failure}", flush=True)
            for workload in left:
                if self._over():
                    self._remark(f"left out for want of time: {workload.name}")
                    continue
                self._measure(workload, members, mark)
                self.results.save()
            for member in members:
                self._note(member, "worked")

    def _note(self, member: Member, what: str) -> None:
        if member.target is None:
            return
        held = self.results.resources.setdefault(member.flavour.name, {})
        held[f"{what}_bytes"] = member.server.memory_bytes()
        held[f"{what}_answering_bytes"] = member.server.answering_bytes()
        held["processes"] = len(member.server.pids())
        held.setdefault("start_s", member.server.start_s)

    def _measure(self, workload: Workload, members: Sequence[Member], mark: str) -> None:
        """Run all rounds of one workload, the servers in turn within each round."""
        measures: dict[str, dict[str, Measures]] = {}
        failures: dict[str, str] = {}
        rounds: dict[str, Round] = {}
        spent: dict[str, float] = {}
        able = [member for member in members if workload.ability in member.flavour.abilities]
        if not able:
            return
        others = Others()
        for number in range(1, self.form.rounds + 1):
            for member in able:
                name = member.flavour.name
                if name in failures or self._impatient(spent.get(name, 0)):
                    continue
                began = time.monotonic()
                try:
                    if name not in rounds:
                        rounds[name] = workload.prepare(member.running())
                    for key, measure in rounds[name](number).items():
                        measures.setdefault(key, {}).setdefault(name, []).append(measure)
                except FAILURES as failure:
                    failures[name] = f"{type(failure).__name__}: {failure}"[:400]
                spent[name] = spent.get(name, 0) + time.monotonic() - began
        circumstances = others.told()
        for row in workload.rows:
            cells = {name: Cell.of(found) for name, found in measures.get(row.key, {}).items()}
            cells |= {name: Cell(failure=failure) for name, failure in failures.items()}
            self.results.record(Row(row.key + mark, row.title, row.unit), cells, circumstances)
            self._tell(row, cells)

    def _impatient(self, spent_s: float) -> bool:
        return bool(self.form.patience_s) and spent_s > self.form.patience_s

    def _tell(self, row: Row, cells: Mapping[str, Cell]) -> None:
        figures = ", ".join(
            f"{name} {cell.failure or f'{cell.rate:,.1f}'}" for name, cell in sorted(cells.items())
        )
        print(f"[{self._spent():4.0f} s] {row.title}, {row.unit}: {figures}", flush=True)

    def _measure_starts(self, flavours: Sequence[Flavour]) -> None:
        """Measure the time from nothing, without data, to the first answer."""
        for flavour in flavours:
            try:
                taken = [self._start_s(flavour) for _ in range(self.form.starts)]
            except DidNotStart as failure:
                print(f"{flavour.title}: {failure}", flush=True)
                continue
            held = self.results.resources.setdefault(flavour.name, {})
            held["start_s"] = median(taken)

    def _start_s(self, flavour: Flavour) -> float:
        data = RUNS / f"{flavour.name}-start"
        shutil.rmtree(data, ignore_errors=True)
        server = Server(
            flavour, data, lambda port: self._programs.command(flavour, port, data, None)
        )
        try:
            server.start()
            return server.start_s
        finally:
            server.stop()

    def _measure_installed(self, flavours: Sequence[Flavour]) -> None:
        for flavour in flavours:
            if flavour.family == "bare":
                continue
            try:
                heddle = flavour.family == "heddle"
                directory = heddle_environment() if heddle else environment(flavour.family)
            except (subprocess.SubprocessError, OSError) as failure:
                self._remark(f"{flavour.title} could not be installed: {failure}")
                continue
            held = self.results.resources.setdefault(flavour.name, {})
            held["installed_bytes"] = machine.tree_bytes(directory)
