"""Sound files that FFmpeg writes, for tests of decoding."""

import av
import numpy as np


def encode(path, y, codec, rate, sr=44100):
    """Write a signal (n_samples, n_channels) in the format that the file's suffix names.

    `sr` is the signal's sample rate in Hz, `rate` the file's.
    """
    layout = {1: "mono", 2: "stereo"}[y.shape[1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        form = stream.codec_context.format.name
        planes = np.ascontiguousarray(y.T, "f4")
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = sr
        cut = av.AudioResampler(form, layout, rate, stream.codec_context.frame_size or 1024)
        for part in [*cut.resample(frame), *cut.resample(None), None]:
            container.mux(stream.encode(part))
