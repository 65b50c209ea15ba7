"""Run models over many tracks: windows, batches across tracks, pooling.

The engine cuts each signal into windows at fixed positions, which cover it from the first to the
last sample. The last window is padded with zeros. Frames are pooled within windows, and windows
within tracks, without the frames beyond the signal's end: a track's vector is the mean over its
valid frames. The engine tells an adapter how many samples of a window are signal. The adapter masks
the others if its network supports this. The chapter on embeddings describes it.

Windows of many tracks share a batch, while threads decode and resample the next tracks. On a CPU,
batches run in parallel; see :class:`WorkerPool`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["embed_windows", "run"],
        "forward": ["Model", "forward_windows"],
        "workers": ["WorkerPool"],
    },
)
