"""Seeing what a chain does: recording a run on its device, a file of it, and a picture.

Importing this package imports nothing heavy.
"""
