"""Modules of the standard library that the function must not shadow, loaded when first needed."""

from __future__ import annotations

import os
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# AWS's client has loaded all of these before the function, so that there a file of the same name in
# the function's folder is never taken for one of them. Here they come later, but from there too.
_LOADED_ON_AWS = frozenset(
    "collections concurrent contextlib copyreg datetime decimal enum functools heapq importlib "
    "json keyword linecache logging math numbers operator queue re reprlib sre_compile "
    "sre_constants sre_parse string textwrap threading token tokenize traceback types warnings "
    "weakref".split()
)


# Modules that the zygote has loaded, where this process comes from one.
_find_prepared: Callable[[str, object, bool], ModuleSpec | None] | None = None


def use_prepared(find: Callable[[str, object, bool], ModuleSpec | None]) -> None:
    """Modules are taken from `find` first; see `prepared_modules.find`."""
    global _find_prepared
    _find_prepared = find


class StandardModules:
    """An entry of `sys.meta_path`."""

    def __init__(self, on_logging: Callable[[], None]) -> None:
        """`on_logging` is called once, when the `logging` module has just been loaded."""
        self._on_logging = on_logging
        self._path = [os.path.dirname(os.__file__)]

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        is_known = name in _LOADED_ON_AWS
        spec = None if _find_prepared is None else _find_prepared(name, path, is_known)
        if spec is None and is_known:
            spec = PathFinder.find_spec(name, self._path, target)
        if name == "logging" and spec is not None and spec.loader is not None:
            self._call_after(spec)
        return spec

    def _call_after(self, spec: ModuleSpec) -> None:
        loader = spec.loader
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # only once, and nothing to be seen of it afterwards
            load(module)
            self._on_logging()

        loader.exec_module = exec_module  # type: ignore[method-assign]
