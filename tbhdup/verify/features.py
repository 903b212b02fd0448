"""Local features (RootSIFT), their mirrored and inverted variants, and matching them.

D. G. Lowe, Distinctive image features from scale-invariant keypoints, IJCV 2004; square roots of the descriptors after
R. Arandjelovic and A. Zisserman, Three things everyone should know to improve object retrieval, CVPR 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

KEYPOINTS = 300  # fewer, and the lettering around a photograph leaves none for it
CONTRAST = 0.02  # half of the usual: dim and blurred copies still need their corners
RATIO = 0.85  # of the distances to the best and the second best match
NORM = 255  # of a descriptor: whole numbers, small enough for float32 to add their products exactly in any order


@dataclass(frozen=True, slots=True)
class Features:
    """N local features of one picture.

    shape        width and height of the picture in which they were found, pixels
    places       (N, 2) float32, x and y in pixels
    scales       (N,) float32, pixels
    angles       (N,) float32, radians from the x axis towards the y axis (y points down)
    descriptors  (N, 128) uint8, norm about NORM
    """

    shape: tuple[int, int]
    places: NDArray[np.float32]
    scales: NDArray[np.float32]
    angles: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.scales)


def find_features(grey: NDArray[np.uint8], quick: bool = False) -> Features:
    """The strongest features of a (h, w) picture, at most KEYPOINTS.

    quick: descriptors are read at half the size, off a picture that is softer than it should be by up to 1.6. They
    match a little less well, and take a third less time.
    """
    shape = grey.shape[1], grey.shape[0]
    sift = cv2.SIFT.create(nfeatures=KEYPOINTS, contrastThreshold=CONTRAST)
    if quick:
        keypoints = sift.detect(grey)
        for keypoint in keypoints:
            keypoint.octave = _next_octave(keypoint.octave)
        keypoints, descriptors = sift.compute(grey, keypoints)
    else:
        keypoints, descriptors = sift.detectAndCompute(grey, None)
    if not keypoints:
        none = np.zeros(0, np.float32)
        return Features(shape, np.zeros((0, 2), np.float32), none, none, np.zeros((0, 128), np.uint8))
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1))
    return Features(
        shape=shape,
        places=np.array([k.pt for k in keypoints], np.float32),
        scales=np.array([k.size for k in keypoints], np.float32),
        angles=np.deg2rad(np.array([k.angle for k in keypoints], np.float32)),
        descriptors=np.round(roots * NORM).astype(np.uint8),
    )


def _next_octave(packed: int) -> int:
    """Where OpenCV is to describe a keypoint, octave in the lowest byte and layer in the next: an octave further on.

    There it takes the first layer, which is the least soft.
    """
    return (packed & ~0xFFFF) | ((packed + 1) & 0xFF)


def mirrored(features: Features) -> Features:
    """The features that the picture, mirrored left to right, would have: nothing is detected again.

    A descriptor is 4 x 4 cells of 8 directions, laid out along the feature's own direction. Mirroring keeps that
    direction and swaps the sides of it: rows of cells are reversed, direction k becomes -k.
    """
    cells = features.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8]
    places = np.stack([features.shape[0] - 1 - features.places[:, 0], features.places[:, 1]], axis=1)
    return Features(features.shape, places, features.scales, np.float32(np.pi) - features.angles, _flat(cells))


def inverted(features: Features) -> Features:
    """The features that the picture's negative would have: every direction turns by half a circle."""
    cells = features.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, ::-1]
    return Features(features.shape, features.places, features.scales, features.angles + np.float32(np.pi), _flat(cells))


def _flat(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(cells.reshape(len(cells), 128))


def match(a: Features, b: Features) -> NDArray[np.intp]:
    """(M, 2) indices of features that are each other's best match, and clearly better than the second best."""
    if len(a) < 2 or len(b) < 2:
        return np.zeros((0, 2), np.intp)
    likeness = a.descriptors.astype(np.float32) @ b.descriptors.T.astype(np.float32)
    rows = np.arange(len(a))
    best = likeness.argmax(axis=1)
    back = likeness.argmax(axis=0)
    top = likeness[rows, best].copy()
    likeness[rows, best] = -1
    second = likeness.max(axis=1)
    # squared distance = 2 (NORM² - likeness), descriptors being of one norm
    clear = NORM**2 - top < RATIO**2 * (NORM**2 - second)
    keep = np.flatnonzero(clear & (back[best] == rows))
    return np.stack([keep, best[keep]], axis=1)
