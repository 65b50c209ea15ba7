"""Helpers of the book «Can pretrained audio models hear the groove?».

Each family (``audio``, ``study``, ``synth``, ``descriptors``, ``embed``, ``genre``, ``stems``,
``probe``, ``mixed``, ``figures``, ``book``) is a subpackage that is named by what the field calls
it; imports go from right to left in this list only.
"""

__version__ = "0.1.0"
