"""MPyC programs to begin with."""
