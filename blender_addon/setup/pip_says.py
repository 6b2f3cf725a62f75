"""What went wrong, in plain words, from what pip, venv or the system wrote."""

from __future__ import annotations

import re

_REASONS: tuple[tuple[str, str], ...] = (
    (r"No space left|Errno 28|disk is full|WinError 112",
     "The disk is full. Free some space, or choose a folder on another disk, and press Set Up again: it goes on "
     "where it stopped."),
    (r"DO NOT MATCH THE HASHES|HashMismatch|hashes are required",
     "A downloaded library is not the one that Limber was made with, so it was not installed. Something on the way "
     "(a proxy, a damaged disk) changed it: try again, or use a wheel folder."),
    (r"WinError 225|virus|quarantine",
     "A virus scanner took a file away. Allow the environment's folder in it, then press Repair."),
    (r"Permission denied|Access is denied|access is denied|WinError 5\b|Errno 13|Errno 1\b|Operation not permitted",
     "A file may not be written or run. The folder may be read-only, or a virus scanner holds it: choose another "
     "folder, or allow this one in the scanner, then press Repair."),
    (r"Read-only file system|Errno 30",
     "The folder is on a disk that cannot be written to. Choose another folder."),
    (r"name resolution|getaddrinfo|NewConnectionError|ConnectTimeout|ReadTimeout|Connection (refused|reset|aborted)|"
     r"Network is unreachable|ProxyError|Tunnel connection|Max retries",
     "The network does not answer. Check the connection (and the proxy, HTTPS_PROXY), then press Set Up again: it "
     "goes on where it stopped. Without network, use a wheel folder."),
    (r"SSL|CERTIFICATE",
     "The connection is not trusted (certificate). A company's proxy may need its certificate in pip's settings; or "
     "use a wheel folder."),
    (r"No matching distribution|Could not find a version",
     "The package index does not hold a library of the list. Name an index that has it, choose another torch, or use "
     "a wheel folder."),
    (r"No module named (pip|venv|ensurepip)|ensurepip is not available",
     "This Python has no venv or pip. Install them (Debian, Ubuntu: python3.11-venv), or choose another Python."),
    (r"Illegal instruction|cannot allocate memory|MemoryError|Errno 12",
     "There is not enough memory. Close other programs and try again."),
)  # fmt: skip


def explain(said: str) -> str:
    """One or two sentences, and the line that they are taken from.

    Args:
        said: the last lines that were written, or an error's text.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for pattern, words in _REASONS:
        for line in reversed(lines):
            if re.search(pattern, line):
                return f"{words} ({line[:200]})"
    last = " ".join(lines[-3:])[-300:]
    return f"It failed: {last}" if last else "It failed without a word. Press Repair to begin anew."
