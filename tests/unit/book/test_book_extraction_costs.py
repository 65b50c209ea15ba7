"""The table of costs of large collections, compared with values calculated by hand."""

from pathlib import Path

import pytest

from groove_utils.book.extraction_costs import extraction_costs

EXPECTED = Path(__file__).parents[3] / "analysis" / "expected"
# 2 ms and 0.01 MiB per track here; models of 0.1 and 0.01 s per second of audio
SCALE = """# 2000 bursts; one machine
quantity,subject,tracks,value
seconds,extraction,0,5
client_mib,extraction,0,300
worker_mib,extraction,0,400
seconds,extraction,500,5.5
client_mib,extraction,500,310
worker_mib,extraction,500,400
seconds,extraction,1000,6.5
client_mib,extraction,1000,310
worker_mib,extraction,1000,400.2
seconds,extraction,1500,7.6
client_mib,extraction,1500,310
worker_mib,extraction,1500,400.5
seconds,extraction,2000,9.2
client_mib,extraction,2000,320
worker_mib,extraction,2000,409
files,cache,2000,2000
vector_bytes,cache,2000,2048
files_per_folder,cache,2000,14
entry_overhead,cache,2000,100
seconds,load,200,0.2
seconds,load,2000,1
seconds,validate,200,0.2
seconds,validate,2000,1
seconds,manifest,200,0.2
seconds,manifest,2000,1
seconds,compare,200,0.2
seconds,compare,2000,1
seconds,cached,200,0.2
seconds,cached,2000,1
seconds_per_second,slow,,0.1
numbers,slow,,2000
peak_mib,slow,,500
seconds_per_second,fast,,0.01
numbers,fast,,1000
peak_mib,fast,,500
"""


@pytest.fixture
def costs(tmp_path):
    (tmp_path / "scale.csv").write_text(SCALE)
    return extraction_costs(tmp_path)


def test_costs_of_collections(costs):
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in costs["table"].splitlines()[2:]]  # fmt: skip
    assert [row[0] for row in rows] == ["10,000", "100,000", "1,000,000"]
    # (30 s × 0.01 + 2.1 ms) and (30 s × 0.1 + 2.1 ms) per track, on two cores
    hours = [n * (30 * cost + 0.0021) / 2 / 3600 for n in (1e6,) for cost in (0.01, 0.1)]
    assert rows[2][1] == "–".join(f"{value:,.0f}" for value in hours) == "42–417"
    assert [row[2] for row in rows] == [row[0] for row in rows]
    # 4·1000 + 100 bytes need two blocks of 4 KiB, 4·2000 + 100 as well
    assert rows[0][3] == "81.9 MB"
    # 10 MiB per 1,000 tracks, in which two copies of 2048 bytes each become two of 4·1000 or more
    memory = [10**4 * (10 * 2**20 / 1000 + 2 * (4 * size - 2048)) for size in (1000, 2000)]
    assert rows[0][4] == "–".join(f"{value / 1e6:.1f} MB" for value in memory)
    assert "`EXECUTOR=joblib:N`" in rows[0][5]
    assert costs["models"] == "slow and fast"
    assert costs["made"] == "2000 bursts; one machine"


def test_growth_and_steps_are_per_track(costs):
    assert "took 2.1 ms of processor time" in costs["growth"]
    assert "each track took 2.0 ms in the first half of 2,000 tracks, and 2.2 ms" in costs["growth"]
    assert "including the vectors, grew by 10.0 MiB per 1,000 tracks" in costs["growth"]
    assert "of a worker by 0.5 MiB" in costs["growth"]
    assert "2,000 files, with at most 14 in one folder" in costs["growth"]
    header, _, *steps = costs["steps"].splitlines()
    assert header == "| step | ms per track, 200 tracks | ms per track, 2,000 tracks |"
    assert "| load the study | 1 | 0.5 |" in steps
    assert len(steps) == 5


def test_nothing_without_figures(tmp_path):
    assert set(extraction_costs(tmp_path).values()) == {""}


def test_the_committed_figures_make_a_table():
    assert len(extraction_costs(EXPECTED)["table"].splitlines()) == 5
