"""The name under which Python runs the program: `python -m vall_e`. What it offers lies in `vall_e_core`."""
