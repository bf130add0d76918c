"""Writes what the gallery of connectors knows of each type: `python -m tests.support.gallery`."""

from __future__ import annotations

from app.admin.setting_up.gallery import GALLERY, written_gallery

if __name__ == "__main__":
    GALLERY.write_text(written_gallery(), encoding="utf-8")
