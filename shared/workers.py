"""Work over the machine's processors, that ends when the process that asked for it is killed."""

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

import cv2

ORPHAN_CHECK_S = 1.0

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def default_processes() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(
    work: Callable[[ItemT], ResultT], items: Sequence[ItemT], n_processes: int | None = None
) -> Iterator[ResultT]:
    """Yield `work(item)` for every item, in whatever order they are finished.

    Args:
        work: a function that other processes can be given.
        items: what to work on.
        n_processes: how many processes; 0 or `None` for one a processor, 1 for this one alone.
    """
    n_processes = n_processes or default_processes()
    with _without_opencv_threads():
        if n_processes == 1 or len(items) < 2:
            yield from map(work, items)
        else:
            yield from _in_processes(work, items, min(n_processes, len(items)))


def _in_processes(
    work: Callable[[ItemT], ResultT], items: Sequence[ItemT], n_processes: int
) -> Iterator[ResultT]:
    # Forked where there is fork: a notebook that runs as a plain script has no `__main__` guard,
    # and the other ways of starting a process would run it again from the top.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(n_processes, context, _start_worker, (os.getpid(),)) as pool:
        try:
            for future in as_completed([pool.submit(work, item) for item in items]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def _without_opencv_threads() -> Iterator[None]:
    """OpenCV on one thread: its own would only take processors from the workers.

    A process that is forked while they exist hangs when it uses OpenCV; this ends them.
    """
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(n_threads)


def _start_worker(parent: int) -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    """End this worker when its parent was killed: a forked worker would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_S)
    os._exit(1)
