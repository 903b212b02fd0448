"""Its place puts the tests' own modules (corpus, drawing) on the import path."""
