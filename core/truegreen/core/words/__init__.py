"""The vocabulary: names, tables and shapes. Data and frozen dataclasses, standard library only."""
