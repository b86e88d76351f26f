"""Load a function: its module, and the modules beside it, isolated from every other function.

The folder of a function is not put on ``sys.path``: two functions that both have a ``helper.py`` would share the first
one's. Instead each load makes a package of its own, named after the folder and a number (``ivr@1``), which no import
statement elsewhere can name. The modules of the folder are loaded as members of that package, and their import
statements are pointed at it when they are compiled: in the folder's own files ``import helper`` means
``ivr@1.helper``, wherever the statement is, also inside a function that runs much later. A module that the process has
already loaded from the same file, such as the host app's own models, is shared instead. Line numbers, source and
builtins stay as they are, so tracebacks, debuggers and patched builtins work as in any module.

Only import statements are pointed at the package. For ``importlib.import_module`` use the relative form,
``import_module(".helper", __package__)``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import itertools
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import CodeType, ModuleType

from ..config.sources import read_dotenv, read_manifest
from ..errors import FunctionError, sentence_of

_numbers = itertools.count(1)


def load_function(function: str | Path | ModuleType, beside: Path | None = None) -> ModuleType:
    """Load the function module.

    :param function: path of a ``function.py`` or of its folder, a module, or a dotted module name.
    :param beside: a folder in which a relative path is looked up before the working directory.
    :raises FunctionError: the module is missing or cannot be loaded; the message names file, cause and remedy.
    """
    if isinstance(function, ModuleType):
        if getattr(function, "__file__", None) is None and hasattr(function, "__path__"):
            raise FunctionError(
                f'The module "{function.__name__}" is only a folder, {_folders_of(function)}, without an __init__.py. '
                "Give the path of its function.py or of its folder."
            )
        return function
    if not isinstance(function, str | Path):
        raise FunctionError(
            f"The function is given as a {type(function).__name__}. It takes the path of a function.py or of its "
            "folder, a module, or a dotted module name. (A Flask app goes to init_app.)"
        )
    places, is_module = _candidates(function, beside)
    return _import_named(str(function), places) if is_module else _load_file(_find_file(places))


def default_source(*settings: Mapping[str, object] | None, beside: Path | None = None) -> str:
    """Return the function to load when none is named: ``SINCHFN_FUNCTION``, else ``./function.py``.

    :param settings: settings that take precedence over the environment, highest first.
    :param beside: as for :func:`load_function`. It does not apply to a path in the environment.
    """
    for given in settings:
        if isinstance(given, Mapping) and (named := given.get("SINCHFN_FUNCTION")):
            return str(named)
    named = os.environ.get("SINCHFN_FUNCTION")
    if named and beside is not None and Path(named).exists():
        return str(Path(named).absolute())
    return named or "function.py"


def folder_for(source: str, beside: Path | None = None) -> Path:
    """Return the folder of a function without loading it. The function need not exist."""
    places, is_module = _candidates(source, beside)
    if not is_module:
        return (places[0] if places[0].is_dir() else places[0].parent).resolve()
    spec = importlib.util.find_spec(source)
    return Path(spec.origin).parent if spec is not None and spec.origin else Path.cwd()


def _candidates(source: str | Path, beside: Path | None) -> tuple[list[Path], bool]:
    """Return the absolute path of a function, or all paths at which it was looked up if none exists.

    Then also return True if the source can be the dotted name of a module.
    """
    folders = [Path.cwd()] if beside is None else [beside.absolute(), Path.cwd()]
    places = list(dict.fromkeys(folder / source for folder in folders))
    existing = [place for place in places if place.exists()][:1]
    is_name = not str(source).endswith(".py") and all(part.isidentifier() for part in str(source).split("."))
    return existing or places, is_name and not existing


def folder_of(module: ModuleType) -> Path:
    """Return the folder that ``assets/``, ``public/``, ``.env`` and ``sinch.json`` of this function are in."""
    file = getattr(module, "__file__", None)
    return Path(file).resolve().parent if file else Path.cwd()


def _find_file(places: Sequence[Path]) -> Path:
    files = [place / "function.py" if place.is_dir() else place for place in places]
    if files[0].is_file():
        return files[0].resolve()
    there = sorted({p.name for file in files if file.parent.is_dir() for p in file.parent.glob("*.py")})
    raise FunctionError(
        f"There is no function at {' or '.join(map(str, files))}. "
        + (f"Found beside it: {', '.join(there)}. " if there else "")
        + "Create function.py with a handler such as `def ice(context, data): ...`, "
        "or set SINCHFN_FUNCTION to the path of your function."
    )


def _import_named(name: str, places: Sequence[Path]) -> ModuleType:
    looked_at = " or ".join(str(place.parent) for place in places)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _load_error(name, error, None) from error
        raise FunctionError(
            f'The function "{name}" is neither a file or folder in {looked_at} nor a module that Python can '
            "import. Give the path of a function.py, of its folder, or the dotted name of an importable module."
        ) from None
    except BaseException as error:
        raise _load_error(name, error, None) from error
    if getattr(module, "__file__", None) is None:
        found = _folders_of(module) or "a module without a file"
        raise FunctionError(
            f'The function "{name}" is neither a file or folder in {looked_at} nor a module with a file: Python finds '
            f"only {found}. Give the path of its function.py or of its folder."
        )
    return module


def _folders_of(module: ModuleType) -> str:
    return " and ".join(map(str, getattr(module, "__path__", ())))


def _load_file(file: Path) -> ModuleType:
    package = _new_package(file.parent)
    name = f"{package}.{file.stem.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, file, loader=_OwnLoader(name, str(file)))
    if spec is None or spec.loader is None:
        raise FunctionError(f"{file} is not a Python file: name it function.py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # also sys.exit() at the top of the file, which must not look like a good start
        for loaded in [key for key in sys.modules if key == package or key.startswith(f"{package}.")]:
            del sys.modules[loaded]
        # The message says everything about bad syntax. For other errors the traceback may say more.
        raise _load_error(str(file), error, file.parent) from (None if isinstance(error, SyntaxError) else error)
    return module


def _new_package(folder: Path) -> str:
    slug = re.sub(r"\W", "_", folder.name) or "function"
    name = f"{slug}@{next(_numbers)}"
    package = ModuleType(name, f"The modules of {folder}")
    package.__path__ = [str(folder)]
    package.__package__ = name
    package.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    package.__spec__.submodule_search_locations = package.__path__
    sys.modules[name] = package
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    return name


class _OwnFinder:
    """Finds the modules of function packages, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if "@" not in fullname or path is None:
            return None
        namespace: list[str] = []
        for entry in path:
            spec = _files_in(entry).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
            if spec is not None:
                namespace.extend(spec.submodule_search_locations or [])
        if not namespace:
            return None
        folder = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        folder.submodule_search_locations = namespace
        return folder


def _files_in(folder: str) -> importlib.machinery.FileFinder:
    # A new one each time, because a FileFinder caches the folder's listing and can miss a file that was just written.
    return importlib.machinery.FileFinder(
        folder,
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (_OwnLoader, importlib.machinery.SOURCE_SUFFIXES),
        (importlib.machinery.SourcelessFileLoader, importlib.machinery.BYTECODE_SUFFIXES),
    )


class _OwnLoader(importlib.machinery.SourceFileLoader):
    """Compiles from source each time and points imports. A stale ``.pyc`` is never used, and none is written."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)

    def source_to_code(self, data: object, path: object, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        # typeshed gives `data` a union that no override can spell; importlib only ever passes the source bytes.
        tree = ast.parse(data, str(path))  # type: ignore[call-overload]
        package = self.name.partition(".")[0]
        code: CodeType = compile(_OwnImports(package).visit(tree), str(path), "exec", dont_inherit=True)
        return code


class _OwnImports(ast.NodeTransformer):
    """Points import statements that name a module of the function's folder at the function's own package."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.folder: str = sys.modules[package].__path__[0]

    def visit_Import(self, node: ast.Import) -> ast.Import:
        node.names = [pointed for alias in node.names for pointed in self._point(alias)]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.level == 0 and node.module and self._is_own(node.module):
            node.module = f"{self.package}.{node.module}"
        return node

    def _point(self, alias: ast.alias) -> list[ast.alias]:
        if not self._is_own(alias.name):
            return [alias]
        top = alias.name.partition(".")[0]
        whole = ast.copy_location(ast.alias(f"{self.package}.{alias.name}", alias.asname or top), alias)
        if alias.asname or top == alias.name:
            return [whole]
        # `import pkg.sub` loads pkg.sub and binds `pkg`: load it first, then bind the top.
        return [whole, ast.copy_location(ast.alias(f"{self.package}.{top}", top), alias)]

    def _is_own(self, name: str) -> bool:
        top = name.partition(".")[0]
        spec = _files_in(self.folder).find_spec(f"{self.package}.{top}")
        if spec is None or _is_loaded(top, spec):
            return False
        if spec.loader is not None:
            return True
        try:  # a folder without an __init__.py must not hide a module that is installed
            return importlib.util.find_spec(top) is None
        except (ImportError, ValueError):
            return True


def _is_loaded(name: str, spec: importlib.machinery.ModuleSpec) -> bool:
    # A file that the host has loaded (its models, its app) is shared: a second copy would have a state of its own.
    loaded = sys.modules.get(name)
    if loaded is None:
        return False
    if spec.origin is not None:
        return getattr(loaded, "__file__", None) == spec.origin
    return bool(set(getattr(loaded, "__path__", ())) & set(spec.submodule_search_locations or ()))


def _load_error(what: str, error: BaseException, folder: Path | None) -> FunctionError:
    if isinstance(error, SyntaxError):
        remedy = "Correct the syntax of that line, or of the lines before it."
    elif isinstance(error, ModuleNotFoundError) and error.name:
        missing = re.sub(r"^\w+@\d+\.", "", error.name).partition(".")[0]
        remedy = (
            f'Install "{missing}" into this environment and add it to requirements.txt, '
            "or correct the name; a module of your own belongs beside function.py."
        )
    elif isinstance(error, ImportError):
        near = _meant_name(error)
        remedy = (
            f'Correct the import: did you mean "{near}"?'
            if near
            else "Correct the import: the name is not in that module (or the two modules import each other)."
        )
    elif isinstance(error, SystemExit):
        remedy = "A function module must not exit: move that call into a handler or below `if __name__ == '__main__':`."
    else:
        remedy = "Correct that line: the module runs once at start, before any call."
    return FunctionError(f"Cannot load the function {what}\n  {cause_of(error, folder)}\n  {remedy}")


def cause_of(error: BaseException, folder: Path | None) -> str:
    """Return the error and its place in the user's own files, without our names for their modules.

    :param folder: of the function. None: the function was found by its dotted name.
    """
    if isinstance(error, SyntaxError) and _is_file_in(error.filename, folder):
        text = (error.text or "").strip()
        shown = f"\n      {text}" if text else ""
        return f"{type(error).__name__} in {error.filename}, line {error.lineno}: {error.msg}{shown}"
    # The name of the package is ours. Users know only their files.
    sentence = re.sub(r"'\w+@\d+' \(unknown location\)", "this folder", sentence_of(error))
    sentence = re.sub(r"\w+@\d+\.", "", sentence)
    hint = _where_it_is_set(error, folder)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_file_in(f.filename, folder)]
    if not frames:
        return f"{sentence}{hint}"
    last = frames[-1]
    place = f"\n  at {last.filename}, line {last.lineno}, in {last.name}\n      {last.line or ''}".rstrip()
    return f"{sentence}{place}{hint}"


def _where_it_is_set(error: BaseException, folder: Path | None) -> str:
    """Return what to write instead of ``os.environ["X"]`` if X is set in a file of the function, else an empty text."""
    seen: BaseException | None = error
    while seen is not None:
        modules = [frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(seen.__traceback__)]
        if isinstance(seen, KeyError) and modules[-1:] == ["os"]:
            break
        seen = seen.__cause__ or seen.__context__
    if seen is None or folder is None:
        return ""
    name = str(seen.args[0])
    places = ((".env", read_dotenv(folder / ".env")[0]), ("sinch.json", read_manifest(folder / "sinch.json").variables))
    found = next((place for place, variables in places if variables.get(name)), None)
    if found is None:
        return ""
    return (
        f"\n  {name} is set in {folder / found}, which is not part of os.environ: read it in a handler with "
        f'context.config.require_variable("{name}"), or in setup(runtime) with '
        f'runtime.config.require_variable("{name}").'
    )


def _is_file_in(name: str | None, folder: Path | None) -> bool:
    path = Path(name or "<unknown>")
    if folder is not None:
        return path.is_relative_to(folder)
    # A module found by its name can be anywhere: any file counts that is not ours and not the import system's.
    return path.is_absolute() and path != Path(__file__) and "importlib" not in path.parts


def _meant_name(error: ImportError) -> str | None:
    """Return the name that was meant in ``from sinchfn import getText``, its name in other runtimes."""
    wanted = re.match(r"cannot import name '(\w+)' from 'sinchfn'", str(error))
    if wanted is None:
        return None
    names: Sequence[str] = sys.modules["sinchfn"].__all__
    plain = {name.lower().replace("_", ""): name for name in names}
    # There are more names than `nearest` looks at, and the wrong one comes from the function, not from a client.
    near = get_close_matches(wanted[1].lower().replace("_", ""), list(plain), n=1, cutoff=0.7)
    return plain[near[0]] if near else None


_FINDER = _OwnFinder()
