"""The table that the method was presented with (Verwilt, Zizakic, Gu & Pizurica): mAP without labels.

It names neither features nor K nor split nor seeds (its data are presumably CIFAR-10),
so only the order within one table can be compared with another.
"""

from __future__ import annotations

BITS = (16, 32, 64)

PUBLISHED: dict[str, tuple[float, float, float]] = {
    "LSH": (0.106, 0.102, 0.105),
    "SpH": (0.272, 0.285, 0.300),
    "AGH": (0.333, 0.357, 0.358),
    "SpherH": (0.254, 0.291, 0.333),
    "KMH": (0.279, 0.296, 0.334),
    "ITQ": (0.305, 0.325, 0.349),
    "DGH": (0.335, 0.353, 0.361),
    "DeepBit": (0.194, 0.249, 0.277),
    "SGH": (0.435, 0.437, 0.433),
    "BGAN": (0.525, 0.531, 0.562),
    "BinGAN": (0.476, 0.5122, 0.520),
    "GreedyHash": (0.448, 0.473, 0.501),
    "HashGAN": (0.447, 0.463, 0.481),
    "DVB": (0.403, 0.422, 0.446),
    "DistillHash": (0.284, 0.285, 0.288),
    "PseudoLabel": (0.517, 0.572, 0.596),
    "TBH": (0.532, 0.573, 0.578),
    "TBH-VAE": (0.556, 0.6021, 0.6057),
}

QUOTED = ("DeepBit", "BGAN", "BinGAN", "HashGAN")  # they need networks that make or learn pictures: not run here
