"""The catalogue of studies."""

from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.files import hash_file
from groove_utils.manifest import find_changes, read_manifest
from groove_utils.study import UnknownNameError, get_dataset, list_studies, prepare_study
from groove_utils.study.__main__ import main
from groove_utils.study.catalogue import dataset_names
from groove_utils.study.datasets import oconnell2022

ROOT = Path(__file__).parents[3]


def test_the_catalogue_has_one_row_per_study():
    table = list_studies()
    assert table["study"].tolist() == dataset_names() == ["demo", "marmoret2026", "oconnell2022"]
    assert table["what"].str.len().min() > 20


@pytest.mark.parametrize("name", dataset_names())
def test_each_data_set_has_a_converter_a_licence_and_a_citation(name):
    dataset = get_dataset(name)
    assert callable(resolve_name(dataset.converter))
    assert dataset.licence
    assert dataset.cite()
    assert isinstance(dataset.meta["simulated"], bool)
    params = yaml.safe_load((ROOT / "analysis/params/default.yml").read_text())
    assert name in params["study"]


def test_an_unknown_study_is_an_error(tmp_path, capsys):
    with raises(UnknownNameError, "unknown_study", value="demos"):
        prepare_study("demos", tmp_path)
    assert main(["prepare", "demos", str(tmp_path)]) == 1
    assert "demos" in capsys.readouterr().err


def test_make_learns_what_a_study_was_made_with(tmp_path, monkeypatch):
    table, manifest = tmp_path / "in.csv", tmp_path / "study.json"
    table.write_text("Participant ID;HG1 groove\n1;7\n")
    params = {"study": {"oconnell2022": {"source": str(table)}}}
    (tmp_path / "params.yml").write_text(yaml.safe_dump(params))
    command = ["prepare", "oconnell2022", str(tmp_path / "study")]
    command += ["--params", str(tmp_path / "params.yml"), "--manifest", str(manifest)]
    assert main(command) == 1  # it is not the published table
    assert not manifest.exists()
    monkeypatch.setattr(oconnell2022, "SHA256", hash_file(table))
    assert main(command) == 0
    assert find_changes(manifest) == {}
    made = read_manifest(manifest)
    for name in ("oconnell2022.yml", "oconnell2022.py"):
        assert f"groove_utils/study/datasets/{name}" in made["inputs"]
    (tmp_path / "study" / "ratings.csv").unlink()
    assert list(find_changes(manifest).values()) == ["is missing"]


@pytest.mark.parametrize(("option", "kind"), [({"n_band": 3}, "unknown_option"),
                                              ({"n_bands": "3"}, "wrong_value")])  # fmt: skip
def test_options_of_a_study_are_checked(tmp_path, option, kind):
    with raises(DetailedError, kind, column=next(iter(option))):
        prepare_study("demo", tmp_path, **option)
    assert not list(tmp_path.iterdir())
