"""Text to speech and speech to text as a program uses them: everything loaded once, then any number of calls."""
