"""Batch retargeting: any clip files onto any characters, one process a job, with a report.

:mod:`.plan` says what is to be done, :mod:`.pool` has it done by processes of :mod:`.worker`, each a
warm Blender; :mod:`.sources` reads clips, :mod:`.targets` opens characters, :mod:`.convert` is what
happens between them, :mod:`.bulk` writes F-curves, :mod:`.check` looks at what was written, and
:mod:`.report` and :mod:`.page` tell.
"""
