"""A process with a warm Blender that takes units from a pipe: ``python -m blender_addon.batch.worker``.

A line of JSON a message. In: a unit. Out: ``{"say": text}`` as a sign of life, ``{"expect": seconds}``
where the next one may take longer than usual, then ``{"entries":
[...]}`` or ``{"error": text}``, with the process' memory. Whatever Blender and its importers print
goes to standard error.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from typing import Any

from ..motion.errors import LimberError
from .plan import Unit


def main() -> None:
    """Serve until standard input closes; then end at once, whatever is going on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # C code prints to descriptor 1, and must not print into the answers
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    answer({"say": "starting Blender"})
    workshop: Any = None
    while True:
        unit = Unit.from_json(json.loads(lines.get()))
        try:
            if workshop is None:
                from .work import Workshop  # imports bpy, which takes a second

                workshop = Workshop(lambda seconds: answer({"expect": seconds}))
            entries = workshop.run(unit, lambda text: answer({"say": text}))
            answer({"entries": entries, "memory": memory()})
        except (LimberError, OSError) as error:
            answer({"error": told(error), "memory": memory()})
        except Exception as error:  # noqa: BLE001 - one file of thousands must not end the batch
            traceback.print_exc()
            last = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            answer(
                {"error": f"a defect of Limber or of Blender's importer: {told(last)}", "memory": memory()}
            )
            workshop = None  # whatever it left open is not to be trusted


def _listen(lines: queue.Queue[str]) -> None:
    """Hand on what comes; a parent that is gone takes this process with it."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)  # Blender as a module may wait for ever while it is taken down


def told(error: BaseException | str) -> str:
    """One sentence."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def memory() -> int:
    """Bytes of this process that are in memory now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


if __name__ == "__main__":
    main()
