"""The nouns that stages share. Importing any of them pins what the bytes of results depend on, before NumPy is imported."""

from relearn.data import pins

pins.put()
