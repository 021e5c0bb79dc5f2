"""Work over the machine's processors, that ends when the process that asked for it is killed."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

ORPHAN_CHECK_S = 1.0

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def side_by_side(
    work: Callable[[ItemT], ResultT], items: Sequence[ItemT], n_processes: int | None = None
) -> Iterator[ResultT]:
    """Yield `work(item)` for every item, in whatever order they are finished.

    Args:
        work: a function that other processes can be given.
        items: what to work on.
        n_processes: how many processes; 0 or `None` for one a processor, 1 for this one alone.
    """
    n_processes = n_processes or _processors()
    if n_processes == 1 or len(items) < 2:
        for item in items:
            yield work(item)
        return
    # Forked where there is fork: a notebook run as a plain script has no `__main__` guard.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    n_processes = min(n_processes, len(items))
    with ProcessPoolExecutor(n_processes, context, _start_worker, (os.getpid(),)) as pool:
        try:
            for future in as_completed([pool.submit(work, item) for item in items]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker(parent: int) -> None:
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    """A forked worker whose parent was killed would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_S)
    os._exit(1)
