"""File name suffixes of audio files."""

__all__ = ["AUDIO_SUFFIXES"]

AUDIO_SUFFIXES = (
    ".aac", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mka", ".mkv", ".mov",
    ".mp2", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".w64", ".wav", ".webm", ".wma", ".wv",
)  # fmt: skip
"""Suffixes by which audio files are recognised in the folders of studies and corpora."""
