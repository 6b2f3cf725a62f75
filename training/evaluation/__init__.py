"""What ``limber-train evaluate`` measures, one module a task; :mod:`training.evaluate` is the way in."""
