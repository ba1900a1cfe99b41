"""Run a command with its output in a file, and print what it took and its exit status.

    python -I -S launch.py OUTPUT PROGRAM [ARGUMENT ...]

The figures are its seconds, those of them that it took of a processor, and its peak memory.

A process of its own, which imports next to nothing: the kernel takes the size of the process that
starts a command for the least that the command ever had.
"""

import os
import sys
import time


def main(output: str, program: str, *arguments: str) -> None:
    """Run it."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_TRUNC, 0),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    start = time.perf_counter()
    process = os.posix_spawn(program, [program, *arguments], os.environ, file_actions=actions)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    processor = usage.ru_utime + usage.ru_stime
    print(seconds, processor, usage.ru_maxrss, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
