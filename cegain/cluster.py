"""A Dask cluster to compute on, through joblib, with every way it can fail in words."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import joblib

from cegain.errors import ClusterError
from cegain.tasks import differing, software

PATIENCE = 10.0  # seconds for a scheduler to answer and for the first workers to be there
LONELY = 60.0  # seconds without any worker after which a cluster counts as lost
_AGAIN = "Then run the same command again; what was stored so far is intact."


@contextlib.contextmanager
def on_cluster(address: str, patience: float = PATIENCE) -> Iterator[str]:
    """Let joblib compute on the Dask cluster whose scheduler has this address.

    Yields what the cluster is, in words. Raises ``ClusterError`` where Dask is not
    installed, nobody answers within ``patience`` seconds, there is no worker, a worker
    has other software, or the cluster is lost on the way. For the main thread alone.
    """
    try:
        import distributed  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as error:
        raise ClusterError(
            "--dask needs Dask, which is not installed: pip install 'cegain[distributed]'"
        ) from error
    with _quiet(), _client(distributed, address, patience) as client:
        said = _looked_at(client, address, patience)
        watch = _Watch(client)
        try:
            with joblib.parallel_config(backend="dask", client=client):
                yield said
        except KeyboardInterrupt:
            if watch.failed is None:
                raise
            raise _given_up(distributed, address, watch.failed) from watch.failed
        except distributed.KilledWorker as error:
            raise _given_up(distributed, address, error) from error
        except distributed.CancelledError as error:
            lost = (
                f"there was no worker left for {LONELY:.0f} s"
                if watch.alone
                else "its scheduler is gone"
            )
            raise ClusterError(
                f"the Dask cluster at {address} was lost: {lost}. Start it again. {_AGAIN}"
            ) from error
        finally:
            watch.over.set()
            watch.join()


def _given_up(distributed: Any, address: str, error: BaseException) -> ClusterError:
    if isinstance(error, distributed.KilledWorker):
        return ClusterError(
            f"workers of {address} died again and again on the same task, most often for "
            f"want of memory. Give them more, or start fewer on a machine. {_AGAIN}"
        )
    return ClusterError(
        f"a worker of {address} could not take up its task: {type(error).__name__}: {error}. "
        f"Install the same versions on every worker. {_AGAIN}"
    )


class _Watch(threading.Thread):
    """Gives up on a cluster where Dask and joblib would wait for ever.

    Dask waits where all workers are gone, and joblib where Dask gave a task up: it
    hears of results alone. The main thread is then interrupted.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(name="cegain-watch", daemon=True)
        self.client = client
        self.over = threading.Event()
        self.alone = False
        self.failed: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Look every second until the work is over or nobody is left to do it."""
        since = time.monotonic()
        while not self.over.wait(1.0):
            self.failed = next(
                (f.exception for f in list(self.client.futures.values()) if f.status == "error"),
                None,
            )
            if self.failed is not None:
                _thread.interrupt_main()
                return
            try:
                if self.client.nthreads():
                    since = time.monotonic()
            except (OSError, RuntimeError, ValueError):
                return  # no scheduler any more: the work is cancelled, and says so itself
            if time.monotonic() - since > LONELY:
                self.alone = True
                self.client.close()
                return


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from tracing a lost connection over the one message that says it."""
    log = logging.getLogger("distributed.client")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _client(distributed: Any, address: str, patience: float) -> Any:
    async def ask() -> None:
        arguments = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, connection_args=arguments) as scheduler:
            await scheduler.identity()

    try:
        # asked first, because a client waits for ever where something else listens
        asyncio.run(asyncio.wait_for(ask(), patience))
        return distributed.Client(address, timeout=patience, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # OSError is TimeoutError's parent
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({_why(error, patience)}). Start one with "
            "`dask scheduler`, and give the address it prints, such as tcp://head-node:8786."
        ) from error


def _why(error: Exception, patience: float) -> str:
    if isinstance(error, TimeoutError):
        return f"waited {patience:.0f} s"
    return str(error) or type(error).__name__


def _looked_at(client: Any, address: str, patience: float) -> str:
    """The cluster in words, once it has a worker and all its workers have our software."""
    until = time.monotonic() + patience
    while (threads := sum(client.nthreads().values())) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    if threads < 2:
        # joblib does the work in this process, without a word, where only one task fits
        raise ClusterError(
            f"the Dask scheduler at {address} has "
            f"{'one worker with one thread' if threads else 'no worker'} (waited {patience:.0f} s);"
            f" at least two tasks must fit. Start more on any machine with `dask worker {address}`."
        )
    ours = software()
    for worker, theirs in sorted(client.run(software, on_error="return").items()):
        other = str(theirs) if isinstance(theirs, Exception) else differing(theirs, ours)
        if other:
            raise ClusterError(
                f"worker {worker} has other software than this process: {other}. Install the same "
                "versions on every worker and restart it; nothing was computed."
            )
    workers = len(client.nthreads())
    return f"{workers} worker{'s' if workers > 1 else ''}, {threads} tasks at a time"
