"""Set Up meets real conditions: other Pythons, a full and a read-only disk, a folder that may not be written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blender_addon.motion.errors import BackendError
from blender_addon.setup import pythons, work
from tests.blender_addon.test_setup import STARTABLE, ended, plan, wheels

__all__ = ["wheels"]

OTHERS = [path for path in sorted((Path.home() / ".pyenv" / "versions").glob("*/bin/python"))
          if (match := re.match(r"(\d+)\.(\d+)", path.parents[1].name)) and int(match[1]) == 3
          and int(match[2]) >= 6 and (3, int(match[2])) not in pythons.VERSIONS]  # fmt: skip
FITTING = [path for path in sorted((Path.home() / ".pyenv" / "versions").glob("*/bin/python"))
           if path.parents[1].name.startswith(tuple(f"{a}.{b}." for a, b in pythons.VERSIONS))]  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system of its own; skips where that is not allowed."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(made)}"
        folder.mkdir()
        program = shutil.which("mount")
        command = [program or "mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        if program is None or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting a small disk needs the rights of an administrator")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(not OTHERS, reason="no other Pythons are installed with pyenv")
@pytest.mark.parametrize("path", OTHERS, ids=lambda p: p.parents[1].name)
def test_other_pythons_are_refused_by_their_version(path: Path) -> None:
    version = ".".join(path.parents[1].name.split(".")[:2])
    with pytest.raises(BackendError, match=rf"Python {re.escape(version)}\. .*3\.11 or 3\.12 is needed"):
        pythons.examine(path)


@pytest.mark.skipif(not FITTING, reason="no fitting Python is installed with pyenv")
@pytest.mark.parametrize("path", FITTING, ids=lambda p: p.parents[1].name)
def test_fitting_pythons_are_taken(path: Path) -> None:
    assert pythons.examine(path).version in pythons.VERSIONS


@STARTABLE
def test_a_python_without_pip_is_refused(tmp_path: Path) -> None:
    """A copy of this Python's library without ``ensurepip``, as Debian ships it."""
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not (base / "lib" / name).is_dir():
        pytest.skip("this Python's library lies elsewhere")
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib" / name).mkdir(parents=True)
    shutil.copy(base / "bin" / name, tmp_path / "bin" / name)
    for entry in (base / "lib" / name).iterdir():
        if entry.name != "ensurepip":
            (tmp_path / "lib" / name / entry.name).symlink_to(entry)
    for entry in (base / "lib").glob("libpython*"):
        (tmp_path / "lib" / entry.name).symlink_to(entry)
    with pytest.raises(BackendError, match="without venv and pip"):
        pythons.examine(tmp_path / "bin" / name)


@STARTABLE
def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, wheels: Path, disk: Callable[[str], Path]
) -> None:
    small = disk("size=4m")
    tried = ended(work.SetUp(replace(plan(tmp_path, wheels), environment=small / "env")))
    assert "are needed" in tried.problem
    assert not any(small.iterdir())


@STARTABLE
def test_a_disk_that_fills_up_in_the_middle(
    tmp_path: Path, wheels: Path, disk: Callable[[str], Path]
) -> None:
    """The room is there when it is looked at, and files run out: an environment has more than 30."""
    few = disk("size=1g,nr_inodes=30")
    wanted = replace(plan(tmp_path, wheels), environment=few / "env")
    tried = ended(work.SetUp(wanted))
    assert "disk is full" in tried.problem, tried.problem
    # with room again it goes on
    subprocess.run(["mount", "-o", "remount,nr_inodes=100000", str(few)], check=True)
    assert ended(work.SetUp(wanted)).problem == ""


@STARTABLE
def test_a_disk_that_cannot_be_written(tmp_path: Path, wheels: Path, disk: Callable[[str], Path]) -> None:
    locked = disk("size=1g")
    subprocess.run(["mount", "-o", "remount,ro", str(locked)], check=True)
    tried = ended(work.SetUp(replace(plan(tmp_path, wheels), environment=locked / "env")))
    assert "cannot be written" in tried.problem, tried.problem


@STARTABLE
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere"
)
def test_a_folder_that_may_not_be_written(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    tried = ended(work.SetUp(replace(plan(tmp_path, wheels), environment=tmp_path / "locked" / "env")))
    assert "may not be written" in tried.problem, tried.problem
