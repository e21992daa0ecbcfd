"""How the English speller's data is made: words, pronunciations, n-grams. See README.md."""
