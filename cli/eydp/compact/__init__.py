"""Compaction: joins the small objects of a day into few, checks the result, and only then retires the originals."""
