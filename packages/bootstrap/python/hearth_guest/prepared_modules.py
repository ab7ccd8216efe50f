"""Modules that a zygote has loaded, for functions that import them.

They are not in `sys.modules` before: there they would hide files of the same name in the function's
folder, which come first on AWS.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

# What clients of AWS and common functions need. Not among them: what keeps a secret or something of
# the environment from the moment it is loaded (multiprocessing, zoneinfo), or leaves traces elsewhere
# (concurrent.futures has a logger).
_NAMES = (
    "base64 binascii bisect calendar collections.abc contextlib copy "
    "csv ctypes dataclasses datetime decimal email.message email.parser email.utils enum "
    "fnmatch functools gzip hashlib heapq hmac html http.client http.cookies inspect io itertools "
    "json logging math mimetypes numbers operator pathlib pickle platform queue quopri random re "
    "secrets select shutil signal socket ssl stat string struct subprocess tempfile textwrap "
    "threading time traceback types typing unicodedata urllib.parse urllib.request uuid warnings "
    "weakref xml.etree.ElementTree zipfile zlib"
).split()

_loaded: dict[str, ModuleType] = {}

# What modules do in a forked process, with their names, as they have registered it.
_at_fork: list[tuple[str, dict]] = []
_is_forked = False


def load() -> None:
    """Loads them, and what the runtime itself loads late."""
    import importlib
    import os

    register = os.register_at_fork
    os.register_at_fork = _keep_hooks
    try:
        for name in _NAMES:
            try:
                importlib.import_module(name)
            except ImportError:
                pass  # a part that this interpreter was built without
        from . import exact_json, log_handler  # noqa: F401
    finally:
        os.register_at_fork = register


def set_aside(before: frozenset[str]) -> None:
    """Takes away what was loaded and is not in `before`, but for the runtime itself."""
    for name in [name for name in sys.modules if name not in before]:
        if not name.startswith("hearth_guest"):
            _loaded[name] = sys.modules.pop(name)


def expect_fork() -> None:
    """From now on modules are found in forked processes."""
    global _is_forked
    _is_forked = True


def _keep_hooks(**hooks) -> None:
    _at_fork.append((sys._getframe(1).f_globals["__name__"], hooks))


def _run_hooks(name: str) -> None:
    """Does late what is due after a fork: most functions need little of it, and it costs memory.

    Random numbers start anew for whoever uses them; all else is the affair of a module alone.
    """
    import os

    for entry in _at_fork[:]:
        owner, hooks = entry
        if owner in (name, "random"):
            _at_fork.remove(entry)
            for moment in ("before", "after_in_child"):
                if moment in hooks:
                    hooks[moment]()
            os.register_at_fork(**hooks)


def find(name: str, path: object, always: bool) -> ModuleSpec | None:
    """The specification of a module that is set aside.

    None where there is none, or where the function has a module of this name and not `always`.
    """
    module = _loaded.get(name)
    if module is None:
        return None
    if path is None:
        if not always and _is_shadowed(name):
            prefix = name + "."
            for inner in [each for each in _loaded if each == name or each.startswith(prefix)]:
                del _loaded[inner]
            return None
    elif getattr(sys.modules.get(name.rpartition(".")[0]), "__path__", None) != path:
        return None
    own = module.__spec__
    spec = ModuleSpec(name, _Loader(module), origin=own.origin)
    spec.submodule_search_locations = own.submodule_search_locations
    spec.has_location = own.has_location
    return spec


def _is_shadowed(name: str) -> bool:
    """Whether an entry of the module path before the standard library has a module of this name."""
    if name in sys.builtin_module_names:
        return False
    import os

    library = os.path.dirname(os.__file__)
    try:
        first = sys.path[: sys.path.index(library)]
    except ValueError:
        first = sys.path
    spec = PathFinder.find_spec(name, first)
    # A folder without code is only taken where there is nothing else.
    return spec is not None and spec.loader is not None and spec.origin is not None


class _Loader:
    """Gives a module that is complete, with the specification it had; else as its own loader."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _loaded.pop(spec.name, None)
        if _is_forked and _at_fork:
            _run_hooks(spec.name)
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec

    def __getattr__(self, name: str) -> object:
        return getattr(self._spec.loader, name)
