"""The meshes that Meshward knows. What differs between them is in a folder for each, under this name."""

from enum import StrEnum


class Mesh(StrEnum):
    """A mesh, by the value of the tag `meshward:mesh`."""

    LINKERD = "linkerd"
