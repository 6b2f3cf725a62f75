"""Every error that Limber raises on purpose.

::

    LimberError                something the caller can mend; str() says what and how
    ├── InvalidRequestError    a request or result that makes no sense (also: field, remedy)
    ├── FileFormatError        a file that cannot be read as what it claims to be (path, line)
    ├── MappingError           bones that cannot be matched to the canonical roles
    ├── SkeletonError          joints, parents or offsets that do not form a tree
    ├── WeightsError           a bundle that is missing, damaged or of another version
    ├── BackendError           the backend did not start, answered with an error, or went away
    └── JobCancelled           the user cancelled; never reported as a failure
"""

from __future__ import annotations


class LimberError(Exception):
    """Base class: carries one plain sentence for the person at the keyboard."""


class InvalidRequestError(LimberError):
    """A request that makes no sense.

    Args:
        field: name of the offending entry, e.g. ``"rotations"``.
        problem: what is wrong with it.
        remedy: what to do about it.
    """

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        self.field, self.problem, self.remedy = field, problem, remedy
        text = f"{field}: {problem}"
        super().__init__(f"{text}. {remedy}" if remedy else text)


class FileFormatError(LimberError):
    """A file that cannot be read as what it claims to be.

    Args:
        path: the file, or a short name where there is no file.
        problem: what is wrong with it.
        line: 1-based line number, where the format has lines.
    """

    def __init__(self, path: str, problem: str, line: int | None = None) -> None:
        self.path, self.problem, self.line = path, problem, line
        super().__init__(f"{path}{f', line {line}' if line else ''}: {problem}")


class MappingError(LimberError):
    """Bones that cannot be matched to the canonical roles."""


class SkeletonError(LimberError):
    """Joints, parents or offsets that do not form a tree."""


class WeightsError(LimberError):
    """A weights bundle that is missing, damaged or of another version."""


class BackendError(LimberError):
    """The backend did not start, answered with an error, or went away."""


class JobCancelled(LimberError):
    """The user cancelled the job."""
