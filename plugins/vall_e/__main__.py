"""`python -m vall_e` is `vall-e`."""

from vall_e_core.__main__ import program

if __name__ == "__main__":
    program()
