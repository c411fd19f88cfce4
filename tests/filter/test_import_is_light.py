import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["pipeline.filter", "pipeline.filter.scores", "pipeline.pretrained"])
def test_light_filter_modules_do_not_import_tensorflow(module):
    code = f"import sys, {module}; sys.exit(bool({{'tensorflow', 'keras', 'sklearn'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
