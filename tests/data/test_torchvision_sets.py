import hashlib
import pickle
import socket
import struct
import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
import torchvision.datasets

from imagelab.data.torchvision_sets import TorchvisionSet
from imagelab.problem import Problem


@pytest.fixture
def no_network(monkeypatch):
    """Every download fails as it does without a network; tells what was asked for."""
    asked = []

    def refuse(request, *_, **__):
        asked.append(request.full_url)
        raise URLError(socket.gaierror(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return asked


def pixels(count, *shape):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def write_cifar10(root, monkeypatch):
    """A CIFAR-10 of 50 + 10 images in the original's format; torchvision is told its checksums."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    rows = pixels(60, 3 * 32 * 32)
    parts = [{"data": rows[k : k + 10], "labels": list(range(10))} for k in range(0, 60, 10)]
    train = [write(f"data_batch_{k + 1}", part) for k, part in enumerate(parts[:5])]
    test = [write("test_batch", parts[5])]
    meta = write("batches.meta", {"label_names": [f"class {k}" for k in range(10)]})
    cifar = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar, "train_list", train)
    monkeypatch.setattr(cifar, "test_list", test)
    monkeypatch.setattr(cifar, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return rows.reshape(60, 3, 32, 32)


def write_mnist(root):
    """An MNIST of 20 + 10 images in the original's IDX format."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    images = pixels(30, 28, 28)
    for name, part in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        chosen, labels = images[part], (np.arange(30)[part] % 10).astype(np.uint8)
        header = struct.pack(">IIII", 0x803, len(chosen), 28, 28)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + chosen.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, len(chosen)) + labels.tobytes()
        )
    return images


def test_cifar10_is_read_exactly(tmp_path, monkeypatch, no_network):
    images = write_cifar10(tmp_path, monkeypatch)
    source = TorchvisionSet(name="CIFAR10", root=str(tmp_path), download=True)
    train, test = source.splits["train"], source.splits["test"]
    assert np.array_equal(train.images.numpy(), images[:50])
    assert np.array_equal(test.images.numpy(), images[50:])
    assert train.labels.tolist() == list(range(10)) * 5
    assert source.classes == [f"class {k}" for k in range(10)]
    assert no_network == [], "what is there is not downloaded again"


def test_mnist_is_read_exactly(tmp_path, no_network):
    images = write_mnist(tmp_path)
    source = TorchvisionSet(name="MNIST", root=str(tmp_path), download=True)
    assert np.array_equal(source.splits["train"].images.numpy(), images[:20, None])
    assert np.array_equal(source.splits["test"].images.numpy(), images[20:, None])
    assert source.splits["test"].labels.tolist() == list(range(10))
    assert source.classes == list("0123456789")
    assert no_network == []


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100", "MNIST", "FashionMNIST"])
def test_without_internet_the_message_names_the_set_its_folder_and_the_remedy(name, tmp_path, no_network):
    root = tmp_path / "new" / "data"
    with pytest.raises(Problem) as caught:
        TorchvisionSet(name=name, root=str(root), download=True)
    told = str(caught.value)
    assert "\n" not in told
    for part in (
        name,
        str(root),
        "Temporary failure in name resolution",
        "connect to the internet",
        "data.root",
    ):
        assert part in told
    assert no_network, "a download was tried"
    assert list(tmp_path.iterdir()) == [], "folders that were made for the download are gone"


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "other").write_text("somebody's")

    def half(url, root, filename=None, md5=None):
        (type(tmp_path)(root) / filename).write_bytes(b"half")
        raise RuntimeError("Connection reset by peer")

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", half)
    with pytest.raises(Problem, match="Connection reset by peer"):
        TorchvisionSet(name="CIFAR10", root=str(tmp_path), download=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_finished_download_arrives_whole_and_without_its_archives(tmp_path, monkeypatch):
    def served(self):
        if not self._check_exists():
            images.append(write_mnist(type(tmp_path)(self.root)))
            (type(tmp_path)(self.raw_folder) / "train-images-idx3-ubyte.gz").write_bytes(b"the archive")

    images = []
    monkeypatch.setattr(torchvision.datasets.MNIST, "download", served)
    source = TorchvisionSet(name="MNIST", root=str(tmp_path / "data"), download=True)
    assert np.array_equal(source.splits["train"].images.numpy(), images[0][:20, None])
    found = [path.name for path in (tmp_path / "data").rglob("*")]
    assert sum("ubyte" in name for name in found) == 4
    assert not [name for name in found if name.endswith(".gz") or name.startswith(".download")]


def test_a_damaged_file_is_refused(tmp_path, monkeypatch, no_network):
    write_cifar10(tmp_path, monkeypatch)
    damaged = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(Problem, match="cannot be downloaded"):
        TorchvisionSet(name="CIFAR10", root=str(tmp_path), download=True)


def test_nothing_is_downloaded_unless_asked_for(tmp_path, no_network):
    with pytest.raises(Problem, match=r"MNIST is not in .*; set data.download=true, or data.root="):
        TorchvisionSet(name="MNIST", root=str(tmp_path), download=False)
    assert no_network == []
