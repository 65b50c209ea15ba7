"""Windows cover all of a signal, once each at hop = length, and nothing else."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from groove_utils.audio import windows


@given(size=st.integers(1, 200), length=st.integers(1, 60), hop=st.integers(1, 60))
def test_windows_cover_every_sample_and_tell_what_is_padding(size, length, hop):
    hop = min(hop, length)
    y = np.arange(1, size + 1)  # 0 is padding
    cut, valid = windows(y, length, hop)
    assert cut.shape == (len(valid), length)
    for k, (window, n) in enumerate(zip(cut, valid, strict=True)):
        assert 1 <= n <= length
        assert window[:n].tolist() == y[k * hop : k * hop + n].tolist()
        assert not window[n:].any()
        assert n == length or k * hop + n == size
    assert set(cut.ravel()) - {0} == set(y)
    # no window more than it takes
    assert len(valid) == 1 or (len(valid) - 2) * hop + length < size


@given(size=st.integers(1, 200), length=st.integers(1, 60))
def test_without_overlap_every_sample_is_there_once(size, length):
    y = np.random.default_rng(size).standard_normal(size).astype("f4")
    cut, valid = windows(y, length)
    assert cut.dtype == np.float32
    assert valid.sum() == size
    assert np.concatenate([w[:n] for w, n in zip(cut, valid, strict=True)]).tolist() == y.tolist()


def test_windows_own_their_samples():
    y = np.ones(10)
    cut, _ = windows(y, 4, 2)
    cut[0] = 7
    assert y.max() == 1
    assert cut[1].max() == 1


@pytest.mark.parametrize(
    ("y", "length", "hop", "told"),
    [
        (np.zeros(0), 4, None, "non-empty mono"),
        (np.zeros((2, 9)), 4, None, r"got shape \(2, 9\)"),
        (np.zeros(9), 0, None, "got 0 and 0"),
        (np.zeros(9), 4, 0, "got 4 and 0"),
        (np.zeros(9), 2, 5, r"hop of 5 .* length of 2"),
    ],
)
def test_what_cannot_be_cut(y, length, hop, told):
    with pytest.raises(ValueError, match=told):
        windows(y, length, hop)
