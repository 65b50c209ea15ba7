"""A hybrid transformer Demucs of 27,000 random parameters, as the packages of the real ones."""

from pathlib import Path

import torch
from demucs.htdemucs import HTDemucs
from demucs.states import get_state, save_with_checksum

SOURCES = ["drums", "bass", "other", "vocals"]


def tiny_network(seed: int = 0, segment: float = 1, **options) -> HTDemucs:
    """A network that sees `segment` seconds, with random weights large enough to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        options = {"channels": 4, "dconv_comp": 2, "nfft": 512, "depth": 3, **options}
        network = HTDemucs(SOURCES, t_layers=1, t_heads=2, segment=segment, **options)
        for parameter in network.parameters():  # a fresh network hardly lets anything through
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


def save_network(network: HTDemucs, folder: Path, signature: str) -> Path:
    """Write a network as Demucs does, ``<signature>-<checksum>.th``."""
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
