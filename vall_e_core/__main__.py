"""`python -m vall_e_core` is the program `vall-e`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
