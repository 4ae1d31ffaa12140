"""What `import imagelab` does, and does not do."""

import subprocess
import sys

CODE = """
import sys
import imagelab
heavy = {"torch", "numpy", "hydra", "lightning"} & set(sys.modules)
import albumentations.check_version
print(sorted(heavy), albumentations.check_version.opener)
"""


def test_the_package_is_light_and_keeps_albumentations_from_asking_the_network():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "None"]
