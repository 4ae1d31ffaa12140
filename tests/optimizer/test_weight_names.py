"""What counts as a weight, over networks of many kinds, built without memory for their values."""

import re
from math import log

import pytest
import timm
import torch
import torchvision
from torch import nn

from imagelab.optimizer.muon import muon_groups
from imagelab.optimizer.param_groups import decaying, param_groups
from imagelab.optimizer.weight_names import weight_names
from imagelab.trick.dropconnect import DropConnect

NAMES = """
    swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 beit_base_patch16_224 xcit_nano_12_p8_224
    resmlp_12_224 convnextv2_atto nf_regnet_b0 botnet26t_256 edgenext_xx_small visformer_tiny swiftformer_xs
    levit_128s mobilenetv3_small_050 cait_xxs24_224 ghostnetv3_050 vit_tiny_patch16_224
    vit_small_patch16_dinov3 deit_tiny_distilled_patch16_224 eva02_tiny_patch14_224 samvit_base_patch16
    vit_relpos_small_patch16_224 tnt_s_patch16_224 volo_d1_224 convit_tiny pit_ti_224 pvt_v2_b0
    coatnet_0_rw_224 maxvit_nano_rw_256 gcvit_xxtiny mvitv2_tiny nest_tiny efficientformerv2_s0
    efficientvit_m0 tiny_vit_5m_224 halonet26t lambda_resnet26t gmixer_12_224 gmlp_ti16_224 dm_nfnet_f0
    poolformer_s12 caformer_s18 focalnet_tiny_srf rdnet_tiny efficientnet_b0 resnet18
"""
TIMM = NAMES.split()
TORCHVISION = ["swin_v2_t", "vit_b_16", "maxvit_t", "convnext_tiny"]
OTHERS = re.compile(
    r"bias|table|pos_embed(ding)?_?\d?$|_pos$|rel_pos_[hw]$|token$|scale$|scale.conv|gamma|alpha|beta$"
    r"|temperature|gain|_rel$|w_g|norm|bn|conv_scale"
)


def network(name: str) -> nn.Module:
    """A network without values."""
    with torch.device("meta"):
        return timm.create_model(name) if name in TIMM else torchvision.models.get_model(name)


def _is_matrix(parameter: nn.Parameter) -> bool:
    return sum(side > 1 for side in parameter.shape) > 1


@pytest.mark.parametrize("name", TIMM + TORCHVISION)
def test_weights_are_those_of_layers_and_projections_and_no_scales_or_tables(name):
    net = network(name)
    weights = weight_names(net)
    assert [one for one in sorted(weights) if OTHERS.search(one)] == []
    others = {
        one for one, parameter in net.named_parameters() if one not in weights and _is_matrix(parameter)
    }
    assert [one for one in sorted(others) if not OTHERS.search(one)] == []
    layers = {f"{one}.weight" for one, layer in net.named_modules() if isinstance(layer, nn.Linear)}
    assert layers <= weights
    assert all(_is_matrix(net.get_parameter(one)) for one in weights)
    sizes = {one: parameter.numel() for one, parameter in net.named_parameters()}
    assert sum(sizes[one] for one in weights) > 0.93 * sum(sizes.values())


def test_a_head_for_one_value_and_other_forms_of_weights_count_and_scales_do_not():
    net = nn.ModuleDict({"value": nn.Linear(8, 1), "attention": nn.MultiheadAttention(4, 2, kdim=3)})
    net["depthwise"] = nn.Conv2d(8, 8, 3, groups=8)
    net["scale"] = nn.Conv2d(8, 8, 1, groups=8)
    net["spectral"] = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    net["normed"] = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    net["table"], net["norm"] = nn.Embedding(5, 8), nn.LayerNorm((4, 6, 6))
    assert weight_names(net) == {
        *("value.weight", "depthwise.weight", "spectral.parametrizations.weight.original"),
        "normed.parametrizations.weight.original1",
        *(
            f"attention.{name}"
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight")
        ),
    }


def test_nothing_else_decays_is_dropped_or_moved_by_muon():
    net = torchvision.models.SwinTransformer(
        [4, 4], 8, [2], [2], [4, 4], 0.0, block=torchvision.models.swin_transformer.SwinTransformerBlockV2
    )
    scale = "features.1.0.attn.logit_scale"
    assert net.get_parameter(scale).flatten().tolist() == pytest.approx([log(10)] * 2)
    groups = [group | {"lr": 0.1} for group in param_groups(net, 0.1, decay_norm_bias=True)]
    muon = {id(parameter) for parameter in muon_groups(net, groups, 0.1)[0]["params"]}
    assert len(muon) > 4
    for held in (muon, {id(parameter) for parameter in decaying(net).values()}):
        assert id(net.get_parameter(scale)) not in held
    assert scale not in DropConnect(rate=0.5, layers="all").rewired(net)
