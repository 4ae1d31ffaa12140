"""Open the store through which the processes that torchrun or srun started find each other."""

import os
import time
import uuid
from datetime import timedelta
from typing import Any

from torch.distributed import (
    DistError,
    DistStoreError,
    PrefixStore,  # pyright: ignore[reportPrivateImportUsage]
    TCPStore,  # pyright: ignore[reportPrivateImportUsage]
    rendezvous,  # pyright: ignore[reportPrivateImportUsage]
)

from imagelab.config.launched import Launched
from imagelab.problem import Problem

SOON = timedelta(minutes=10)  # all processes start at about the same time
AGENT = "TORCHELASTIC_USE_AGENT_STORE"  # "True": the store of an earlier attempt may still be in use


def meet(mine: Launched) -> Any:
    """Open the group's store, empty at first; Lightning's process group will use the same address.

    Args:
        mine: Place of this process in its group.

    Raises:
        Problem: The other processes do not join in time.
    """
    if mine.by == "srun":
        _address_of_srun()
    try:
        url = f"env://?rank={mine.rank}&world_size={mine.world}"
        store = next(iter(rendezvous(url, timeout=SOON)))[0]
        if os.environ.get(AGENT) == "True":
            store = _host(store, mine) if mine.rank == 0 else _find(store, mine)
    except (DistError, RuntimeError) as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise Problem(
            f"{mine.by}: the {mine.world} processes of this run did not meet at {where} within "
            f"{SOON.seconds // 60} minutes ({str(error).splitlines()[0]})."
        ) from error
    return PrefixStore("imagelab", store)


def _address_of_srun() -> None:
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    slurm = SLURMEnvironment(auto_requeue=False)
    os.environ["MASTER_ADDR"] = slurm.main_address
    os.environ["MASTER_PORT"] = str(slurm.main_port)


def _host(store: Any, mine: Launched) -> Any:
    """Open a new store on the first rank and invite the others to it.

    torchrun keeps its own store when it restarts the processes, with the addresses of those that are gone.
    """
    address = os.environ["MASTER_ADDR"]
    own = TCPStore(
        address, 0, mine.world, is_master=True, wait_for_workers=False, multi_tenant=True, timeout=SOON
    )
    missing = set(range(1, mine.world))
    invited = set()
    deadline = time.monotonic() + SOON.seconds
    while missing:
        for rank in sorted(missing):
            name = store.get(_joins(rank)) if store.check([_joins(rank)]) else None
            if name not in (None, *invited):
                store.set(f"imagelab/meet/{name.decode()}", str(own.port))
                invited.add(name)
        missing = {rank for rank in missing if not own.check([f"here/{rank}"])}
        if time.monotonic() > deadline:
            raise DistStoreError(f"ranks {sorted(missing)} are missing")
        time.sleep(0.01)
    _use(own.port)
    return own


def _find(store: Any, mine: Launched) -> Any:
    """Join the first rank's new store: the invitation names this very process, so it is not an old one."""
    name = uuid.uuid4().hex
    store.set(_joins(mine.rank), name)
    store.wait([f"imagelab/meet/{name}"], SOON)
    port = int(store.get(f"imagelab/meet/{name}"))
    own = TCPStore(os.environ["MASTER_ADDR"], port, mine.world, is_master=False, timeout=SOON)
    own.set(f"here/{mine.rank}", "")
    _use(port)
    return own


def _joins(rank: int) -> str:
    return f"imagelab/join/{rank}"


def _use(port: int) -> None:
    os.environ["MASTER_PORT"] = str(port)
    os.environ[AGENT] = "False"
