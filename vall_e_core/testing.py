"""For authors of plugins: check a component against its contract, and run any sampler on logits of your choice.

    from vall_e_core.testing import apply_samplers, check_codec, check_sampler

What is here lies in the package `vall_e_authoring`; this is the name to import it by.
"""

from vall_e_authoring.testing import *  # noqa: F403 - what it says is public
from vall_e_authoring.testing import __all__ as __all__
