"""What players show of an audiobook, under the names that Audiobookshelf, Plex and Apple's Books read."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass

from vall_e_audio import SYNTHETIC

from .contents import Cover


@dataclass(frozen=True)
class Tags:
    """What a file says about itself."""

    title: str
    author: str = ""
    narrator: str = ""
    language: str = ""
    cover: Cover | None = None

    def plain(self) -> dict[str, str]:
        """Keys as ffmpeg has them. The narrator is the composer: there is no better place that players look at."""
        found = {
            "title": self.title, "album": self.title, "artist": self.author, "album_artist": self.author,
            "composer": self.narrator, "narrator": self.narrator, "genre": "Audiobook", "language": self.language,
            "comment": SYNTHETIC,
        }  # fmt: skip
        return {key: " ".join(value.split()) for key, value in found.items() if value}


def ogg_picture(cover: Cover) -> str:
    """A cover as a comment of an Ogg file: FLAC's picture block in base64."""
    kind = cover.media_type.encode()
    head = struct.pack(">II", 3, len(kind)) + kind + struct.pack(">I", 0) + struct.pack(">IIII", 0, 0, 0, 0)
    return base64.b64encode(head + struct.pack(">I", len(cover.data)) + cover.data).decode()
