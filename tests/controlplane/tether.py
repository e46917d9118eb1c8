"""Becomes another program that the kernel kills when the process that started it ends, however that ends.

Called as ``python tether.py PARENT PROGRAM [ARGUMENT...]``, in place of ``preexec_fn``, which is not safe (and warns)
in a process with threads. Where there is no such signal (it is of Linux), the program only runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, see that the parent has not gone before that, and become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that asked for this program has gone")
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main()
