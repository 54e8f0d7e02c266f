from hypothesis import settings

# Fewer examples than hypothesis's 100: the whole folder stays within a few seconds.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")
