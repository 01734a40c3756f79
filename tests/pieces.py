"""Work for other processes. Each imports this file: it asks for nothing, or they would start for seconds."""

import os


class Told:
    """Tells a file each time it is read on another process."""

    def __init__(self, path):
        self.path = path

    def __setstate__(self, state):
        self.__dict__.update(state)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")


def whose(told, piece):
    return os.getpid()


def deadly(shared, piece):
    """A stretch of a grid; at some places the worker is killed as the system kills: once each."""
    some, folder, at = shared
    _, start, stop = piece
    for place in at:
        if start <= place < stop and not (folder / str(place)).exists():
            (folder / str(place)).touch()
            os._exit(1)
    return some.run(start, stop)


def kills(shared, piece):
    os._exit(1)


def touch(folder, piece):
    (folder / str(piece)).touch()
    return piece
