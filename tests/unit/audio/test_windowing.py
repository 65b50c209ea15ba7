"""Windows cover the whole signal, however it is divided into blocks."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from groove_utils.audio.windowing import WindowCutter


@given(
    size=st.integers(1, 200),
    length=st.integers(1, 60),
    hop=st.integers(1, 60),
    lead=st.integers(0, 30),
    block=st.integers(1, 250),
)
def test_windows_cover_every_sample_and_count_the_valid_ones(size, length, hop, lead, block):
    hop, lead = min(hop, length), min(lead, length - 1)
    y = np.arange(1, size + 1, dtype=np.float32)  # 0 is padding
    cutter = WindowCutter(length, hop, lead)
    cut = [window for i in range(0, size, block) for window in cutter.push(y[i : i + block])]
    cut.append(cutter.finish())
    padded = np.concatenate([np.zeros(lead), y])
    for k, (window, n) in enumerate(cut):
        assert 1 <= n <= length
        assert window[:n].tolist() == padded[k * hop : k * hop + n].tolist()
        assert not window[n:].any()
        assert n == length or k * hop + n == padded.size
    assert set(np.concatenate([window for window, _ in cut])) - {0} == set(y)
    # no more windows than necessary
    assert len(cut) == 1 or (len(cut) - 2) * hop + length < padded.size
