"""Setting up the backend's Python environment from Blender's preferences, and looking after bundles.

``pythons`` finds an interpreter, ``lists`` the hash-locked list that fits it, ``work`` makes the
environment in a thread, ``trial`` proves that it works, ``operators`` and ``drawing`` are the only
ones that know Blender.
"""
