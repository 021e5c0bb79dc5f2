"""Adapters that turn data which other people published into pairs: one file an adapter.

An adapter lists what its source holds, writes the record of an id, and brings its picture.
`gathering.collect_pairs` does the rest for all of them: which ids, what is there already, how a
pair is written. `shared.collection.public_datasets` is the entry.
"""
