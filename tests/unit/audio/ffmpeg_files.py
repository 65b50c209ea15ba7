"""Audio files written by FFmpeg, for tests of decoding."""

import av
import numpy as np


def encode(path, y, codec, rate, sr=44100):
    """Write a signal (n_samples, n_channels) in the format given by the file's suffix.

    `sr` is the sample rate of the signal in Hz, and `rate` that of the file.
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
