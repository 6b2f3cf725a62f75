"""AMASS: ``.npz`` takes in ``SUBSET/SUBJECT/`` folders, bodies from SMPL-H or SMPL-X models.

The models are the reader's own (they may not be passed on), given by path: ``smplx`` or AMASS'
layout, ``.npz`` (``SMPLH_MALE.npz``, ``smplh/male/model.npz``). With them each subject has the
proportions that its ``betas`` say; without, default ones, which the report mentions.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import npz
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import FileFormatError

from ..sources import SOURCES, Source
from ..take import Options, Take, nothing

_MOTION = ({"poses", "trans"}, {"root_orient", "pose_body", "trans"})
_FAMILY = {156: "smplh", 165: "smplx"}


def takes(folder: Path, source: Source, options: Options) -> Iterator[Take]:
    """One take a file, named by its path; body shape files are left out with that reason."""
    source = source if source.name in SOURCES else _owner(source)
    note = () if options.body_models else ("no body models given: default proportions",)
    for file in sorted(folder.rglob("*.npz")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        try:
            with np.load(file, allow_pickle=False) as archive:
                keys = set(archive.files)
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            yield Take(name, source, nothing, problem=f"not an .npz archive ({error})")
            continue
        if not any(need <= keys for need in _MOTION):
            yield Take(name, source, nothing, problem="no motion in it (no poses and trans)")
            continue
        yield Take(name, source, partial(load, file, options.body_models), notes=note)


def _owner(source: Source) -> Source:
    known = SOURCES["amass"]
    return Source(source.name, f"as AMASS: {known.licence}", False, known.group, known.held_out, 0)


def load(file: Path, models: Path | None) -> Clip:
    """A take on the canonical joints with its subject's proportions.

    Raises:
        FileFormatError: the take or the model makes no sense.
    """
    return npz.load_amass(file, joints(file, models) if models else None)


def joints(file: Path, models: Path) -> np.ndarray:
    """Rest joints ``(22, 3)`` of the take's body: its model's regressor on its shape (``smplx.lbs``)."""
    with np.load(file, allow_pickle=False) as a:
        gender = str(a["gender"]) if "gender" in a.files else "neutral"
        family = str(a["surface_model_type"]) if "surface_model_type" in a.files else ""
        width = a["poses"].shape[-1] if "poses" in a.files else 0
        betas = (
            np.asarray(a["betas"], np.float32).reshape(-1) if "betas" in a.files else np.zeros(10, np.float32)
        )
    gender = gender.removeprefix("b'").rstrip("'").lower()
    path = find_model(models, family or _FAMILY.get(width, "smplh"), gender)
    return _rest(path, tuple(betas.tolist()))


def find_model(models: Path, family: str, gender: str) -> Path:
    """The model's ``.npz``; a neutral one stands in for a missing gender.

    Raises:
        FileFormatError: there is none below the folder.
    """
    tried = []
    for kind in dict.fromkeys((gender, "neutral", "male", "female")):
        for name in (f"{family.upper()}_{kind.upper()}.npz", f"{family}/{family.upper()}_{kind.upper()}.npz",
                     f"{family}/{kind}/model.npz", f"{kind}/model.npz"):  # fmt: skip
            tried.append(name)
            if (models / name).is_file():
                return models / name
    raise FileFormatError(str(models), f"no {family} model: none of {', '.join(tried[:4])} (.pkl files hold "
                          "code; use the .npz ones)")  # fmt: skip


@lru_cache(maxsize=512)
def _rest(path: Path, betas: tuple[float, ...]) -> np.ndarray:
    if importlib.util.find_spec("smplx") is None:
        raise FileFormatError(str(path), "body models need smplx; install limber[training]")
    import torch
    from smplx import lbs as untyped

    lbs: Any = untyped  # its annotations name a Tensor of its own

    model = _model(path)
    count = min(len(betas), model["shapedirs"].shape[-1])
    shape = torch.tensor(betas[:count], dtype=torch.float32)[None]
    directions = torch.from_numpy(model["shapedirs"][..., :count])
    vertices = torch.from_numpy(model["v_template"])[None] + lbs.blend_shapes(shape, directions)
    return lbs.vertices2joints(torch.from_numpy(model["J_regressor"]), vertices)[0, :22].double().numpy()


@lru_cache(maxsize=4)
def _model(path: Path) -> dict[str, np.ndarray]:
    """``v_template (V, 3)``, ``shapedirs (V, 3, B)``, ``J_regressor (J, V)`` of a model file."""
    need = ("v_template", "shapedirs", "J_regressor")
    try:
        with np.load(path, allow_pickle=False) as a:  # other entries may hold objects; they stay unread
            missing = [k for k in need if k not in a.files]
            if missing:
                raise FileFormatError(str(path), f"no {missing[0]}: not a body model")
            model = {k: np.ascontiguousarray(a[k], np.float32) for k in need}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise FileFormatError(str(path), f"not a body model ({error})") from error
    v, s, r = (model[k].shape for k in need)
    if v[-1] != 3 or s[:2] != v or r[-1] != v[0] or r[0] < 22:
        raise FileFormatError(
            str(path), f"v_template {v}, shapedirs {s} and J_regressor {r} do not belong together"
        )
    return model
