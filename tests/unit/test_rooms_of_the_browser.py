"""The house in the browser: which room of ``js/src`` may import which, and no circles."""

import posixpath
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "js" / "src"
TESTS = ROOT.parent / "test"

#: What each room builds on. The explorer alone shows parts of another view.
BUILDS_ON = {
    "source": set(),
    "shared": {"source"},
    "neuron": {"source", "shared"},
    "map": {"source", "shared", "neuron"},
    "gallery": {"source", "shared", "neuron"},
    "contrast": {"source", "shared", "neuron"},
    "audit": {"source", "shared", "neuron"},
    "review": {"source", "shared", "neuron"},
    "intervene": {"source", "shared", "neuron"},
    "trace": {"source", "shared", "neuron"},
    "compare": {"source", "shared", "neuron"},
    "evolution": {"source", "shared", "neuron"},
    "explorer": {"source", "shared", "neuron", "map"},
    "page": {"source", "shared"},
    "entries": {
        "page",
        "map",
        "gallery",
        "contrast",
        "audit",
        "review",
        "intervene",
        "trace",
        "compare",
        "evolution",
        "explorer",
    },
}
_FROM = re.compile(
    r'^(?:import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)";|^import\s+"(\.[^"]+)";', re.MULTILINE
)
FILES = {
    file.relative_to(ROOT).as_posix(): file.read_text()
    for file in ROOT.rglob("*.ts*")
    if not file.name.endswith(".d.ts")
}


def imports(name: str) -> dict[str, bool]:
    """Files that a file imports, each with whether it is more than a type."""
    found = {}
    for only_types, path, bare in _FROM.findall(FILES[name]):
        target = posixpath.normpath(f"{posixpath.dirname(name)}/{path or bare}")
        exact = next((t for t in (target, f"{target}.ts", f"{target}.tsx") if t in FILES), target)
        assert exact in FILES or (ROOT / exact).is_file(), f"{name} imports {exact}: not there"
        found[exact] = not only_types
    return found


def room(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_room_imports_what_it_builds_on_alone(name):
    for other in imports(name):
        if room(other) != room(name):
            assert room(other) in BUILDS_ON[room(name)], f"{name} imports {other}"


def test_no_import_runs_in_a_circle():
    graph = {
        name: {other for other, runs in imports(name).items() if runs and other in FILES}
        for name in FILES
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_every_room_has_its_place_in_the_table():
    TopologicalSorter(BUILDS_ON).prepare()
    assert {room(name) for name in FILES} == set(BUILDS_ON)


def test_no_file_is_longer_than_a_reader_holds_in_mind():
    files = [
        file
        for top in (ROOT, TESTS)
        for end in ("ts", "tsx", "css")
        for file in top.rglob(f"*.{end}")
    ]
    long = {str(file): len(file.read_text().splitlines()) for file in files}
    long.pop(str(ROOT / "source" / "messages.ts"))  # a program writes it
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
