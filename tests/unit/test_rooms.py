"""The house: which room of the package may import which, and that no import runs in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import semlens_widgets

PACKAGE = Path(semlens_widgets.__file__).parent

#: What each room builds on. Everything may raise the errors; the façade and the demo see all below.
BUILDS_ON = {
    "errors": set(),
    "inputs": {"errors"},
    "store": {"errors", "inputs"},
    "analysis": set(),
    "labels": {"errors", "analysis"},
    "attribution": {"errors", "inputs"},
    "pipeline": {"errors", "inputs", "store", "analysis", "attribution", "labels"},
    "lens": {"errors", "inputs", "store", "analysis", "attribution", "labels", "pipeline"},
    "widgets": {"errors", "inputs", "store", "attribution", "labels", "lens"},
    "testing": {"labels", "analysis", "lens"},
    "demo": {"errors", "inputs", "store", "analysis", "labels", "lens", "semlens_widgets"},
}
#: The façade makes the widgets of itself: `lens.map()`. One table serves rules and channels alike.
ALSO = {
    ("lens.showing", "widgets"),
    ("lens.compare", "widgets"),
    ("lens.evolution", "widgets"),
    ("lens.intervention", "widgets"),
    ("lens.audited", "widgets"),
    ("lens.traced", "widgets"),
    ("inputs.channels", "attribution.operations"),
    ("inputs.poles", "attribution.operations"),
}


def modules() -> dict[str, Path]:
    """Dotted names below the package, that of a room for its ``__init__``."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join(parts)] = file
    return found


def imports(name: str, file: Path, known: set[str]) -> dict[str, bool]:
    """Modules of the package that a module imports, each with whether it does when it is loaded."""
    tree = ast.parse(file.read_text())
    late = set()
    for node in ast.walk(tree):
        under_type_checking = (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        )
        if under_type_checking or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            late |= {id(inner) for inner in ast.walk(node)}
    found: dict[str, bool] = {}

    def add(module: str, node: ast.stmt) -> None:
        prefix, _, rest = module.partition("semlens_widgets")
        if prefix == "" and (rest == "" or rest[0] == "."):
            found[rest[1:]] = found.get(rest[1:], False) or id(node) not in late

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name, node)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = whole.removeprefix("semlens_widgets.") in known
                add(whole if is_module else str(node.module), node)
    return found


MODULES = modules()
IMPORTS = {name: imports(name, file, set(MODULES)) for name, file in MODULES.items()}


def room(module: str) -> str:
    return module.split(".", maxsplit=1)[0] or "semlens_widgets"


@pytest.mark.parametrize("name", [name for name in sorted(MODULES) if name])
def test_a_room_imports_what_it_builds_on_alone(name):
    for other in IMPORTS[name]:
        if room(other) == room(name) or (name, other) in ALSO or (name, room(other)) in ALSO:
            continue
        assert room(other) in BUILDS_ON[room(name)], f"{name} imports {other}"


def test_no_import_runs_in_a_circle():
    graph = {
        name: {other for other, at_load in found.items() if at_load and other != name}
        for name, found in IMPORTS.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_the_rooms_build_on_each_other_one_way():
    TopologicalSorter(BUILDS_ON).prepare()


def test_every_room_has_its_place_in_the_table():
    assert {room(name) for name in MODULES if name} == set(BUILDS_ON)


def test_no_file_is_longer_than_a_reader_holds_in_mind():
    files = [*MODULES.values(), *Path(__file__).parents[1].rglob("*.py")]
    long = {str(file): len(file.read_text().splitlines()) for file in files}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
