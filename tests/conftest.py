from hypothesis import settings

# a busy machine is no failure, and a run is the same as the one before
settings.register_profile("maskgate", deadline=None, derandomize=True)
settings.load_profile("maskgate")
