"""What `import imagelab` does, and does not do."""

import subprocess
import sys

# What albumentations imports after its look at versions takes seconds, and has no part in it.
CODE = """
import sys, types
import imagelab
heavy = {"torch", "numpy", "hydra", "lightning"} & set(sys.modules)
below = ["augmentations", "core", "pytorch"]
below += [f"core.{name}" for name in ("composition", "serialization", "transforms_interface")]
sys.modules |= {f"albumentations.{name}": types.ModuleType(name) for name in below}
import albumentations.check_version
print(sorted(heavy), albumentations.check_version.opener)
"""


def test_the_package_is_light_and_keeps_albumentations_from_asking_the_network():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "None"]
