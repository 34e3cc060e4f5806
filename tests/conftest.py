import cv2
from hypothesis import settings

cv2.setNumThreads(1)  # small pictures: more threads only wait for each other

# a busy machine is no failure, and a run is the same as the one before
settings.register_profile("maskgate", deadline=None, derandomize=True)
settings.load_profile("maskgate")
