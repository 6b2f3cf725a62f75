"""Motion maths, numpy only. Nothing here imports bpy or torch; every other layer imports this.

Conventions, stated once
------------------------
- Quaternions are ``(..., 4)``, **w x y z**, unit length, sign-continuous along time.
- Vectors are columns: ``world = rotation @ local``; ``multiply(a, b)`` rotates by ``b`` first.
- Radians. Metres. Right-handed. Euler order ``"XYZ"`` is intrinsic, written in the order in
  which BVH lists its channels: ``R = Rx @ Ry @ Rz`` (Blender's ``'XYZ'`` mode is our ``"ZYX"``).
- 6D rotations are the first two **columns** of the matrix, flattened column after column.
- Arrays run ``(frames, joints, ...)``. Parents come before children; a parent of -1 is a root.
- A joint's *local* rotation takes its own frame to its parent's, rest orientation included:
  ``global[j] = global[parent] * local[j]``, so the rest pose is ``skeleton.rest_rotations``
  (identity for BVH files and for the canonical skeleton).
- The canonical skeleton is SMPL's 22 joints: T-pose at rest, **Y up, facing +Z**, left = +X.
- 30 fps inside, any rate outside; the root path is absolute within a clip.
"""
