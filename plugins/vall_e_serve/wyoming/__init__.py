"""The Wyoming protocol, which Home Assistant's voice services speak: speech whose text may come in pieces."""
