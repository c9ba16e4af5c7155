"""Work with a trained generator: its latents of a given picture, directions among them, edits along these.

All are pure functions over a `core.generator.Generator` that has the capability they need, whatever its game.
"""
