import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["pipeline.filter", "pipeline.filter.scores", "pipeline.pretrained"])
def test_what_other_packages_import_loads_no_network_library(module):
    code = f"import sys, {module}; sys.exit(bool({{'tensorflow', 'keras', 'sklearn'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
