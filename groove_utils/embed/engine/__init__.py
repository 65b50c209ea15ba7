"""Run models over many tracks: windows, batches across tracks, pooling.

The windows are the engine's own: they cover each signal from its first to its last sample, at
fixed places. The last one is padded with zeros, and frames beyond the signal's end are left out
when frames are pooled within windows and windows within tracks: a track's vector is the mean over
its valid frames. An adapter receives how much of a window is signal, and masks the rest where its
network can. The chapter on embeddings describes it.

Windows of many tracks share a batch, while threads decode and resample the next tracks. On a
processor, batches run side by side, see :class:`WorkerPool`.
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
