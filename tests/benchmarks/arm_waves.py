"""An arm of walking clips is told to wave: is everything else as it was, and is it a wave?

``python -m tests.benchmarks.arm_waves --data CACHE [--clips N] [--bundle NAME]`` edits the left arm of held-out
walks with "a person waves the left hand", and prints JSON: largest difference of anything else (0 is asked), for
how many the evaluator that nothing is chosen by finds the motion nearer to that sentence than the walk was, how
often the hand rises (the measure of the minimal pairs), before and after.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from backend.service import Service
from backend.tasks import key_change
from blender_addon.motion import constraints, parts
from blender_addon.motion.skeleton import INDEX, JOINTS
from training import evaluator
from training.evaluation.minimal_pairs import embedder, left_hand, reaches
from training.prepare import cache as cache_file

PROMPT = "a person waves the left hand"
LONGEST = 150
"""Frames of a clip."""


def measured(data: Path, clips: int, bundle: str) -> dict[str, object]:
    """The figures above."""
    cache, judge, service = cache_file.load(data), evaluator.installed("report"), Service()
    walks = [e for e in cache.select("takes") if "walk" in e.name and e.length >= 90]
    walks = [walks[i] for i in np.linspace(0, len(walks) - 1, min(clips, len(walks))).astype(int)]
    arm = np.isin(np.arange(len(JOINTS)), [INDEX[j] for j in parts.joints(["left_arm"])])
    before, after, changes = [], [], []
    for k, entry in enumerate(walks):
        clip = cache.clip(entry)
        clip = clip.slice(0, min(len(clip), LONGEST))
        asked = np.tile(arm, (len(clip), 1))
        request = constraints.edit(clip, asked, texts=(constraints.TextSpan(PROMPT, 0, len(clip)),), seed=k,
                                   bundle=bundle)  # fmt: skip
        result = service.run(request).clips[0]
        before.append(clip)
        after.append(result)
        changes.append(key_change(request, result))
    said = judge.sentences(embedder(cache)([PROMPT]))
    away = [np.linalg.norm(judge.clips(some) - said, axis=-1) for some in (before, after)]
    mean = lambda values: round(float(np.mean(values)), 3)  # noqa: E731
    return {
        "clips": len(walks), "largest_change_elsewhere": max(changes),
        "nearer_to_the_sentence_percent": round(100 * float(np.mean(away[1] < away[0])), 1),
        "distance_to_the_sentence": {"before": mean(away[0]), "after": mean(away[1])},
        "left_hand_higher_than_right_hip_heights": {"before": mean([left_hand(c) for c in before]),
                                                    "after": mean([left_hand(c) for c in after])},
        "hand_rises": {"before": mean([reaches(c) for c in before]), "after": mean([reaches(c) for c in after])},
    }  # fmt: skip


def main() -> None:
    """Print the figures."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", type=Path, required=True, help="cache of limber-train prepare")
    p.add_argument("--clips", type=int, default=16)
    p.add_argument("--bundle", default="research")
    a = p.parse_args()
    print(json.dumps(measured(a.data, a.clips, a.bundle), indent=1))


if __name__ == "__main__":
    main()
