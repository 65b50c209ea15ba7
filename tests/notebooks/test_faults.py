"""Faults in a small project are all noticed, and need no files to be deleted by hand.

After each fault, the real Makefile with stub chapters must give the same results as a fresh build,
or stop with a message and succeed once the cause is removed. The values of stub chapters are hashes
of everything that they depend on, so no outdated result can pass. ``make test`` tries a dozen
faults; all faults are tried weekly.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from real_make import clean_environment, make_command, run_make
from small_project import ROOT, add_stub, checkout

from groove_utils.book.chapter_list import listed_chapters
from groove_utils.book.incremental import lock_build

BUILD = "build/tiny"
CHAPTERS_MK = """CHAPTERS := 01-first 02-second 03-third
01-first.writes := means
02-second.reads := means
02-second.writes := scores
03-third.reads := means scores
"""
STUDY = "build/tiny/study"
STUBS = {
    "01-first": f"# writes {STUDY}/ratings.csv\n# uses groove_utils/figures/forest.py\n",
    "02-second": f"# uses {STUDY}/tracks.csv\n# uses groove_utils/embed/models.yaml\n"
    "# imports drumkit\n",
    "03-third": f"# uses {STUDY}/audio/t0.wav\n# uses groove_utils/figures/maps.py\n",
}
MAKE_TINY = '''"""A study for tests: two tracks, made in milliseconds."""

from groove_utils.files import write_if_changed


def make_tiny(folder, *, level: int = 3):
    write_if_changed(folder / "study.yml", "title: Tiny\\n")
    write_if_changed(folder / "tracks.csv", "track_id\\nt0\\nt1\\n")
    write_if_changed(folder / "ratings.csv", f"track_id,rating\\nt0,{level}\\nt1,{level}\\n")
    for track in ("t0", "t1"):
        if not (file := folder / "audio" / f"{track}.wav").is_file():
            write_if_changed(file, f"sound of {track} " * 30000)
'''
TINY = {"summary": "A tiny study.", "converter": "groove_utils.study.datasets.tiny:make_tiny",
        "meta": {"licence": "none"}}  # fmt: skip
weekly = pytest.mark.weekly


def make(root, *words, check=True):
    words = words or ("book",)
    return run_make(root, *words, "STUDY=tiny", check=check, python="./stub_python")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An up-to-date project."""
    root = add_stub(checkout(tmp_path_factory.mktemp("faults") / "checkout", STUBS))
    (root / "analysis" / "chapters.mk").write_text(CHAPTERS_MK)
    (root / "fast_validation").touch()
    (root / "drumkit-1.0.dist-info").mkdir()
    datasets = root / "groove_utils" / "study" / "datasets"
    (datasets / "tiny.yml").write_text(yaml.safe_dump(TINY))
    (datasets / "tiny.py").write_text(MAKE_TINY)
    make(root)
    return root


@pytest.fixture
def project(built, tmp_path):
    """A copy of the up-to-date project for one fault."""
    root = tmp_path / "a copy"
    shutil.copytree(built, root, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def results(root) -> dict[str, bytes]:
    """Return the content of all results, except the log of runs, manifests and the lock."""
    folder = root / BUILD
    parts = ("tables", "values", "values.json", "runs", "book", "html", "study", "params")
    listed = listed_chapters((root / "analysis" / "chapters.mk").read_text())
    files = [file for part in parts for file in [folder / part, *(folder / part).rglob("*")]]
    # a removed chapter may leave files behind
    left = {"01-first", "02-second", "03-third"} - set(listed)
    files = [file for file in files if file.is_file() and file.stem not in left]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def from_nothing(root) -> dict[str, bytes]:
    shutil.rmtree(root / "build")
    make(root)
    return results(root)


def runs(root) -> list[str]:
    return (root / BUILD / "runs.log").read_text().split()


# ---- generated files, damaged ----


def flip(file):
    """Change one bit in the middle of a file and keep its modification time, like a bad disk."""
    facts = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    if facts.st_size < 2**18:  # a larger file is read again only if its time has changed
        os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def become_folder(file):
    file.unlink()
    (file / "inside").mkdir(parents=True)


DAMAGE = {
    "deleted": lambda file: file.unlink(),
    "emptied": lambda file: file.write_bytes(b""),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "flipped": flip,
    "garbled": lambda file: file.write_bytes(b"\xff\x00: $(error x)\n" + file.read_bytes()),
    "a folder": become_folder,
}
GENERATED = [
    "tables/means.parquet", "tables/scores.parquet", "values/02-second.json",
    "runs/01-first.json", "book/03-third.ipynb", "book/figures/01-first.png", "values.json",
    "html/index.html", "html/02-second.html", "study/ratings.csv", "study/study.yml",
    "study/audio/t1.wav", "made/01-first.json", "made/html.json", "made/study.json",
    "made/valid.json", "params/02-second.yml", "params/study-tiny.yml", "declared/02-second.json",
    "study.path",
]  # fmt: skip
IN_EVERY_TEST = {
    ("tables/means.parquet", "emptied"), ("tables/scores.parquet", "flipped"),
    ("values/02-second.json", "deleted"), ("values.json", "truncated"),
    ("made/01-first.json", "garbled"), ("study/audio/t1.wav", "truncated"),
    ("html/02-second.html", "deleted"), ("book/03-third.ipynb", "truncated"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        pytest.param(file, damage, marks=() if (file, damage) in IN_EVERY_TEST else weekly)
        for file in GENERATED
        for damage in DAMAGE
    ],
)
def test_a_damaged_file_is_made_again(built, project, file, damage):
    DAMAGE[damage](project / BUILD / file)
    make(project)
    assert results(project) == results(built)
    n_runs = len(runs(project))
    make(project)
    assert len(runs(project)) == n_runs  # now everything is up to date


@pytest.mark.parametrize(
    "folder",
    [
        *("", "study", "study/audio", "html", "tables", "values", "made", "book", "params", "runs"),
    ],
)
@weekly
def test_a_deleted_folder_is_made_again(built, project, folder):
    shutil.rmtree(project / BUILD / folder)
    make(project)
    assert results(project) == results(built)


# ---- inputs, changed ----


def edit(name, text="# edited\n", *, old_time=False):
    def change(root):
        file = root / name
        facts = file.stat()
        file.write_text(file.read_text() + text)
        if old_time:
            os.utime(file, (1000, 1000) if old_time == "ancient" else (facts.st_mtime,) * 2)

    return change


def replace(name, old, new, *, old_time=False):
    def change(root):
        file = root / name
        facts = file.stat()
        file.write_text(file.read_text().replace(old, new))
        if old_time:
            os.utime(file, (facts.st_mtime - 9999,) * 2)

    return change


def set_clock_back(root):
    """Set the modification times of all inputs and results to tomorrow."""
    for file in [*(root / "build").rglob("*"), *(root / "groove_utils").rglob("*")]:
        os.utime(file, (time.time() + 86400,) * 2)


def after_the_clock_was_set_back(change):
    def both(root):
        set_clock_back(root)
        change(root)

    return both


def add(name, text=""):
    return lambda root: (root / name).write_text(text)


def delete_module(root):
    """Delete a file of the package that a chapter used, and the line that used it."""
    (root / "groove_utils" / "figures" / "maps.py").unlink()
    replace("analysis/03-third.py", "# uses groove_utils/figures/maps.py\n", "")(root)


def upgrade_package(root):
    (root / "drumkit-1.0.dist-info").rename(root / "drumkit-1.1.dist-info")


PARAMS = "analysis/params/default.yml"
CHANGES = {
    "a chapter": edit("analysis/01-first.py"),
    "a chapter, with an older one": edit("analysis/02-second.py", old_time="ancient"),
    "a chapter, with its old time": edit("analysis/02-second.py", old_time=True),
    "a module": edit("groove_utils/figures/forest.py"),
    "a module, with its old time": edit("groove_utils/figures/forest.py", old_time=True),
    "a data file": edit("groove_utils/embed/models.yaml", old_time="ancient"),
    "a module, deleted": delete_module,
    "a package, upgraded": upgrade_package,
    "a package, removed": lambda root: (root / "drumkit-1.0.dist-info").rmdir(),
    "another package": lambda root: (root / "tambourine-1.0.dist-info").mkdir(),
    "a page": edit("book/index.md"),
    "a page, with its old time": edit("book/index.md", old_time=True),
    "a new page": add("book/more.md", "more"),
    "parameters of all": replace(PARAMS, "seed: 1", "seed: 2"),
    "parameters of one": replace(PARAMS, "factor: 1", "factor: 2", old_time=True),
    "options of the study": edit(PARAMS, "study: {tiny: {level: 4}}\n"),
    "how the study is made": replace("groove_utils/study/datasets/tiny.py", "= 3", "= 5"),
    "the order of chapters": replace("analysis/chapters.mk", "01-first 02-second 03-third",
                                     "01-first 03-third 02-second"),
    "one chapter less": replace("analysis/chapters.mk", " 03-third\n", "\n"),
    "what a chapter reads": replace("analysis/chapters.mk", "means scores", "scores"),
    "nothing, the clock was set back": set_clock_back,
    "a chapter, the clock was set back": after_the_clock_was_set_back(
        edit("analysis/01-first.py")),
    "the study, the clock was set back": after_the_clock_was_set_back(
        edit(PARAMS, "study: {tiny: {level: 4}}\n")),
    "a module while a chapter runs": edit("analysis/01-first.py",
                                          "# edits groove_utils/figures/forest.py\n"),
    "a module of another chapter while one runs": edit(
        "analysis/02-second.py", "# edits groove_utils/figures/forest.py\n"),
    "its own text while a chapter runs": edit("analysis/01-first.py",
                                              "# edits analysis/01-first.py\n"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in
                     {"a module, with its old time", "a module while a chapter runs",
                      "a package, upgraded"} else weekly)
        for name in CHANGES
    ],
)  # fmt: skip
def test_a_changed_input_reaches_all_results(project, name):
    CHANGES[name](project)
    make(project)
    after = results(project)
    assert after == from_nothing(project)


# ---- interrupted, at the same time, without disk ----


def start(root, *words):
    return subprocess.Popen(
        make_command(*(words or ["book"]), "STUDY=tiny", python="./stub_python"),
        cwd=root,
        env=clean_environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def start_slow_chapter(project, chapter):
    """Start Make with a chapter that waits; return the process, and the number of earlier runs."""
    edit(f"analysis/{chapter}.py", "# waits\n")(project)
    n_runs = len(runs(project))
    running = start(project)
    while running.poll() is None and len(runs(project)) == n_runs:
        time.sleep(0.01)
    return running, n_runs


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(signal.SIGKILL, marks=weekly),
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=weekly),
    ],
)
@pytest.mark.parametrize("chapter", ["01-first", pytest.param("02-second", marks=weekly)])
def test_a_stopped_run_is_completed(project, stop, chapter):
    running, _ = start_slow_chapter(project, chapter)
    os.killpg(running.pid, stop)
    said = running.communicate()[0]
    assert running.returncode != 0
    assert "Traceback" not in said
    make(project)
    after = results(project)
    assert after == from_nothing(project)


def test_two_at_once_take_turns(built, project):
    edit("analysis/01-first.py", "# waits for go\n")(project)
    first, n_runs = start_slow_chapter(project, "01-first")
    second = start(project, "-j2", "book")
    waiting = second.stdout.readline()
    assert "is in use by process" in waiting
    assert "(make book, since" in waiting
    (project / "go").touch()
    said = [run.communicate()[0] for run in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert runs(project)[n_runs:] == ["01-first", "html"]  # its table has not changed


@weekly
def test_two_from_nothing_take_turns(built, project):
    shutil.rmtree(project / "build")
    both = [start(project), start(project)]
    said = [run.communicate()[0] for run in both]
    assert [run.returncode for run in both] == [0, 0], said
    assert results(project) == results(built)
    assert sorted(runs(project)) == sorted(["01-first", "02-second", "03-third", "html"])


UV = """#!/bin/sh
[ "$1" = pip ] && exit
echo made >> log
sleep 1
mkdir -p environment/bin
cp always environment/bin/python
"""


def test_two_from_a_fresh_clone_make_one_environment(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-nodeps.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("analysis/chapters.mk", ".ci/environment.py"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tools").mkdir()
    for name, text in {"tools/uv": UV, "always": "#!/bin/sh\nexit 0\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    command = ["make", "setup", "VENV=environment", f"BASE_PYTHON={sys.executable}"]
    environment = clean_environment(tmp_path)
    environment["PATH"] = f"{tmp_path / 'tools'}:{environment['PATH']}"
    options = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE}
    both = [subprocess.Popen(command, **options) for _ in range(2)]
    said = [run.communicate()[0].decode() for run in both]
    assert [run.returncode for run in both] == [0, 0], said
    assert (tmp_path / "log").read_text() == "made\n"
    assert sum("is up to date" in text for text in said) == 1
    assert (tmp_path / "environment" / ".ready").exists()


@weekly
def test_two_chapters_run_at_a_time(project):
    chapters = project / "analysis" / "chapters.mk"
    chapters.write_text("CHAPTERS := 01-first 02-second 03-third\n")
    for chapter in STUBS:
        edit(f"analysis/{chapter}.py", "# waits\n# waits\n# waits\n")(project)
    seconds = []
    for jobs in ("-j1", "-j3"):
        shutil.rmtree(project / "build")
        began = time.monotonic()
        run = make(project, jobs, "book")
        seconds.append(time.monotonic() - began)
        assert "jobserver" not in run.stderr
    assert seconds[1] < seconds[0] - 1


@weekly
def test_cleaning_waits_for_a_run_and_a_run_for_cleaning(built, project):
    running, _ = start_slow_chapter(project, "01-first")
    make(project, "clean")
    assert running.poll() == 0
    assert not (project / BUILD).exists()
    with lock_build(project / BUILD, "make clean"):
        waiting = start(project)
        assert "is in use by" in waiting.stdout.readline()
        shutil.rmtree(project / BUILD)
    assert waiting.wait() == 0
    after = results(project)
    assert after == from_nothing(project)


LEFT = {
    "../.tiny.lock": b"",
    "../.tiny.holder": b"process 1 (make book, since yesterday)",
    "values/.01-first-x7.json": b"half",
    "work/01-first/in.ipynb": b"half",
    "failed/01-first.txt": b"Chapter 01-first failed\n",
    "deps/01-first.mk": b"book: $(error old)",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=weekly) for name in LEFT])
def test_what_a_killed_run_left_is_no_obstacle(built, project, name):
    (project / BUILD / name).parent.mkdir(exist_ok=True, parents=True)
    (project / BUILD / name).write_bytes(LEFT[name])
    edit("book/index.md")(project)
    run = make(project)
    assert "failed" not in run.stdout
    assert results(project)["tables/means.parquet"] == results(built)["tables/means.parquet"]


@pytest.mark.parametrize(
    "limit", [pytest.param(limit, marks=weekly) for limit in (0, 100, 1000, 10_000, 100_000)]
)
def test_a_full_disk_is_named(built, project, limit):
    shutil.rmtree(project / BUILD)
    run = subprocess.run(
        make_command("book", "STUDY=tiny", python="./stub_python"),
        cwd=project,
        env=clean_environment(project) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        # limit of file size, which simulates a full disk
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
    assert "Free some space on the disk" in run.stderr + run.stdout
    make(project)
    assert results(project) == results(built)


@weekly
def test_a_folder_that_cannot_be_written_is_named(built, project):
    edit("analysis/01-first.py")(project)
    shown = "build is in the way"
    (project / "build").rename(project / "elsewhere")
    (project / "build").write_text(shown)
    run = make(project, check=False)
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
    assert "build" in run.stderr
    (project / "build").unlink()
    (project / "elsewhere").rename(project / "build")
    (project / "build").chmod(0o755)
    if os.geteuid():  # root may write anywhere
        (project / BUILD).chmod(0o555)
        run = make(project, check=False)
        assert "Permission denied" in run.stderr
        assert "Traceback" not in run.stderr
        (project / BUILD).chmod(0o755)
    make(project)
    after = results(project)
    assert after == from_nothing(project)


@weekly
def test_a_failing_chapter_and_its_remedy(built, project):
    text = (project / "analysis" / "02-second.py").read_text()
    edit("analysis/02-second.py", "# fails\n")(project)
    for _ in range(2):
        run = make(project, check=False)
        assert run.returncode != 0
        assert run.stdout.splitlines()[-1] == "Chapter 02-second failed in cell 3"
        assert results(project) == results(built)  # the last successful results
    (project / "analysis" / "02-second.py").write_text(text)
    make(project)
    assert results(project) == results(built)


# ---- settings, wrong or hostile ----

WRONG = {
    "STUDY=": "it is empty",
    "STUDY=nonsense": "no such folder",
    "STUDY=analysis": "no study.yml",
    "STUDY=Makefile": "a file, not a folder",
    "STUDY=$(shell touch planted)": "no such folder",
    "STUDY=`touch planted`": "no such folder",
    'STUDY=x"; touch planted; "': "no such folder",
    "STUDY=x'; touch planted; '": "no such folder",
    "STUDY=x\ntouch planted": "no such folder",
    "PARAMS=": "expected one of default",
    "PARAMS=nonsense": "expected one of default",
    "PARAMS=../params/default": "expected one of default",
    'PARAMS=x"; touch planted; "': "expected one of default",
    "PARAMS=$(shell touch planted)": "expected one of default",
    "CH=": "expected one of 01-first",
    "CH=nonsense": "expected one of 01-first",
    'CH=x"; touch planted; "': "expected one of 01-first",
    "CH=$(shell touch planted)": "expected one of 01-first",
}


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(setting, marks=() if setting == 'STUDY=x"; touch planted; "' else weekly)
        for setting in WRONG
    ],
)
@pytest.mark.parametrize("place", ["command", pytest.param("environment", marks=weekly)])
def test_a_wrong_setting_is_answered_and_never_run(built, setting, place):
    settings = {"STUDY": "tiny", "PARAMS": "default", "CH": "01-first"}
    name, _, value = setting.partition("=")
    settings[name] = value
    given = [f"{key}={text}" for key, text in settings.items()]
    before = results(built)
    for verb in ("chapter", "clean", "new-chapter", "remove-chapter", "folder"):
        wrong = name == "CH" if verb.endswith("-chapter") else name != "CH"
        if (verb != "chapter" and not wrong) or verb == "folder":
            continue
        command = make_command(verb, *(given if place == "command" else ()), python="./stub_python")
        run = subprocess.run(
            command,
            cwd=built,
            env=clean_environment(built) | (settings if place == "environment" else {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode != 0
        assert "Traceback" not in run.stderr
        if verb == "chapter":
            assert WRONG[setting] in run.stderr
        assert not list(Path(built).rglob("planted"))
    assert results(built) == before


NAMES = ['quo"te', "it's", "a$b", "$(shell touch planted)", "`touch planted`", "two words", "-x",
         "%x", "#x", "a;touch planted", "ünï", "back\\slash", "a&b", "*", "a:b", "~"]  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == 'quo"te' else weekly) for name in NAMES]
)
def test_a_study_in_a_folder_of_any_name(project, name):
    shutil.copytree(project / STUDY, project / "folder" / name)
    words = ("book", f"STUDY=folder/{name}")
    run_make(project, *words, python="./stub_python")
    # tiny, and this one
    (made,) = {folder for folder in (project / "build").iterdir() if folder.is_dir()} - {
        project / BUILD
    }
    before = (made / "runs.log").read_text()
    run_make(project, *words, python="./stub_python")
    assert (made / "runs.log").read_text() == before
    assert not list(project.rglob("planted"))
