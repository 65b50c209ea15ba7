"""Run models over many tracks: cut windows, batch them across tracks, and pool the outputs.

The engine cuts each signal into windows at fixed positions. Together, the windows cover the signal
from the first to the last sample. The last window is padded with zeros. A frame is valid if it
begins before the end of the signal. A track's vector is the mean over its valid frames, computed by
pooling frames within windows and then windows within tracks. The engine passes the number of valid
samples in each window to the adapter, which masks the padding if its network supports masks. The
chapter on embeddings describes the procedure.

A batch may contain windows from different tracks. While a batch runs, threads decode and resample
the next tracks. On a CPU, batches run in parallel; see :class:`WorkerPool`.
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
