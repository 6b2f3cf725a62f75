"""What the server, the command line and the tests call: bundles found, models kept, requests answered."""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from blender_addon.motion import constraints
from blender_addon.motion.constraints import Request, Result
from blender_addon.motion.errors import InvalidRequestError, LimberError, WeightsError

from . import systems, tasks, weights
from .systems.base import BUILT_IN, System, Told
from .weights import Bundle
from .windows import FPS

PACKAGED = Path(__file__).resolve().parent / "weights"
DEFAULT_BUNDLE = "open"
MAX_FRAMES = 1_000_000
"""Frames of all variations together; their results take 0.7 GB."""

Progress = Callable[[int, int], None]


def _no_progress(step: int, total: int) -> None:
    del step, total


def _never() -> bool:
    return False


class Service:
    """Answers requests; may be called from any thread, computes one request at a time.

    Args:
        weights_dirs: bundles, or folders of bundles, that come before the ones that were installed.
    """

    def __init__(self, weights_dirs: Sequence[Path] = ()) -> None:
        self._folders = weights.discover([*weights_dirs, PACKAGED])
        self._loaded: dict[tuple[str, str], System] = {}
        self._lock = threading.Lock()

    def run(
        self,
        request: Request,
        progress: Progress = _no_progress,
        cancelled: Callable[[], bool] = _never,
        shown: tasks.Shown | None = None,
    ) -> Result:
        """Fill in what the request does not know.

        Args:
            request: what is known and what is wanted.
            progress: called with (step, total).
            cancelled: looked at before every step.
            shown: called now and then with what there is so far of a long request, see :func:`tasks.run`.

        Raises:
            InvalidRequestError: no such bundle or system, or one that cannot do the task.
            WeightsError: the bundle is damaged.
            JobCancelled: ``cancelled()`` became true.
        """
        started = time.monotonic()
        # 1. what would not fit into memory, by far
        if len(request) * request.variations > MAX_FRAMES:
            problem = f"{request.variations} of {len(request)} frames are more than {MAX_FRAMES} frames"
            raise InvalidRequestError("variations", problem, "Ask for fewer, or split the range into parts.")
        lasting = len(request) / request.clip.fps
        if lasting * FPS * request.variations > MAX_FRAMES:
            problem = f"{len(request)} frames at {request.clip.fps:g} a second last {lasting:.4g} seconds"
            raise InvalidRequestError("fps", problem, f"At {FPS:g} a second at most {MAX_FRAMES} frames are taken.")
        with self._lock:
            # 2. which weights, which system
            bundle, name = self._choose(request)
            # 3. the model, from memory if it was used before
            system = self._system(bundle, name)
            # 4. the work
            try:
                result = tasks.run(request, system, progress, cancelled, shown)
            except RuntimeError as error:
                if "allocate" in str(error) or isinstance(error, torch.OutOfMemoryError):
                    raise LimberError("not enough memory: choose a shorter range") from error
                raise
        # 5. how it was made
        report = {**result.report, "system": name, "seed": request.seed,
                  "seconds": round(time.monotonic() - started, 4)}  # fmt: skip
        if bundle is not None:
            report |= {"bundle": bundle.name, "family": bundle.config["family"], "sha256": bundle.sha256,
                       "licence": bundle.config["licence"]}  # fmt: skip
        return replace(result, report=report)

    def judge(self, prompt: str, system: str = "auto", bundle: str = "") -> dict[str, Any]:
        """How near a prompt is to what the model that would answer it knows; {} where it cannot say.

        See :meth:`backend.prompts.Prompts.judge`.

        Raises:
            InvalidRequestError: no such bundle or system, or one that heeds no text.
            WeightsError: the bundle is damaged, or the sentence encoder is not there.
        """
        request = constraints.told([prompt], [1.0], system=system, bundle=bundle)
        with self._lock:
            answering = self._system(*self._choose(request))
        return dict(answering.judge(prompt)) if isinstance(answering, Told) else {}

    def models(self) -> list[dict[str, Any]]:
        """Every bundle, the default first, then what needs no weights; a broken one with its ``problem``."""
        out = []
        for name in sorted(self._folders, key=lambda n: (n != self._default(), n)):
            entry: dict[str, Any] = {"name": name, "default": name == self._default()}
            try:
                bundle = weights.load(self._folders[name])
            except WeightsError as error:
                out.append({**entry, "systems": {}, "problem": str(error)})
                continue
            loaded = [system for key, system in list(self._loaded) if key == name]
            out.append({
                **entry, "family": bundle.config["family"], "licence": bundle.config["licence"],
                "data": bundle.config["data"], "sha256": bundle.sha256, "loaded": loaded, "problem": "",
                "systems": {k: list(v["tasks"]) for k, v in bundle.systems.items()},
                "metrics": bundle.metrics, "bytes": (bundle.path / weights.MODEL).stat().st_size,
            })  # fmt: skip
        built_in = {name: sorted(system.tasks) for name, system in BUILT_IN.items()}
        out.append({
            "name": "", "default": not self._folders, "family": "", "licence": "none needed", "data": [],
            "sha256": "", "loaded": list(built_in), "problem": "", "systems": built_in, "metrics": {},
        })  # fmt: skip
        return out

    def warm(self) -> None:
        """Load what the default bundle uses first, so that the first request does not wait for it."""
        default = self._default()
        if default:
            with self._lock:
                bundle = weights.load(self._folders[default])
                self._system(bundle, next(iter(bundle.systems)))

    def release(self) -> None:
        """Forget every loaded model, and give the memory back."""
        with self._lock:
            self._loaded.clear()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    # -- choosing ------------------------------------------------------------------------------

    def _default(self) -> str:
        """``open`` where it is there, else the first bundle, "" where there is none."""
        return DEFAULT_BUNDLE if DEFAULT_BUNDLE in self._folders else next(iter(sorted(self._folders)), "")

    def _choose(self, request: Request) -> tuple[Bundle | None, str]:
        """The bundle and the system's name for a request; no bundle for what needs no weights."""
        if request.bundle and request.bundle not in self._folders:
            known = ", ".join(sorted(self._folders)) or "none"
            raise InvalidRequestError("bundle", f"there is no {request.bundle!r}", f"Installed: {known}.")
        if request.system in BUILT_IN:
            if request.task not in BUILT_IN[request.system].tasks:
                raise _unsupported(request, request.system, self._able(request.task))
            return None, request.system
        candidates = self._candidates(request.bundle)
        for bundle in candidates:
            able = [k for k, v in bundle.systems.items() if request.task in v["tasks"]]
            if request.system in able or (able and request.system == "auto"):
                return bundle, able[0] if request.system == "auto" else request.system
        name = candidates[0].name if candidates else ""
        if request.system == "auto":
            only = self._able(request.task)
            if not request.bundle and len(only) == 1 and only[0] in BUILT_IN:
                return None, only[0]
            raise _unsupported(request, name or "this installation", self._able(request.task))
        every = list(dict.fromkeys(k for bundle in candidates for k in bundle.systems))
        if request.system not in every:
            known = ", ".join(["auto", *every, *BUILT_IN])
            raise InvalidRequestError("system", f"bundle {name!r} has no {request.system!r}", f"Use {known}.")
        raise _unsupported(request, request.system, self._able(request.task))

    def _candidates(self, name: str) -> list[Bundle]:
        """The bundles that may answer, the one that is asked for first: a family's systems may be spread over
        several. Without a name, the default one, the others of its family, and then all others.

        Raises:
            WeightsError: the first one is damaged; of the others those that are count as not there.
        """
        first = name or self._default()
        if not first:
            return []
        found = [weights.load(self._folders[first])]
        for other in sorted(self._folders.keys() - {first}):
            try:
                found.append(weights.load(self._folders[other]))
            except WeightsError:  # models() says so
                continue
        family = found[0].config["family"]
        own, rest = ([b for b in found if (b.config["family"] == family) is same] for same in (True, False))
        return own if name else own + rest

    def _able(self, task: str) -> list[str]:
        """Who does something for a task, as ``system (bundle)``; interpolation refines nothing."""
        return [
            f"{system} ({entry['name']})" if entry["name"] else system
            for entry in self.models()
            for system, can in entry["systems"].items()
            if task in can and (system, task) != ("interpolation", "refine")
        ]

    def _system(self, bundle: Bundle | None, name: str) -> System:
        """The system, built once and kept."""
        if bundle is None:
            return BUILT_IN[name]
        key = (bundle.name, name)
        if key not in self._loaded:
            self._loaded[key] = build(bundle, name)
        return self._loaded[key]


def build(bundle: Bundle, name: str) -> System:
    """Make a system from its entry and tensors in a bundle.

    Raises:
        WeightsError: this version has no such system, or its entry or tensors do not fit it.
    """
    known = sorted(module.name for module in pkgutil.iter_modules(systems.__path__))
    if name not in known:
        raise WeightsError(f"bundle {bundle.name} holds {name!r}, which this version of Limber does not know")
    module = importlib.import_module(f"{systems.__name__}.{name}")
    kinds: list[Any] = [k for k in vars(module).values() if getattr(k, "name", None) == name]
    if not kinds:
        raise WeightsError(f"bundle {bundle.name} holds {name!r}, which is no system")
    tensors = bundle.tensors(name)
    try:
        system = kinds[0].from_bundle(bundle.systems[name], tensors)
        if unknown := sorted(bundle.systems[name].keys() - system.to_bundle()[0].keys() - {weights.SHARES}):
            raise ValueError(f"unknown {', '.join(unknown)}")
        return system
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        problem = f"its weights do not fit this version of Limber ({error})"
        raise WeightsError(f"bundle {bundle.name}, system {name}: {problem}") from error


def _unsupported(request: Request, who: str, able: Sequence[str]) -> InvalidRequestError:
    remedy = f"Use {' or '.join(able)}." if able else "No installed model does."
    return InvalidRequestError("task", f"{who} cannot do {request.task!r}", remedy)
