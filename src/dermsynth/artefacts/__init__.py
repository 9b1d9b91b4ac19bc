"""Artefacts of dermoscopy: frames, hair, rulers, ink, stickers, bubbles: detect, remove, insert."""
