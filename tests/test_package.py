import subprocess
import sys

import pytest

import tfpare


@pytest.mark.parametrize("name", tfpare.__all__)
def test_every_name_is_there_whatever_was_imported_before(name):
    program = f"import tfpare.api, tfpare.cli.app, tfpare\nassert not isinstance(tfpare.{name}, type(tfpare))"
    if name in ("verify", "optimize", "load"):  # the names that a module could take; one process each is slow
        subprocess.run([sys.executable, "-c", program], check=True)
    assert getattr(tfpare, name).__name__ == {"load": "read"}.get(name, name)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="optimise"):
        _ = tfpare.optimise


def test_the_import_is_cheap():
    program = "import sys, tfpare\nprint(sorted({'numpy', 'tensorflow', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
