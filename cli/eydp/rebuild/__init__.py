"""Rebuild: every raw table anew from the raw zone alone, compared with the old one, swapped when asked to."""
