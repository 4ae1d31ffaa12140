"""BatchNorm in two gloo processes on the CPU against one process with the whole batch."""

from pathlib import Path

import torch
from torch import distributed, nn

from imagelab.model.sync_norm import SyncNorm
from tests.runs_of_the_command import SERVER

PARTS = [slice(0, 5), slice(5, 8)]  # the processes need not have equally many
STEPS = 2


def layer():
    norm = nn.BatchNorm2d(4)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    return norm


def steps(norm, part):
    """What comes of each step, on these of 8 images whose mean is far from 0: by name."""
    rng, found = torch.Generator().manual_seed(0), {}
    for step in range(STEPS):
        images = 100 + 3 * torch.randn(8, 4, 6, 6, generator=rng)
        wanted = torch.randn(8, 4, 6, 6, generator=rng)
        x = images[part].requires_grad_()
        y = norm(x)
        (y * wanted[part]).sum().backward()
        found |= {f"output {step}": y.detach(), f"input gradient {step}": x.grad}
    return found | {"statistics": norm.state_dict(), "weight": norm.weight.grad, "bias": norm.bias.grad}


def rank(number, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=number, world_size=len(PARTS)
    )
    torch.save(steps(SyncNorm(layer()), PARTS[number]), Path(folder) / f"{number}.pt")
    distributed.destroy_process_group()


def test_two_processes_equal_one_with_the_whole_batch(tmp_path):
    ranks = [SERVER.Process(target=rank, args=(number, str(tmp_path))) for number in range(len(PARTS))]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join()
        assert one.exitcode == 0
    both = [torch.load(tmp_path / f"{number}.pt") for number in range(len(PARTS))]
    one = steps(layer(), slice(None))
    for name in one:
        if name.startswith(("output", "input")):
            torch.testing.assert_close(
                torch.cat([each[name] for each in both]), one[name], rtol=1e-5, atol=1e-4
            )
    for name in ("weight", "bias"):
        torch.testing.assert_close(sum(each[name] for each in both), one[name], rtol=1e-4, atol=1e-4)
    for each in both:
        torch.testing.assert_close(each["statistics"], one["statistics"], rtol=1e-5, atol=1e-5)
        assert each["statistics"]["num_batches_tracked"] == STEPS


def test_one_process_computes_the_same_as_a_plain_norm():
    torch.testing.assert_close(steps(SyncNorm(layer()), slice(None)), steps(layer(), slice(None)))


def test_weights_and_statistics_are_shared_under_the_same_names():
    plain = layer()
    synced = SyncNorm(plain)
    assert list(synced.state_dict()) == list(plain.state_dict())
    assert synced.weight is plain.weight
    assert synced.running_mean is plain.running_mean
