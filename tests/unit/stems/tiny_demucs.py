"""A hybrid transformer Demucs with 27,000 random parameters, saved like the real networks."""

from pathlib import Path

import torch
from demucs.htdemucs import HTDemucs
from demucs.states import get_state, save_with_checksum

SOURCES = ["drums", "bass", "other", "vocals"]


def tiny_network(seed: int = 0, segment: float = 1, **options) -> HTDemucs:
    """Create a network for segments of `segment` seconds, with large random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        options = {"channels": 4, "dconv_comp": 2, "nfft": 512, "depth": 3, **options}
        network = HTDemucs(SOURCES, t_layers=1, t_heads=2, segment=segment, **options)
        for (
            parameter
        ) in network.parameters():  # the output of an untrained network is almost silent
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


def save_network(network: HTDemucs, folder: Path, signature: str) -> Path:
    """Save a network as Demucs does, as ``<signature>-<checksum>.th``."""
    args, kwargs = network._init_args_kwargs
    package = {
        "klass": type(network),
        "args": args,
        "kwargs": kwargs,
        "state": get_state(network, None, half=False),
        "training_args": {},
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_with_checksum(package, folder / f"{signature}.th")
    (path,) = folder.glob(f"{signature}-*.th")
    return path
