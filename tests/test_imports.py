"""The import graph of the package, with the imports of type checkers and of function bodies."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_module_imports_itself_by_way_of_others() -> None:
    # The contract of setup.cfg compares siblings. This sees a package and its own modules too.
    graph = grimp.build_graph("sinchfn", cache_dir=None, exclude_type_checking_imports=False)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imported) > 100
    TopologicalSorter(imported).prepare()
